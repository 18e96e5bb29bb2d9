//! Every answer of the sandbox held against botocore's service models: those to the playbooks, run with and without faults, and
//! those to boto3.

use std::path::PathBuf;

use orchestrate_sandbox::{FaultKind, FaultPlan, RandomFaults};

use super::{offered, served, stranger};
use crate::program::{Place, Served};
use crate::world::{Disturb, World, all_playbooks, record_to, virtually};

/// What is asked and answered while the playbooks run: once as they should, and then under faults of every kind that is told
/// to the caller.
fn record_playbooks(place: &Place) -> PathBuf {
    let path = place.path("playbooks.jsonl");
    record_to(&path);
    for name in all_playbooks() {
        virtually(async {
            World::before(name).await.run(&Disturb::default()).await;
        });
    }
    let told = [
        FaultKind::Throttle,
        FaultKind::ServerErrorBefore,
        FaultKind::ServerErrorAfter,
        FaultKind::Denied,
        FaultKind::ExpiredCredentials,
        FaultKind::NotFound,
    ];
    for (seed, kind) in (0..).zip(told.into_iter().cycle().take(36)) {
        virtually(async {
            let world = World::before("quickstart").await;
            let random = RandomFaults { seed, rate: 0.2, kinds: vec![kind] };
            world.sandbox.set_faults(FaultPlan { random: Some(random), ..FaultPlan::default() });
            world.run(&Disturb::default()).await;
        });
    }
    path
}

fn record_boto3(place: &Place) -> (Served, PathBuf) {
    let path = place.path("boto3.jsonl");
    let served = served(place, &["--record", path.to_str().expect("UTF-8")]);
    for script in ["tests/foreign/all_boto3.py", "tests/foreign/drive_boto3.py"] {
        stranger(&served, "python", &[script]).ends_with(0).says("every answer was parsed");
    }
    (served, path)
}

#[test]
fn every_answer_is_as_the_service_models_say_and_a_broken_one_is_noticed() {
    let place = Place::new();
    let playbooks = record_playbooks(&place);
    let (served, boto3) = record_boto3(&place);
    let list = offered().into_iter().collect::<Vec<_>>().join("\n");
    let list = place.write("operations", list);
    let files = [&list, &playbooks, &boto3].map(|path| path.to_str().expect("UTF-8"));
    let check = |more: &[&str]| {
        let arguments = [&["tests/conformance/check.py"], more, &files].concat();
        stranger(&served, "python", &arguments)
    };
    check(&[]).ends_with(0).says(" 0 findings");
    check(&["--mutate"]).ends_with(0).says("; 0 not noticed");
    // An operation that nobody answered fails, too.
    place.write("operations", "s3:PutBucketWebsite");
    check(&[]).ends_with(1).says("s3:PutBucketWebsite: no recorded answer");
}
