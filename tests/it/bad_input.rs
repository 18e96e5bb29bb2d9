//! Bad input ends in one clear message and the documented exit code, and changes nothing.

use std::os::unix::fs::PermissionsExt;

use crate::program::{Place, Said, Served};

/// A playbook with `steps` in place.
fn playbook(steps: &str) -> String {
    format!("playbook: v1\nname: bad\nsteps:\n{steps}")
}

const SNAPSHOT: &str =
    "  - id: snapshot\n    elasticache.create_snapshot: { replication_group: demo }\n";

#[track_caller]
fn refused(name: &str, content: impl AsRef<[u8]>, position: &str, words: &str) {
    let place = Place::new();
    place.write(name, content);
    let path = place.path(name);
    let path = path.to_str().expect("UTF-8");
    for command in [&["validate", path][..], &["run", "--yes", path], &["plan", path]] {
        let begun = std::time::Instant::now();
        let said = place.run(command);
        said.ends_with(3).says(words);
        if !position.is_empty() {
            said.says(&format!("{name}:{position}"));
        }
        assert!(!said.err.contains("panicked"), "{}", said.all());
        assert!(begun.elapsed().as_secs() < 5, "{name} took {:?}", begun.elapsed());
    }
    assert!(place.runs().is_empty(), "a run was begun");
}

/// Each bad file: its name and content, where it is wrong, and what is said of it.
fn bad() -> Vec<(&'static str, Vec<u8>, &'static str, &'static str)> {
    let unknown_key = playbook(&format!("{SNAPSHOT}    colour: red\n"));
    let wrong_type = playbook(
        "  - id: cluster\n    memorydb.create_cluster: { name: x, node_type: db.r7g.large, acl: app, shards: many }\n",
    );
    let unknown_kind = playbook("  - id: a\n    elasticache.create_snapshoot: {}\n");
    let later = playbook(
        "  - id: a\n    assert: { that: [{ value: \"${{ steps.b.name }}\", equals: x }] }\n  - id: b\n    elasticache.create_snapshot: { replication_group: demo }\n",
    );
    let missing = playbook(&format!(
        "{SNAPSHOT}  - id: b\n    elasticache.delete_snapshot: {{ snapshot: \"${{{{ steps.snapshot.nme }}}}\" }}\n"
    ));
    let bucket = playbook(
        "  - id: a\n    elasticache.export_snapshot: { snapshot: s, bucket: \"s3://demo/exports\" }\n",
    );
    let nobody =
        playbook("  - id: a\n    elasticache.create_snapshot: { replication_group: \"\" }\n");
    let function = playbook("  - id: a\n    approve: { message: \"${{ lowr(run.id) }}\" }\n");
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let list = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{list}]\n"));
    }
    vec![
        ("key.yaml", unknown_key.into(), "6:", "colour"),
        ("type.yaml", wrong_type.into(), "5:", "shards"),
        ("kind.yaml", unknown_kind.into(), "5:", "elasticache.create_snapshot"),
        ("later.yaml", later.into(), "5:", "b"),
        ("missing.yaml", missing.into(), "7:", "nme"),
        ("bucket.yaml", bucket.into(), "5:57", "is not the name of a bucket"),
        ("nobody.yaml", nobody.into(), "5:55", "`replication_group` is empty"),
        ("function.yaml", function.into(), "5:30", "did you mean `lower`?"),
        ("twice.yaml", playbook(&format!("{SNAPSHOT}{SNAPSHOT}")).into(), "6:", "snapshot"),
        ("tab.yaml", "playbook: v1\nname: bad\nsteps:\n\t- id: a\n".into(), "4:", "tab"),
        ("empty.yaml", Vec::new(), "", "empty"),
        ("latin.yaml", b"playbook: v1\nname: caf\xe9\n".to_vec(), "2:", "UTF-8"),
        ("cycle.yaml", "playbook: v1\nname: &a [*a]\nsteps: []\n".into(), "2:", "a"),
        ("bomb.yaml", bomb.into(), "", "alias"),
        ("huge.yaml", vec![b'a'; 50 * 1024 * 1024], "", "52428800 bytes"),
    ]
}

/// The same for tests that ask other things of them.
pub(crate) fn playbooks() -> Vec<(String, Vec<u8>)> {
    bad().into_iter().map(|(name, content, ..)| (name.to_owned(), content)).collect()
}

#[test]
fn bad_playbooks_are_refused_with_their_place_and_bombs_end_quickly() {
    for (name, content, position, words) in bad() {
        refused(name, content, position, words);
    }
}

#[test]
fn a_missing_file_and_a_folder_are_named() {
    let place = Place::new();
    place.run(&["validate", "nowhere.yaml"]).ends_with(3).says("nowhere.yaml");
    place.run(&["validate", "/"]).ends_with(3).says("directory");
}

fn runbook(place: &Place, guard: &str) -> String {
    let text = format!("playbook: v1\nname: small\n{guard}steps:\n{SNAPSHOT}");
    place.write("small.yaml", text).to_str().expect("UTF-8").to_owned()
}

#[test]
fn missing_credentials_and_an_unreachable_endpoint_are_refused() {
    let place = Place::new();
    let path = runbook(&place, "");
    let said: Said = place
        .command(&["run", "--yes", &path])
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .output()
        .expect("the program starts")
        .into();
    said.ends_with(5).says("credentials");
    let said: Said = place
        .command(&["run", "--yes", &path])
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "x")
        .env("AWS_SECRET_ACCESS_KEY", "x")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .output()
        .expect("the program starts")
        .into();
    said.ends_with(5).says("GetCallerIdentity").says("nothing was changed");
    place.run(&["run", "--yes", &path]).ends_with(5).says("region");
    assert!(place.runs().is_empty());
}

#[test]
fn the_guard_refuses_another_account_and_region() {
    let place = Place::new();
    let served = Served::start(&place, &["--no-servers", "playbooks/quickstart.yaml"]);
    let path = runbook(&place, "guard: { account: \"999999999999\" }\n");
    served
        .run(&place, &["run", "--yes", &path])
        .ends_with(5)
        .says("999999999999")
        .says("123456789012");
    assert_eq!(served.effects("CreateSnapshot"), 0);
    assert!(place.runs().is_empty());
}

#[test]
fn without_a_terminal_nothing_is_changed_unless_yes_is_given() {
    let place = Place::new();
    let served = Served::start(&place, &["--no-servers", "playbooks/quickstart.yaml"]);
    let path = runbook(&place, "");
    served.run(&place, &["run", &path]).ends_with(2).says("--yes");
    assert_eq!(served.effects("CreateSnapshot"), 0);
}

#[test]
fn damaged_journals_are_refused_and_torn_tails_are_not() {
    let place = Place::new();
    let said = place.run(&["run", "--sandbox", &runbook(&place, "")]);
    said.ends_with(0);
    let run = place.runs().pop().expect("a run");
    let journal = place.journal(&run);
    let whole = std::fs::read(&journal).expect("its journal");
    let mode = std::fs::metadata(&journal).expect("its mode").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the journal is private");

    std::fs::write(&journal, &whole[..whole.len() - 7]).expect("a torn tail");
    place.run(&["status", &run]).ends_with(0);
    let mut damaged = whole.clone();
    damaged[200] ^= 1;
    std::fs::write(&journal, &damaged).expect("a damaged middle");
    place.run(&["status", &run]).ends_with(74).says("line 1").says("checksum");
    place.run(&["resume", &run]).ends_with(74).says("line 1");
    place.run(&["runs"]).ends_with(0).says(&run);
    std::fs::write(&journal, "").expect("an empty journal");
    place.run(&["status", &run]).ends_with(74).says("empty");
    std::fs::remove_file(&journal).expect("no journal");
    place.run(&["status", &run]).ends_with(74).says("journal.jsonl");
}

#[test]
fn a_state_directory_that_cannot_be_written_stops_before_anything_is_changed() {
    let place = Place::new();
    let served = Served::start(&place, &["--no-servers", "playbooks/quickstart.yaml"]);
    // A file where a folder should be: refused for root too, unlike a folder without write permission.
    place.write("state", "in the way");
    let path = runbook(&place, "");
    served.run(&place, &["run", "--yes", &path]).ends_with(74).says("nothing was changed");
    assert_eq!(served.effects("CreateSnapshot"), 0);
}

/// The file size limit stands in for a full disk: the write fails in the same place. The limits are tried one after the
/// other until the whole journal fits, so that the disk is full at several records.
#[test]
fn a_full_disk_stops_the_run_before_its_next_change() {
    let mut stopped = 0;
    for kibibytes in 1..8 {
        let place = Place::new();
        let served = Served::start(
            &place,
            &["--no-servers", "--speed", "2000", "playbooks/quickstart.yaml"],
        );
        let path = runbook(&place, "");
        let script = format!(
            "trap '' XFSZ; ulimit -f {kibibytes}; exec {} run --yes {path}",
            crate::program::BINARY
        );
        let said: Said = std::process::Command::new("bash")
            .args(["-c", &script])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("ORCHESTRATE_STATE_DIR", place.state())
            .envs(served.environment.iter().cloned())
            .output()
            .expect("bash starts")
            .into();
        if said.code == Some(0) {
            break;
        }
        stopped += 1;
        said.ends_with(74).says("journal");
        let run = place.runs().pop().expect("the run was begun");
        // With room again, the same run goes on, or it had not begun and says so.
        let resumed = served.run(&place, &["resume", &run]);
        if resumed.code == Some(74) {
            resumed.says("before it began");
            assert_eq!(served.effects("CreateSnapshot"), 0, "{}", said.all());
        } else {
            resumed.ends_with(0);
            assert_eq!(served.effects("CreateSnapshot"), 1, "{}", said.all());
        }
    }
    assert!(stopped >= 2, "the disk was full only {stopped} times");
}

#[test]
fn a_second_process_on_one_run_is_refused() {
    let place = Place::new();
    let served =
        Served::start(&place, &["--no-servers", "--speed", "20", "playbooks/quickstart.yaml"]);
    let path = runbook(&place, "");
    let mut first = served
        .command(&place, &["run", "--yes", &path])
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("the first process");
    crate::program::eventually("the snapshot is begun", || served.effects("CreateSnapshot") == 1);
    let run = place.runs().pop().expect("a run");
    served.run(&place, &["resume", &run]).ends_with(6).says("another process");
    served.run(&place, &["rollback", "--yes", &run]).ends_with(6).says("another process");
    served.run(&place, &["status", &run]).ends_with(0).says("a process is working on it");
    first.kill().expect("it can be killed");
    first.wait().expect("it ends");
    served.run(&place, &["status", &run]).ends_with(0).says("orchestrate resume");
}

#[test]
fn an_edited_playbook_does_not_change_what_a_resumed_run_means() {
    let place = Place::new();
    let served =
        Served::start(&place, &["--no-servers", "--speed", "60", "playbooks/quickstart.yaml"]);
    let path = runbook(&place, "");
    let mut first = served
        .command(&place, &["run", "--yes", &path])
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("the first process");
    crate::program::eventually("the snapshot is begun", || served.effects("CreateSnapshot") == 1);
    first.kill().expect("it can be killed");
    first.wait().expect("it ends");
    let other = "playbook: v1\nname: other\nsteps:\n  - id: snapshot\n    elasticache.create_snapshot: { replication_group: nobody }\n";
    place.write("small.yaml", other);
    let run = place.runs().pop().expect("a run");
    served.run(&place, &["resume", &run]).ends_with(0).says("small succeeded");
    assert_eq!(served.effects("CreateSnapshot"), 1);
}

#[test]
fn the_next_command_finds_a_run_that_a_flag_put_elsewhere() {
    let place = Place::new();
    let served =
        Served::start(&place, &["--no-servers", "--speed", "2000", "playbooks/quickstart.yaml"]);
    let elsewhere = place.path("elsewhere");
    let elsewhere = elsewhere.to_str().expect("UTF-8");
    let path = runbook(&place, "");
    let said = served.run(&place, &["run", "--yes", "--state-dir", elsewhere, &path]);
    said.ends_with(0).says(&format!("--state-dir '{elsewhere}'"));
    assert!(place.runs().is_empty());
}

#[test]
fn unknown_runs_and_kinds_are_named() {
    let place = Place::new();
    place.run(&["status"]).ends_with(2).says("no runs");
    place.run(&["status", "zzz"]).ends_with(2).says("zzz");
    place.run(&["steps", "redis.compair"]).ends_with(2).says("redis.compare");
    place.run(&["fly"]).ends_with(2).says("fly");
}
