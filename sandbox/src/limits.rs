//! How many calls a service answers in a second before it throttles.
//!
//! AWS publishes no rates for ElastiCache and MemoryDB, only that there are some, for each account and region. What a
//! sandbox holds to is therefore a choice of whoever builds it; nobody is held to anything unless it is said.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// A bucket of calls for each service: full at first, filled again at a rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Calls a second, in the long run.
    pub rate: f64,
    /// Calls at once, after a quiet time.
    pub burst: f64,
}

/// What is left in each bucket.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    limits: Option<Limits>,
    left: BTreeMap<&'static str, (Timestamp, f64)>,
}

impl Buckets {
    pub(crate) fn new(limits: Option<Limits>) -> Self {
        Self { limits, left: BTreeMap::new() }
    }

    /// Whether one more call of the service is answered now. S3 and the services that only help are never short.
    pub(crate) fn take(&mut self, service: &str, now: Timestamp) -> bool {
        let Some(limits) = self.limits else { return true };
        let Some(service) = ["elasticache", "memorydb"].into_iter().find(|name| *name == service)
        else {
            return true;
        };
        let (since, left) = self.left.get(service).copied().unwrap_or((now, limits.burst));
        let passed = now.duration_since(since).as_secs_f64().max(0.0);
        let left = (left + passed * limits.rate).min(limits.burst);
        let enough = left >= 1.0;
        self.left.insert(service, (now, if enough { left - 1.0 } else { left }));
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_answered_and_then_the_rate() {
        let mut buckets = Buckets::new(Some(Limits { rate: 2.0, burst: 3.0 }));
        let at = |ms: i64| Timestamp::from_millisecond(ms).unwrap();
        let answered = (0..5).filter(|_| buckets.take("elasticache", at(0))).count();
        assert_eq!(answered, 3);
        assert!(!buckets.take("elasticache", at(400)));
        assert!(buckets.take("elasticache", at(600)));
        assert!(!buckets.take("elasticache", at(700)));
        assert!((0..100).all(|_| buckets.take("s3", at(0))));
    }
}
