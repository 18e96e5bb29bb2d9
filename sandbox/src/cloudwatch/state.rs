//! What exists in CloudWatch.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

/// A metric by its namespace, name and sorted dimensions.
type Key = (String, String, Vec<(String, String)>);

/// What exists in CloudWatch.
#[derive(Debug, Clone, Default)]
pub(crate) struct CloudWatchState {
    series: BTreeMap<Key, Vec<(f64, Option<f64>)>>,
    pub(super) alarms: BTreeMap<String, Alarm>,
    pub(super) dashboards: BTreeMap<String, Dashboard>,
    /// The points that were put, in order.
    pub(super) points: Vec<Value>,
}

/// An alarm. The sandbox weighs no thresholds: its state is what a seed, a test or SetAlarmState says.
#[derive(Debug, Clone)]
pub(super) struct Alarm {
    /// The members of PutMetricAlarm that DescribeAlarms shows again.
    pub(super) settings: Value,
    /// From each moment on, in order, its state and why.
    pub(super) states: Vec<(Timestamp, String, String)>,
    pub(super) configured: Timestamp,
    pub(super) tags: BTreeMap<String, String>,
}

impl Alarm {
    /// The state at a moment, since when and why.
    pub(super) fn state(&self, now: Timestamp) -> (Timestamp, &str, &str) {
        let state = self.states.iter().rev().find(|(from, _, _)| *from <= now);
        state.map_or((self.configured, "INSUFFICIENT_DATA", ""), |(at, state, why)| {
            (*at, state, why)
        })
    }
}

/// A dashboard.
#[derive(Debug, Clone)]
pub(super) struct Dashboard {
    pub(super) body: String,
}

impl CloudWatchState {
    /// The series of exactly these dimensions, which are sorted.
    pub(super) fn series(
        &self,
        namespace: &str,
        name: &str,
        dimensions: &[(String, String)],
    ) -> Option<&[(f64, Option<f64>)]> {
        let key = (namespace.to_owned(), name.to_owned(), dimensions.to_vec());
        self.series.get(&key).map(Vec::as_slice)
    }

    /// Sets what a metric shows: from each moment on, in seconds.
    pub(crate) fn show(
        &mut self,
        namespace: &str,
        name: &str,
        dimensions: &BTreeMap<String, String>,
        steps: Vec<(f64, Option<f64>)>,
    ) {
        let dimensions = dimensions.clone().into_iter().collect();
        self.series.insert((namespace.to_owned(), name.to_owned(), dimensions), steps);
    }

    /// Puts an alarm there, or replaces its states.
    pub(crate) fn seed_alarm(
        &mut self,
        name: &str,
        now: Timestamp,
        states: Vec<(Timestamp, String, String)>,
    ) {
        let alarm = self.alarms.entry(name.to_owned()).or_insert_with(|| Alarm {
            settings: json!({"AlarmName": name}),
            states: Vec::new(),
            configured: now,
            tags: BTreeMap::new(),
        });
        alarm.states = states;
    }

    /// See `World::describe`.
    pub(crate) fn describe(&self) -> Value {
        let alarms: BTreeMap<_, _> = self
            .alarms
            .iter()
            .map(|(name, alarm)| (name, json!({"settings": alarm.settings, "tags": alarm.tags})))
            .collect();
        let dashboards: BTreeMap<_, _> =
            self.dashboards.iter().map(|(name, dashboard)| (name, &dashboard.body)).collect();
        let points = super::put::describe(&self.points);
        json!({"alarms": alarms, "dashboards": dashboards, "points": points})
    }
}
