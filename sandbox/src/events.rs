//! The events of ElastiCache and MemoryDB: the only place where either tells why something failed.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) at: Timestamp,
    /// The name of what it is about.
    pub(crate) source: String,
    /// `replication-group`, `cache-cluster`, `cluster`, `user`, …
    pub(crate) kind: &'static str,
    pub(crate) message: String,
}

/// Which events a describe call asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) source: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) from: Option<Timestamp>,
    pub(crate) to: Option<Timestamp>,
    /// Minutes before now.
    pub(crate) minutes: Option<u64>,
}

/// Both services keep 14 days and show the last hour unless asked for more (API reference, DescribeEvents).
const KEPT: Duration = Duration::from_secs(14 * 24 * 3600);

impl Wanted {
    /// The events asked for, oldest first.
    pub(crate) fn pick<'a>(&self, events: &'a [Event], now: Timestamp) -> Vec<&'a Event> {
        let ago = |duration: Duration| {
            let duration = SignedDuration::try_from(duration.min(KEPT)).unwrap_or_default();
            now.checked_sub(duration).unwrap_or(Timestamp::MIN)
        };
        let window = self.minutes.map_or(60, |minutes| minutes.min(20_160));
        let from = self.from.unwrap_or_else(|| ago(Duration::from_secs(60 * window)));
        let from = from.max(ago(KEPT));
        let wanted = |event: &&Event| {
            event.at >= from
                // What is under way has not been told yet.
                && event.at <= now
                && self.to.is_none_or(|to| event.at <= to)
                && self
                    .source
                    .as_ref()
                    .is_none_or(|source| source.eq_ignore_ascii_case(&event.source))
                && self.kind.as_ref().is_none_or(|kind| kind == event.kind)
        };
        events.iter().filter(wanted).collect()
    }
}
