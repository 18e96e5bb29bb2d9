//! Files that MemoryDB could not restore: `rdb.check` stops before there is a cluster, and without it the restore fails as
//! it would at AWS.

use std::time::Duration;

use orchestrate::engine::End;
use orchestrate::engine::journal::Rest;
use orchestrate::report::{Place, Style, render_summary};
use orchestrate_sandbox::Seed;

use crate::world::{Disturb, Done, World, virtually, written};

const KEY: &str = "prod-0001.rdb";

const CHECKED: &str = "\
playbook: v1
name: checked
steps:
  - id: check
    rdb.check:
      objects: [\"arn:aws:s3:::demo-migration/prod-0001.rdb\"]
      engine: valkey
      engine_version: \"7.3\"
  - id: cluster
    memorydb.create_cluster:
      name: restored
      node_type: db.r7g.large
      acl: demo-acl
      engine: valkey
      engine_version: \"7.3\"
      restore_from: [\"arn:aws:s3:::demo-migration/prod-0001.rdb\"]
";

/// Parts between head and end; the checksum switched off.
fn file(head: &str, parts: &[&[u8]]) -> Vec<u8> {
    [head.as_bytes(), &parts.concat(), &[255], &[0; 8]].concat()
}

/// A string of one key in a database.
fn key(database: u8, name: u8) -> Vec<u8> {
    vec![254, database, 0, 1, name, 5, b'v', b'a', b'l', b'u', b'e']
}

/// What a file is, the file, what the check says of it, and what the restore does.
fn files() -> Vec<(&'static str, Vec<u8>, &'static str, &'static str)> {
    let mut corrupt = file("REDIS0010", &[&key(0, b'a')]);
    let last = corrupt.len() - 1;
    corrupt[last] = 7;
    // A value of "MBbloom--", version 4, without parts.
    let bloom = [254, 0, 7, 1, b'b', 0x81, 0x30, 0x16, 0xe5, 0xa2, 0x89, 0xbe, 0xf8, 0x04, 0];
    vec![
        (
            "two databases",
            file("REDIS0010", &[&key(0, b'a'), &key(3, b'b')]),
            "databases besides 0",
            "keys in more than one database",
        ),
        ("another database", file("REDIS0010", &[&key(1, b'a')]), "besides 0", "only database 0"),
        (
            "a module's values",
            file("REDIS0010", &[&bloom]),
            "modules that MemoryDB does not have",
            "no matching module type",
        ),
        ("a wrong checksum", corrupt, "checksum", "Wrong RDB checksum"),
        ("a cut", file("REDIS0010", &[&key(0, b'a')])[..18].to_vec(), "cut off", "Short read"),
        ("a format to come", file("VALKEY080", &[]), "Valkey 9", "VALKEY"),
    ]
}

/// The quickstart's account with a file in its bucket.
async fn world(bytes: Vec<u8>) -> World {
    let mut world = World::changed(|_: &mut Seed| {}).await;
    let request = world.aws.s3.put_object().bucket("demo-migration").key(KEY);
    request.body(bytes.into()).send().await.expect("the bucket takes it");
    world.plan = written(CHECKED);
    world
}

fn creations(world: &World) -> usize {
    world.changes().iter().filter(|call| call.operation == "CreateCluster").count()
}

fn summary(done: &Done) -> String {
    let place = Place { journal: "run.jsonl".to_owned(), flags: String::new() };
    render_summary(&done.state(), &place, false, Style::default())
}

#[test]
fn a_file_that_could_not_be_restored_stops_before_there_is_a_cluster() {
    for (what, bytes, says, _) in files() {
        virtually(async {
            let world = world(bytes).await;
            let done = world.run(&Disturb::default()).await;
            assert_eq!(done.end, End::Rest(Rest::RolledBack), "{what}: {}", done.story());
            let said = summary(&done);
            assert!(said.contains(says) && said.contains("failed   check"), "{what}:\n{said}");
            assert_eq!(creations(&world), 0, "{what}");
        });
    }
}

#[test]
fn without_the_check_the_restore_of_such_a_file_fails() {
    for (what, bytes, _, reason) in files() {
        virtually(async {
            let world = world(bytes).await;
            let memorydb = &world.aws.memorydb;
            let create =
                memorydb.create_cluster().cluster_name("restored").node_type("db.r7g.large");
            let create = create.acl_name("demo-acl").engine("valkey").engine_version("7.3");
            let create = create.snapshot_arns(format!("arn:aws:s3:::demo-migration/{KEY}"));
            create.send().await.expect("the request itself is fine");
            world.clock.sleep(Duration::from_secs(4 * 3600)).await;
            let found = memorydb.describe_clusters().cluster_name("restored").send().await;
            let found = found.expect("it is there");
            assert_eq!(found.clusters()[0].status(), Some("restore-failed"), "{what}");
            let events =
                memorydb.describe_events().source_name("restored").duration(300).send().await;
            let events = format!("{:?}", events.expect("events").events());
            assert!(events.contains(reason), "{what}: {events}");
        });
    }
}

#[test]
fn a_file_that_can_be_restored_passes() {
    virtually(async {
        let world = world(file("REDIS0010", &[&key(0, b'a')])).await;
        let done = world.run(&Disturb::default()).await;
        assert_eq!(done.end, End::Rest(Rest::Succeeded), "{}", done.story());
        assert_eq!(creations(&world), 1);
    });
}
