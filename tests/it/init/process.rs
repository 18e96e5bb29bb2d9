//! The command as a process.

use serde_json::{Value, json};

use crate::program::{Place, Served};

/// A sandbox with one sharded group that an SSM parameter names.
fn served(place: &Place) -> Served {
    let seed = json!({
        "users": [
            { "id": "shop-default", "name": "default", "access_string": "off -@all", "passwords": ["sandbox-password-of-no-value"] },
            { "id": "shop-app", "name": "app", "access_string": "on ~* +@all", "passwords": ["sandbox-password-of-no-value"] }
        ],
        "user_groups": [{ "id": "shop-users", "users": ["shop-default", "shop-app"] }],
        "replication_groups": [
            { "id": "shop", "shards": 2, "cluster_mode": true, "tls": true, "user_group": "shop-users" },
            { "id": "tiered", "node_type": "cache.r6gd.xlarge", "data_tiering": true }
        ],
        "parameters": [{ "name": "/shop/redis", "value": { "endpoint_of": "shop" } }]
    });
    let seed = place.write("seed.json", seed.to_string());
    Served::start(place, &["--no-servers", "--seed", seed.to_str().expect("UTF-8")])
}

#[test]
fn the_playbook_goes_to_standard_output_or_to_a_file_that_is_never_overwritten_unasked() {
    let place = Place::new();
    let served = served(&place);
    let said = served.run(&place, &["init", "--from", "SHOP"]);
    said.ends_with(0).says("playbook: v1").says("ssm_parameter: /shop/redis");
    let file = place.path("move.yaml");
    let path = file.to_str().expect("UTF-8");
    served.run(&place, &["init", "--from", "shop", "-o", path]).ends_with(0).says("written");
    let text = std::fs::read_to_string(&file).expect("the playbook");
    assert!(text.contains(&format!("orchestrate plan    {path}")), "{text}");
    place.run(&["validate", path]).ends_with(0);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(file.metadata().expect("it is there").permissions().mode() & 0o777, 0o600);
    }
    std::fs::write(&file, "edited").expect("it can be written");
    let said = served.run(&place, &["init", "--from", "shop", "-o", path]);
    said.ends_with(2).says("is there already").says("--force");
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), "edited");
    served.run(&place, &["init", "--from", "shop", "-o", path, "--force"]).ends_with(0);
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), text_without_time(&text, &file));
    let mutating = served.ask("calls");
    let mutating = mutating.as_array().expect("a list").iter().filter(|c| c["mutating"] == true);
    assert_eq!(mutating.count(), 0, "init changed something");
}

/// The text that the file has now, if it is the first one but for its date.
fn text_without_time(first: &str, file: &std::path::Path) -> String {
    let now = std::fs::read_to_string(file).expect("the file");
    let undated = |text: &str| {
        let (_, after) = text.split_once("# THE SOURCE").expect("the date stands before it");
        after.to_owned()
    };
    assert_eq!(undated(first), undated(&now));
    now
}

#[test]
fn the_written_playbook_runs_nowhere_else_and_says_what_is_missing_here() {
    let place = Place::new();
    let served = served(&place);
    let file = place.path("move.yaml");
    let path = file.to_str().expect("UTF-8");
    let arguments = ["init", "--from", "shop", "--bucket", "acme-move", "-o", path];
    served.run(&place, &arguments).ends_with(0);
    // The bucket and the ACL are not there, and it says so.
    served.run(&place, &["plan", path]).ends_with(5).says("acme-move");
    // In a sandbox that is made for it, nothing stands against it.
    let said = place.run(&[
        "plan",
        "--sandbox",
        path,
        "--input",
        "parameter_group=default.memorydb-redis7",
    ]);
    assert!(matches!(said.code, Some(0 | 8)), "{}", said.all());
    let text = std::fs::read_to_string(&file).expect("the playbook");
    std::fs::write(&file, text.replace("\"123456789012\"", "\"210987654321\""))
        .expect("it is ours");
    served.run(&place, &["plan", path]).ends_with(5).says("210987654321");
}

#[test]
fn json_has_what_was_found_and_what_was_written() {
    let place = Place::new();
    let served = served(&place);
    let said = served.run(&place, &["init", "--json", "--from", "shop"]);
    said.ends_with(0);
    let line: Value = serde_json::from_str(said.out.trim()).expect("one line of JSON");
    let written = &line["data"]["written"];
    assert_eq!(line["event"], "init");
    assert_eq!(written["choice"]["shards"]["value"], 2);
    assert_eq!(written["users"]["mapped"][0]["name"], "app");
    assert_eq!(written["targets"]["switched"][0]["name"], "/shop/redis");
    assert!(written["playbook"].as_str().is_some_and(|text| text.contains("playbook: v1")));
}

#[test]
fn wrong_names_and_wrong_command_lines_are_told_apart() {
    let place = Place::new();
    let served = served(&place);
    served.run(&place, &["init", "--from", "shpo"]).ends_with(5).says("did you mean shop?");
    served.run(&place, &["init", "--from", "tiered"]).ends_with(5).says("data tiering");
    served.run(&place, &["init"]).ends_with(2);
    served.run(&place, &["init", "--from", "a", "--from-serverless", "b"]).ends_with(2);
    served.run(&place, &["init", "--from", "shop", "--reader", "x"]).ends_with(2);
    let said = served.run(
        &place,
        &[
            "init",
            "--from",
            "shop",
            "--reader",
            "x",
            "--source-password",
            "hunter2",
            "--target-password",
            "ssm:/x",
        ],
    );
    said.ends_with(2).says("--source-password");
    assert!(!said.all().contains("hunter2"), "{}", said.all());
    served.run(&place, &["init", "--from", "shop", "--name", "9"]).ends_with(5).says("--name");
    place
        .command(&["init", "--from", "shop"])
        .env("AWS_REGION", "us-east-1")
        .output()
        .map(crate::program::Said::from)
        .expect("it starts")
        .ends_with(5)
        .says("credentials");
}

/// The commands in the head of a playbook, as a person would paste them.
fn commands(playbook: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    for line in playbook.lines() {
        if let Some(first) = line.strip_prefix("#   aws ") {
            commands.push(format!("aws {first}\n"));
        } else if let Some(more) = line.strip_prefix("#     ")
            && let Some(command) = commands.last_mut().filter(|command| command.ends_with("\\\n"))
        {
            *command += &format!("{more}\n");
        }
    }
    commands
}

#[test]
fn the_commands_in_its_head_make_what_the_plan_asks_for() {
    let place = Place::new();
    let seed = json!({
        "users": [
            { "id": "shop-default", "name": "default", "access_string": "off -@all", "passwords": ["sandbox-password-of-no-value"] },
            { "id": "shop-app", "name": "app", "access_string": "on ~* +@all", "passwords": ["sandbox-password-of-no-value"] }
        ],
        "user_groups": [{ "id": "shop-users", "users": ["shop-default", "shop-app"] }],
        "replication_groups": [{
            "id": "shop", "shards": 2, "cluster_mode": true, "tls": true, "user_group": "shop-users",
            "parameters": { "maxmemory-policy": "allkeys-lru", "timeout": "300" }
        }],
        "buckets": [{ "name": "acme-move", "ready_for_exports": true }],
        "parameters": [{ "name": "/shop/redis", "value": { "endpoint_of": "shop" } }]
    });
    let seed = place.write("seed.json", seed.to_string());
    let seed = seed.to_str().expect("UTF-8");
    let served = Served::start(&place, &["--speed", "100000", "--seed", seed]);
    let file = place.path("move.yaml");
    let path = file.to_str().expect("UTF-8");
    let arguments = ["init", "--from", "shop", "--bucket", "acme-move", "-o", path];
    served.run(&place, &arguments).ends_with(0);
    served.run(&place, &["plan", path]).ends_with(5).says("there is no MemoryDB parameter group");
    let playbook = std::fs::read_to_string(&file).expect("the playbook");
    let commands = commands(&playbook);
    assert_eq!(commands.len(), 4, "{commands:#?}");
    for command in commands {
        assert!(command.contains("--region us-east-1"), "{command}");
        shell(&served, &command).ends_with(0);
    }
    let said = served.run(&place, &["plan", path]);
    assert!(matches!(said.code, Some(0 | 8)), "{}", said.all());
    said.says("\"shop-mdb\" means the same as the source's");
}

/// A command line, with the venv's programs and the sandbox's environment.
fn shell(served: &Served, command: &str) -> crate::program::Said {
    let bin = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    std::process::Command::new("sh")
        .args(["-c", command])
        .env_clear()
        .env("PATH", path)
        .env("AWS_PAGER", "")
        .env("APP_PASSWORD", "sandbox-password-of-no-value")
        .envs(served.environment.iter().cloned())
        .output()
        .expect("a shell")
        .into()
}
