//! What ElastiCache does by itself in its windows: the daily snapshot, and changes that were left for maintenance.
//!
//! A window is noticed by the first request that falls into it, since nothing here runs by itself.

use std::time::Duration;

use jiff::Timestamp;

use super::state::{Due, ElastiCacheState, Group, Snapshot};
use crate::context::Ctx;

/// Begins what is due in each group that is at rest. Gives the automatic snapshots that have begun: their data is still
/// to be saved.
pub(super) fn begin(ctx: &Ctx, state: &mut ElastiCacheState) -> Vec<String> {
    let mut events = Vec::new();
    let mut taken = Vec::new();
    for group in state.groups.values_mut().filter(|group| group.status == "available") {
        if daily_snapshot(ctx, group) {
            taken.push(Snapshot {
                status: "creating".to_owned(),
                due: Some(until(ctx, ctx.timings().snapshot)),
                visible: ctx.due(ctx.timings().visibility),
                ..automatic(group, ctx.now)
            });
            events.push((group.id.clone(), "Automatic snapshot started"));
        } else if maintenance(ctx, group) {
            events.push((group.id.clone(), "Applying pending modifications"));
        }
    }
    for (id, what) in events {
        state.event(
            ctx.now,
            "replication-group",
            &id,
            format!("{what} for replication group {id}"),
        );
    }
    let names = taken.iter().map(|snapshot| snapshot.name.clone()).collect();
    state.snapshots.extend(taken.into_iter().map(|snapshot| (snapshot.name.clone(), snapshot)));
    names
}

/// An automatic snapshot of the group as it is, available, without its data. With cluster mode off it is one of a node
/// (ElastiCache user guide, automatic backups). Its name begins with "automatic."; what follows is as it is seen on AWS.
pub(super) fn automatic(group: &Group, at: Timestamp) -> Snapshot {
    let members = group.all_members();
    let node = (!group.cluster_mode).then(|| members.get(1).or(members.first()).cloned()).flatten();
    let of = node.as_ref().unwrap_or(&group.id);
    Snapshot {
        name: format!("automatic.{of}-{}", at.strftime("%Y-%m-%d-%H-%M")),
        status: "available".to_owned(),
        due: None,
        group: group.id.clone(),
        node,
        engine: group.engine.clone(),
        engine_version: group.engine_version.clone(),
        node_type: group.node_type.clone(),
        replicas: group.replicas,
        cluster_mode: group.cluster_mode,
        data_tiering: group.data_tiering,
        kms_key: None,
        tags: std::collections::BTreeMap::new(),
        created: at,
        visible: at,
        manual: false,
        holds_group: false,
        shards: group.shards.clone(),
        files: None,
    }
}

/// Automatic snapshots are kept for as many days as the group says, and go with it (ElastiCache user guide, automatic
/// backups).
pub(super) fn expire(ctx: &Ctx, state: &mut ElastiCacheState) {
    let ElastiCacheState { groups, snapshots, .. } = state;
    snapshots.retain(|_, snapshot| {
        let days = groups.get(&snapshot.group).map_or(0, |group| group.settings.retention);
        let kept = Duration::from_secs(u64::from(days) * 24 * 3600);
        let busy = snapshot.status != "available";
        snapshot.manual || busy || (days > 0 && snapshot.created > ctx.ago(kept))
    });
}

fn daily_snapshot(ctx: &Ctx, group: &mut Group) -> bool {
    let settings = &mut group.settings;
    if settings.retention == 0 {
        return false;
    }
    let opened = opened(&settings.snapshot_window, ctx.now);
    if opened.is_none() || settings.last_windows.0 == opened {
        return false;
    }
    settings.last_windows.0 = opened;
    "snapshotting".clone_into(&mut group.status);
    group.due = Some(until(ctx, ctx.timings().snapshot));
    true
}

fn maintenance(ctx: &Ctx, group: &mut Group) -> bool {
    let settings = &mut group.settings;
    if settings.pending.is_empty() {
        return false;
    }
    let opened = opened(&settings.maintenance_window, ctx.now);
    if opened.is_none() || settings.last_windows.1 == opened {
        return false;
    }
    settings.last_windows.1 = opened;
    for (what, value) in std::mem::take(&mut settings.pending) {
        match what.as_str() {
            "engine_version" => group.engine_version = value,
            "node_type" => group.node_type = value,
            "engine" => group.engine = value,
            _ => {}
        }
    }
    "modifying".clone_into(&mut group.status);
    group.due = Some(until(ctx, ctx.timings().group_create));
    true
}

fn until(ctx: &Ctx, duration: Duration) -> Due {
    Due { at: ctx.due(duration), to: Some("available".to_owned()), reason: None }
}

/// When the window that is open now opened: `05:00-06:00` every day, `sun:23:00-mon:01:00` once a week, in UTC
/// (ElastiCache API reference, ReplicationGroup and CacheCluster). In whole seconds and days: every request asks this of
/// every group there is.
pub(crate) fn opened(window: &str, now: Timestamp) -> Option<Timestamp> {
    const DAY: i64 = 24 * 3600;
    let (from, to) = window.split_once('-')?;
    let ((day, from), (until_day, to)) = (minutes(from)?, minutes(to)?);
    let now = now.as_second();
    let today = now.div_euclid(DAY);
    // A window of one day's hours opened today or yesterday; one that names days, in the last week.
    let back = if day.is_none() && until_day.is_none() { 2 } else { 8 };
    let opens = (today - back + 1..=today).rev().find_map(|date| {
        // The first of January 1970 was a Thursday.
        let weekday = (date + 3).rem_euclid(7);
        if day.is_some_and(|day| day != weekday) {
            return None;
        }
        let days = match until_day {
            Some(until_day) => (until_day - weekday).rem_euclid(7),
            None => i64::from(to <= from),
        };
        let (opens, closes) = (date * DAY + from * 60, (date + days) * DAY + to * 60);
        (opens <= now && now < closes).then_some(opens)
    })?;
    Timestamp::from_second(opens).ok()
}

/// The day, counted from Monday, and the minutes since its beginning.
fn minutes(text: &str) -> Option<(Option<i64>, i64)> {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let (hours, minutes) = text.rsplit_once(':')?;
    let (day, hours) = match hours.split_once(':') {
        None => (None, hours),
        Some((day, hours)) => {
            let day = DAYS.iter().position(|name| name.eq_ignore_ascii_case(day))?;
            (i64::try_from(day).ok(), hours)
        }
    };
    Some((day, hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_open_from_its_first_minute_to_before_its_last() {
        // 2026-11-22 is a Sunday.
        for (window, now, since) in [
            ("05:00-06:00", "2026-11-23T04:59:59Z", None),
            ("05:00-06:00", "2026-11-23T05:00:00Z", Some("2026-11-23T05:00:00Z")),
            ("05:00-06:00", "2026-11-23T06:00:00Z", None),
            ("23:30-00:30", "2026-11-23T00:10:00Z", Some("2026-11-22T23:30:00Z")),
            ("sun:23:00-mon:01:00", "2026-11-23T00:59:00Z", Some("2026-11-22T23:00:00Z")),
            ("sun:23:00-mon:01:00", "2026-11-24T00:59:00Z", None),
            ("sat:05:00-mon:05:00", "2026-11-22T12:00:00Z", Some("2026-11-21T05:00:00Z")),
            ("whenever", "2026-11-22T12:00:00Z", None),
        ] {
            let at = |text: &str| text.parse::<Timestamp>().unwrap();
            assert_eq!(opened(window, at(now)), since.map(at), "{window} at {now}");
        }
    }
}
