//! Software nobody here wrote speaks to the sandbox: boto3 and the aws CLI, for every operation that the shipped
//! playbooks use.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use crate::program::{Place, Said, Served};
use crate::world::{Disturb, SHIPPED, World, playbook_path, virtually};

fn venv(program: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin").join(program);
    assert!(path.exists(), "tests/run installs {}; run that", path.display());
    path
}

/// A program of the Python environment, pointed at the sandbox.
pub(crate) fn stranger(served: &Served, program: &str, arguments: &[&str]) -> Said {
    Command::new(venv(program))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_PAGER", "")
        .envs(served.environment.iter().cloned())
        .output()
        .expect("the program starts")
        .into()
}

/// A sandbox with what the quickstart needs, and a serverless cache.
fn served(place: &Place) -> Served {
    let quickstart = std::fs::read_to_string(playbook_path("quickstart")).expect("the quickstart");
    let more = "  - id: elastic\n    elasticache.freeze_writes:\n      serverless_cache: elastic\n";
    let (steps, outputs) = quickstart.split_once("\noutputs:").expect("it has outputs");
    let playbook = place.write("foreign.yaml", format!("{steps}\n{more}\noutputs:{outputs}"));
    let playbook = playbook.to_str().expect("UTF-8");
    Served::start(place, &["--no-servers", "--speed", "3000", playbook])
}

/// Every operation that the shipped playbooks use, as `service:Operation`.
fn used() -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for name in SHIPPED {
        virtually(async {
            let world = World::before(name).await;
            world.run(&Disturb::default()).await;
            used.extend(
                world.sandbox.calls().iter().map(|c| format!("{}:{}", c.service, c.operation)),
            );
        });
    }
    used
}

fn driven(served: &Served) -> BTreeSet<String> {
    let calls = served.ask("calls");
    let calls = calls.as_array().expect("a list of calls");
    let text = |v: &serde_json::Value| v.as_str().expect("text").to_owned();
    calls
        .iter()
        .filter(|call| call["outcome"] == "ok")
        .map(|call| format!("{}:{}", text(&call["service"]), text(&call["operation"])))
        .collect()
}

#[test]
fn boto3_drives_every_operation_that_the_playbooks_use() {
    let place = Place::new();
    let served = served(&place);
    let said = stranger(&served, "python", &["tests/foreign/drive_boto3.py"]);
    said.ends_with(0).says("every answer was parsed");
    let missing: Vec<String> = used().difference(&driven(&served)).cloned().collect();
    assert!(
        missing.is_empty(),
        "boto3 did not drive {missing:?}: add them to tests/foreign/drive_boto3.py"
    );
}

#[test]
fn the_aws_cli_drives_every_operation_that_the_playbooks_use() {
    let place = Place::new();
    let served = served(&place);
    let said = stranger(
        &served,
        "python",
        &["tests/foreign/drive_cli.py", venv("aws").to_str().expect("UTF-8")],
    );
    said.ends_with(0).says("every answer was parsed");
    let missing: Vec<String> = used().difference(&driven(&served)).cloned().collect();
    assert!(
        missing.is_empty(),
        "the aws CLI did not drive {missing:?}: add them to tests/foreign/drive_cli.py"
    );
}
