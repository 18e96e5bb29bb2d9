//! The process dies at every journal write, forward and while rolling back; the run is taken up by another process.

use orchestrate::engine::journal::{Crash, Record, Rest, RollbackReason};
use orchestrate::engine::{End, Inject};
use serde_json::Value;

use crate::harness::{
    Check, left_something, roll_back, run, same, same_but_kept, same_changes, succeeded,
};
use crate::world::{Disturb, Done, World, all_playbooks, hurry, virtually};

/// Looks write nothing, so that long waits have no places to die that short ones have not.
const QUICK: f64 = 20.0;

fn resumed() -> Vec<Record> {
    vec![Record::Resumed { by: "another process".to_owned() }]
}

/// Dies at each write of a whole run; the world at the end must be that of a run nobody disturbed, and no change may
/// have been made twice.
async fn forward(name: &str) -> Result<u64, String> {
    let plain = World::before(name).await;
    let undisturbed = run(&plain, Inject::default(), None).await;
    succeeded(&undisturbed)?;
    let writes = undisturbed.journal.entries().len() as u64;
    for at in 1..=writes {
        for written in [false, true] {
            let world = World::before(name).await;
            let crash = Some(Crash { at, written });
            let dead = world.run(&Disturb { crash, ..Disturb::default() }).await;
            let place = format!("{name}: dying at write {at} of {writes}, written: {written}");
            if !matches!(dead.end, End::Broken(_)) {
                return Err(format!("{place}: it did not die but ended as {:?}", dead.end));
            }
            let done = if dead.journal.entries().is_empty() {
                // Not even the header is there: nothing has begun, and the person starts again.
                world.run(&Disturb::default()).await
            } else if matches!(dead.state().rest, Some(Rest::Succeeded)) {
                dead
            } else {
                world.take_up(&dead, resumed(), &Disturb::default()).await
            };
            if done.end != End::Rest(Rest::Succeeded)
                && !matches!(done.state().rest, Some(Rest::Succeeded))
            {
                return Err(format!("{place}: then ended as {:?}\n{}", done.end, done.story()));
            }
            same(&plain.sandbox.world(), &world.sandbox.world())
                .map_err(|e| format!("{place}: {e}"))?;
            same_changes(&plain, &world).map_err(|e| format!("{place}: {e}"))?;
        }
    }
    Ok(writes * 2)
}

/// Playbooks of which a rollback leaves something, because a kind in them says so: deleted files and snapshots, a failover,
/// a newer engine, a group that went with its final snapshot.
const STAYS: [&str; 8] = [
    "cleanup-migration",
    "cleanup-serverless-migration",
    "create-and-delete",
    "failover-drill",
    "engine-upgrade",
    "park",
    "unpark",
    "decommission-source",
];

/// Dies at each write of a rollback of a whole run.
async fn backward(name: &str) -> Result<u64, String> {
    let plain = World::before(name).await;
    let clean = plain.sandbox.world();
    let done = run(&plain, Inject::default(), None).await;
    let forward_writes = done.journal.entries().len() as u64;
    let back = roll_back(&plain, &done, Inject::default(), None).await;
    rolled_back(&back)?;
    let writes = back.journal.entries().len() as u64;
    for at in forward_writes + 1..=writes {
        for written in [false, true] {
            let world = World::before(name).await;
            let done = run(&world, Inject::default(), None).await;
            let reason = RollbackReason::Asked { by: "tester".to_owned(), past_pivot: true };
            let begin = Record::RollbackStarted { reason };
            let crash = Some(Crash { at, written });
            let disturb = Disturb { crash, ..Disturb::default() };
            let dead = world.take_up(&done, vec![begin.clone()], &disturb).await;
            let place = format!("{name}: dying at write {at} of a rollback, written: {written}");
            let end = finish(&world, dead, begin).await;
            rolled_back(&end).map_err(|e| format!("{place}: {e}"))?;
            same(&plain.sandbox.world(), &world.sandbox.world())
                .map_err(|e| format!("{place}: {e}"))?;
            let stays = STAYS.contains(&name);
            if !stays {
                same_but_kept(&clean, &world.sandbox.world())
                    .map_err(|e| format!("{place}: {e}"))?;
            } else if !left_something(&end) {
                return Err(format!("{place}: it left nothing, and is listed as one that does"));
            }
        }
    }
    Ok((writes - forward_writes) * 2)
}

async fn finish(world: &World, dead: Done, begin: Record) -> Done {
    let state = dead.state();
    match state.rest {
        Some(Rest::RolledBack) => dead,
        // The rollback itself was not yet promised: the person asks for it again.
        Some(Rest::Succeeded) => world.take_up(&dead, vec![begin], &Disturb::default()).await,
        _ => world.take_up(&dead, resumed(), &Disturb::default()).await,
    }
}

fn rolled_back(done: &Done) -> Check {
    match done.state().rest {
        Some(Rest::RolledBack) => Ok(()),
        rest => Err(format!("rests as {rest:?}\n{}", done.story())),
    }
}

#[test]
fn dying_at_every_write_forward_changes_nothing_in_the_end() {
    hurry(QUICK);
    let mut crashes = 0;
    for name in all_playbooks() {
        crashes += virtually(forward(name)).unwrap_or_else(|e| panic!("{e}"));
    }
    println!("{crashes} crashes forward");
}

#[test]
fn dying_at_every_write_of_a_rollback_still_ends_in_a_clean_slate() {
    hurry(QUICK);
    let mut crashes = 0;
    for name in all_playbooks() {
        crashes += virtually(backward(name)).unwrap_or_else(|e| panic!("{e}"));
    }
    println!("{crashes} crashes backward");
}

/// A run that fails and dies while it is being rolled back on its own.
#[test]
fn dying_while_a_failed_run_is_rolled_back_still_ends_in_a_clean_slate() {
    virtually(async {
        let fail = || Inject {
            fail: Some(("compare".to_owned(), orchestrate::engine::Strike::AfterExecute)),
            ..Inject::default()
        };
        let plain = World::before("quickstart").await;
        let clean: Value = plain.sandbox.world();
        let done = run(&plain, fail(), None).await;
        rolled_back(&done).expect("the failed run is rolled back");
        let entries = done.journal.entries();
        let failed = entries
            .iter()
            .find(|entry| matches!(entry.record, Record::Failed { .. }))
            .expect("a failure is recorded")
            .seq;
        for at in failed..=entries.len() as u64 {
            for written in [false, true] {
                let world = World::before("quickstart").await;
                let disturb = Disturb {
                    crash: Some(Crash { at, written }),
                    inject: fail(),
                    ..Disturb::default()
                };
                let dead = world.run(&disturb).await;
                let again = Disturb { inject: fail(), ..Disturb::default() };
                let end = match dead.state().rest {
                    Some(Rest::RolledBack) => dead,
                    _ => world.take_up(&dead, resumed(), &again).await,
                };
                rolled_back(&end).unwrap_or_else(|e| panic!("write {at}, {written}: {e}"));
                same(&clean, &world.sandbox.world())
                    .unwrap_or_else(|e| panic!("write {at}, {written}: {e}"));
            }
        }
    });
}
