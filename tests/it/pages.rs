//! One describe page answers every wait of the process.

use orchestrate::engine::End;
use orchestrate::engine::journal::Rest;
use orchestrate::plan::{GivenInputs, compile};
use orchestrate::playbook::Source;
use orchestrate::steps::catalog;

use crate::world::{Disturb, World, virtually};

/// Snapshots of `groups` replication groups at the same time; gives the number of DescribeSnapshots calls.
async fn looks(groups: usize) -> usize {
    let mut text = String::from("playbook: v1\nname: several\nsteps:\n  - parallel:\n");
    for group in 0..groups {
        text += &format!(
            "      - id: s{group}\n        elasticache.create_snapshot: {{ replication_group: group-{group} }}\n"
        );
    }
    let plan = compile(&Source::new("several.yaml", text), &catalog(), &GivenInputs::default())
        .unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    let world = World::for_plan(plan).await;
    let done = world.run(&Disturb::default()).await;
    assert_eq!(done.end, End::Rest(Rest::Succeeded), "{}", done.story());
    world.sandbox.calls().iter().filter(|call| call.operation == "DescribeSnapshots").count()
}

#[test]
fn four_waits_ask_hardly_more_often_than_one() {
    let (one, four) = (virtually(looks(1)), virtually(looks(4)));
    // Each step also looks twice by name before it creates anything.
    assert!(four < one * 2 + 8, "one wait took {one} calls, four at once {four}");
}
