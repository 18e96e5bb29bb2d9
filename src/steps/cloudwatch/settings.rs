//! The settings of an alarm: what PutMetricAlarm sets and DescribeAlarms shows, so that a former alarm can be put back.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::operation::put_metric_alarm::builders::PutMetricAlarmFluentBuilder;
use aws_sdk_cloudwatch::types::{
    ComparisonOperator, Dimension, MetricAlarm, StandardUnit, Statistic,
};
use serde::{Deserialize, Serialize};

/// The settings of an alarm on one metric.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) description: Option<String>,
    pub(super) actions_enabled: bool,
    pub(super) ok_actions: Vec<String>,
    pub(super) alarm_actions: Vec<String>,
    pub(super) insufficient_data_actions: Vec<String>,
    pub(super) namespace: String,
    pub(super) metric: String,
    pub(super) dimensions: BTreeMap<String, String>,
    /// Of `Average` and its like, or a percentile.
    pub(super) statistic: String,
    pub(super) period: i32,
    pub(super) unit: Option<String>,
    pub(super) evaluation_periods: i32,
    pub(super) datapoints_to_alarm: Option<i32>,
    pub(super) threshold: f64,
    pub(super) operator: String,
    pub(super) missing: Option<String>,
    pub(super) low_sample: Option<String>,
}

impl Settings {
    /// Those of an alarm; nothing for one on several metrics, on anomalies, or on a question.
    pub(super) fn of(alarm: &MetricAlarm) -> Option<Self> {
        if !alarm.metrics().is_empty() || alarm.threshold_metric_id().is_some() {
            return None;
        }
        let text = |text: Option<&str>| text.map(str::to_owned);
        let statistic = alarm.statistic().map(|s| s.as_str()).or(alarm.extended_statistic());
        let dimensions = alarm.dimensions().iter();
        Some(Self {
            description: text(alarm.alarm_description()),
            actions_enabled: alarm.actions_enabled().unwrap_or(true),
            ok_actions: alarm.ok_actions().to_vec(),
            alarm_actions: alarm.alarm_actions().to_vec(),
            insufficient_data_actions: alarm.insufficient_data_actions().to_vec(),
            namespace: text(alarm.namespace())?,
            metric: text(alarm.metric_name())?,
            dimensions: dimensions
                .filter_map(|d| Some((d.name()?.to_owned(), d.value()?.to_owned())))
                .collect(),
            statistic: text(statistic)?,
            period: alarm.period()?,
            unit: alarm.unit().map(|unit| unit.as_str().to_owned()),
            evaluation_periods: alarm.evaluation_periods()?,
            datapoints_to_alarm: alarm.datapoints_to_alarm(),
            threshold: alarm.threshold()?,
            operator: alarm.comparison_operator()?.as_str().to_owned(),
            missing: text(alarm.treat_missing_data()),
            low_sample: text(alarm.evaluate_low_sample_count_percentile()),
        })
    }

    pub(super) fn request(
        &self,
        request: PutMetricAlarmFluentBuilder,
    ) -> PutMetricAlarmFluentBuilder {
        let dimension = |(name, value): (&String, &String)| {
            Dimension::builder().name(name).value(value).build()
        };
        let some = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
        let percentile = self.statistic.starts_with('p');
        let statistic = (!percentile).then(|| Statistic::from(self.statistic.as_str()));
        request
            .set_alarm_description(self.description.clone())
            .actions_enabled(self.actions_enabled)
            .set_ok_actions(some(&self.ok_actions))
            .set_alarm_actions(some(&self.alarm_actions))
            .set_insufficient_data_actions(some(&self.insufficient_data_actions))
            .namespace(&self.namespace)
            .metric_name(&self.metric)
            .set_dimensions(Some(self.dimensions.iter().map(dimension).collect()))
            .set_statistic(statistic)
            .set_extended_statistic(percentile.then(|| self.statistic.clone()))
            .period(self.period)
            .set_unit(self.unit.as_deref().map(StandardUnit::from))
            .evaluation_periods(self.evaluation_periods)
            .set_datapoints_to_alarm(self.datapoints_to_alarm)
            .threshold(self.threshold)
            .comparison_operator(ComparisonOperator::from(self.operator.as_str()))
            .set_treat_missing_data(self.missing.clone())
            .set_evaluate_low_sample_count_percentile(self.low_sample.clone())
    }
}
