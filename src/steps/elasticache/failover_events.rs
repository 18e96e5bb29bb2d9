//! What ElastiCache's events tell of tested failovers: how many there were in a day, and how far one of them is.
//!
//! No status tells it: the group stays `available` all the time. The events come in this order (ElastiCache API reference,
//! TestFailover): "Test Failover API called for node group …", "Failover from primary node … to replica node … completed",
//! "Recovering cache nodes …", "Finished recovery for cache nodes …".

use aws_sdk_elasticache::types::{Event, SourceType};
use jiff::{SignedDuration, Timestamp};

use super::look::SERVICE;
use crate::aws::{Op, call};
use crate::engine::{Class, Failure};
use crate::steps::Env;

/// Node groups that an account may test in 24 hours (ElastiCache API reference, TestFailover).
pub(super) const A_DAY: usize = 15;
const CALLED: &str = "Test Failover API called";
const COMPLETED: &str = "Failover from primary node";
const RECOVERING: &str = "Recovering cache nodes";
const FINISHED: &str = "Finished recovery for cache nodes";
/// Events are kept for 14 days (ElastiCache API reference, DescribeEvents).
const KEPT_MINUTES: i32 = 14 * 24 * 60;

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) at: Timestamp,
    pub(super) source: String,
    pub(super) message: String,
}

impl Told {
    /// What tells it from another.
    pub(super) fn mark(&self) -> String {
        format!("{} {} {}", self.at, self.source, self.message)
    }
}

/// Every event of the last minutes that has to do with failovers, of one sort of source or of all.
///
/// # Errors
/// As `aws::call`.
pub(super) async fn read(
    env: &Env,
    source: Option<SourceType>,
    minutes: i32,
) -> Result<Vec<Told>, Failure> {
    let mut all = Vec::new();
    let mut marker = None;
    loop {
        let request = env
            .aws
            .elasticache
            .describe_events()
            .set_source_type(source.clone())
            .duration(minutes.clamp(1, KEPT_MINUTES))
            .set_marker(marker);
        let answer = call(Op::read(SERVICE, "DescribeEvents"), request.send()).await?;
        all.extend(answer.events().iter().filter_map(told));
        marker = answer.marker.filter(|marker| !marker.is_empty());
        if marker.is_none() {
            all.sort_by_key(|event: &Told| event.at);
            return Ok(all);
        }
    }
}

fn told(event: &Event) -> Option<Told> {
    let message = event.message()?;
    let about = [CALLED, COMPLETED, RECOVERING, FINISHED].iter().any(|word| message.contains(word));
    let date = event.date()?;
    let at = Timestamp::new(date.secs(), i32::try_from(date.subsec_nanos()).ok()?).ok()?;
    about.then(|| Told {
        at,
        source: event.source_identifier().unwrap_or_default().to_ascii_lowercase(),
        message: message.to_owned(),
    })
}

/// How many failovers were tested in the account in the last 24 hours, and when the next one is allowed if that is too
/// many. Events count the tests of everybody.
///
/// # Errors
/// As `read`.
pub(super) async fn quota(env: &Env) -> Result<(usize, Option<Timestamp>), Failure> {
    let events = read(env, Some(SourceType::ReplicationGroup), 24 * 60).await?;
    let called: Vec<&Told> = events.iter().filter(|e| e.message.contains(CALLED)).collect();
    let count = called.len();
    let next = count.checked_sub(A_DAY).and_then(|over| called.get(over)).map(|event| {
        event.at.checked_add(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MAX)
    });
    Ok((count, next))
}

/// The failure for a quota that is used up.
pub(super) fn used_up(next: Timestamp) -> Failure {
    Failure::new(
        Class::Quota,
        format!("{A_DAY} failovers were tested in this account in the last 24 hours, the most that AWS allows"),
    )
    .mend(format!("wait until {next}"))
}

/// How far a failover is, by the events since it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) called: Option<Timestamp>,
    pub(super) completed: Option<Timestamp>,
    pub(super) finished: Option<Timestamp>,
    pub(super) messages: Vec<String>,
}

impl Progress {
    /// Of these events, those of one shard. `members` are the shard's nodes.
    pub(super) fn of(events: &[Told], group: &str, shard: &str, members: &[String]) -> Self {
        let mut progress = Self::default();
        let ours = |event: &&Told| {
            if event.source == group {
                let named = members.iter().any(|node| event.message.contains(node.as_str()));
                return named || event.message.ends_with(&format!("node group {shard}"));
            }
            members.contains(&event.source)
        };
        for event in events.iter().filter(ours) {
            if event.message.contains(CALLED) {
                progress.called.get_or_insert(event.at);
            } else if event.message.starts_with(COMPLETED) {
                progress.completed.get_or_insert(event.at);
            } else if event.message.starts_with(FINISHED) && progress.completed.is_some() {
                progress.finished.get_or_insert(event.at);
            }
            if !progress.messages.contains(&event.message) {
                progress.messages.push(event.message.clone());
            }
        }
        progress
    }

    /// The state of the wait.
    pub(super) fn state(&self) -> &'static str {
        match self {
            Self { finished: Some(_), .. } => "finished",
            Self { completed: Some(_), .. } => "recovering",
            Self { called: Some(_), .. } => "failing over",
            _ => "asked for",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(second: i64, source: &str, message: &str) -> Told {
        let at = Timestamp::from_second(1_700_000_000 + second).unwrap();
        Told { at, source: source.to_owned(), message: message.to_owned() }
    }

    #[test]
    fn only_the_events_of_the_shard_prove_its_failover() {
        let members = ["prod-0001-001".to_owned(), "prod-0001-002".to_owned()];
        let other = [
            event(0, "prod", "Test Failover API called for node group 0002"),
            event(
                9,
                "prod-0002-001",
                "Failover from primary node prod-0002-001 to replica node prod-0002-002 completed",
            ),
            event(99, "prod-0002-001", "Finished recovery for cache nodes 0001"),
        ];
        let progress = Progress::of(&other, "prod", "0001", &members);
        assert_eq!((progress.state(), progress.messages.len()), ("asked for", 0));
        let own = [
            event(0, "prod", "Test Failover API called for node group 0001"),
            event(
                9,
                "prod",
                "Failover from primary node prod-0001-001 to replica node prod-0001-002 completed",
            ),
            event(10, "prod-0001-001", "Recovering cache nodes 0001"),
            event(200, "prod-0001-001", "Finished recovery for cache nodes 0001"),
        ];
        for (count, state) in [
            (0, "asked for"),
            (1, "failing over"),
            (2, "recovering"),
            (3, "recovering"),
            (4, "finished"),
        ] {
            assert_eq!(Progress::of(&own[..count], "prod", "0001", &members).state(), state);
        }
        // The end of an older recovery proves nothing of a failover that has not come.
        assert_eq!(Progress::of(&own[3..], "prod", "0001", &members).state(), "asked for");
    }
}
