//! A metric that a playbook names, a limit on it, and what the two say of what CloudWatch shows.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::facts;
use crate::plan::Fault;
use crate::playbook::parse_duration;

/// What stands for each statistic.
pub(super) const STATISTICS: [&str; 5] = ["Average", "Minimum", "Maximum", "Sum", "SampleCount"];
/// AWS services publish a data point a minute, and it may take three until it shows (CloudWatch user guide; ElastiCache and
/// MemoryDB guides).
pub(super) const SHORTEST: Duration = Duration::from_secs(3 * 60);
/// Data points of a minute are kept for 15 days, those of an hour for 455 (CloudWatch user guide, metrics retention).
pub(super) const LONGEST: Duration = Duration::from_secs(455 * 86_400);

/// A metric of exact dimensions, and a statistic of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Metric {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) dimensions: BTreeMap<String, String>,
    pub(crate) statistic: String,
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.namespace, self.name, self.statistic)?;
        let mut between = " of ";
        for (name, value) in &self.dimensions {
            write!(f, "{between}{name} {value}")?;
            between = ", ";
        }
        Ok(())
    }
}

/// The limit that every data point keeps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limit {
    pub(crate) at_least: Option<f64>,
    pub(crate) at_most: Option<f64>,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.at_least, self.at_most) {
            (Some(least), Some(most)) => write!(f, "from {least} to {most}"),
            (Some(least), None) => write!(f, "at least {least}"),
            (None, Some(most)) => write!(f, "at most {most}"),
            (None, None) => f.write_str("anything"),
        }
    }
}

/// What the data points of a window say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Said {
    /// Each keeps the limit; the one that comes nearest to it.
    Holds(f64),
    /// This one does not.
    Breached(f64),
    /// There are none: nothing is known.
    NoData,
}

impl Limit {
    fn keeps(&self, value: f64) -> bool {
        self.at_least.is_none_or(|least| value >= least)
            && self.at_most.is_none_or(|most| value <= most)
    }

    /// How far inside the limit a value is; less than nothing is outside.
    fn room(&self, value: f64) -> f64 {
        let above = self.at_least.map_or(f64::INFINITY, |least| value - least);
        let below = self.at_most.map_or(f64::INFINITY, |most| most - value);
        above.min(below)
    }

    /// What these data points say. What is no number counts as none.
    pub(crate) fn weigh(&self, points: &[f64]) -> Said {
        let numbers = points.iter().copied().filter(|value| value.is_finite());
        let worst = numbers.min_by(|a, b| self.room(*a).total_cmp(&self.room(*b)));
        match worst {
            None => Said::NoData,
            Some(value) if self.keeps(value) => Said::Holds(value),
            Some(value) => Said::Breached(value),
        }
    }
}

/// The period of the data points of a window: no more than 1,440 of them, and one that is kept as long.
pub(crate) fn period(window: Duration) -> Duration {
    let periods = [60, 300, 3600].map(Duration::from_secs);
    let kept = |period: &Duration| window <= *period * 1440;
    periods.into_iter().find(kept).unwrap_or(periods[2] * 24)
}

/// A window that a playbook gives.
///
/// # Errors
/// In words that follow "`text` is no window: ".
pub(crate) fn window(text: &str) -> Result<Duration, String> {
    let window = parse_duration(text)?;
    if window < SHORTEST {
        return Err("data points come a minute apart and show up to three minutes late; write at least `3m`".to_owned());
    }
    if window > LONGEST {
        return Err("CloudWatch keeps data points for 455 days".to_owned());
    }
    Ok(window)
}

/// What can be said against the window of arguments, as far as it is known.
pub(super) fn window_fault(args: &Value) -> Option<Fault> {
    let text = args["window"].as_str()?;
    let wrong = window(text).err()?;
    Some(Fault::new(format!("`{text}` is no window: {wrong}")).key("window").mend("write `10m`"))
}

/// What can be said against a metric that a playbook names: nobody publishes it, or not by these dimensions. `given` holds
/// `null` for what is not known yet.
pub(super) fn metric_faults(given: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    let statistic = given["statistic"].as_str().unwrap_or("Maximum");
    if !is_statistic(statistic) {
        let fault = Fault::new(format!("`{statistic}` is no statistic of CloudWatch"));
        let mend = format!("write one of {}, or a percentile such as p99", STATISTICS.join(", "));
        faults.push(fault.key("statistic").mend(mend));
    }
    let (Some(namespace), Some(name)) = (given["namespace"].as_str(), given["metric"].as_str())
    else {
        return faults;
    };
    let nodes = given.get("nodes_of").is_some();
    let names: Vec<&str> = match given.get("dimensions") {
        Some(Value::Object(dimensions)) => dimensions.keys().map(String::as_str).collect(),
        Some(_) => return faults,
        None if nodes => vec!["CacheClusterId", "CacheNodeId"],
        None => Vec::new(),
    };
    if let Err(misfit) = facts::metric_fits(namespace, name, &names) {
        let key = match (misfit.dimensions, nodes) {
            (false, _) => "metric",
            (true, true) => "nodes_of",
            (true, false) if given.get("dimensions").is_none() => "metric",
            (true, false) => "dimensions",
        };
        faults.push(Fault::new(misfit.what).key(key).mend(misfit.mend));
    }
    faults
}

pub(super) fn is_statistic(text: &str) -> bool {
    let percentile = text.strip_prefix('p').and_then(|of| of.parse::<f64>().ok());
    STATISTICS.contains(&text) || percentile.is_some_and(|of| (0.0..=100.0).contains(&of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_point_speaks_and_no_point_says_nothing() {
        let most = Limit { at_least: None, at_most: Some(70.0) };
        assert_eq!(most.weigh(&[10.0, 69.0, 3.0]), Said::Holds(69.0));
        assert_eq!(most.weigh(&[10.0, 71.0, 90.0]), Said::Breached(90.0));
        assert_eq!(most.weigh(&[]), Said::NoData);
        assert_eq!(most.weigh(&[f64::NAN]), Said::NoData);
        let both = Limit { at_least: Some(1.0), at_most: Some(3.0) };
        assert_eq!(both.weigh(&[1.0, 2.0]), Said::Holds(1.0));
        assert_eq!(both.weigh(&[0.0, 2.0]), Said::Breached(0.0));
    }

    #[test]
    fn a_window_has_points_that_are_still_kept() {
        let minutes = |m: u64| Duration::from_secs(60 * m);
        for (window, expected) in [(10, 1), (1440, 1), (1441, 5), (7200, 5), (7201, 60)] {
            assert_eq!(period(minutes(window)), minutes(expected), "{window} min");
        }
        assert!(window("2m").unwrap_err().contains("3m"));
        assert!(window("10").unwrap_err().contains("unit"));
        assert_eq!(window("24h").unwrap(), minutes(1440));
    }
}
