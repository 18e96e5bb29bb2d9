//! boto3 and the aws CLI speak to the sandbox, for every operation that it offers; so does moto's server, for comparison.

use std::collections::BTreeSet;
use std::process::Command;

use super::{offered, served, venv};
use crate::program::{Place, Said, Served};
use crate::world::{Disturb, SHIPPED, World, virtually};

/// A program of the Python environment, pointed at the sandbox.
pub(crate) fn stranger(served: &Served, program: &str, arguments: &[&str]) -> Said {
    Command::new(venv(program))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_PAGER", "")
        .envs(served.environment.iter().cloned())
        .output()
        .expect("the program starts")
        .into()
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
fn the_list_of_offered_operations_has_all_that_the_playbooks_use() {
    let missing: Vec<String> = used().difference(&offered()).cloned().collect();
    assert!(missing.is_empty(), "{missing:?} are used and not found in the sandbox's sources");
}

#[test]
fn boto3_drives_every_operation_of_the_sandbox() {
    let place = Place::new();
    let served = served(&place, &[]);
    for script in ["tests/foreign/all_boto3.py", "tests/foreign/drive_boto3.py"] {
        stranger(&served, "python", &[script]).ends_with(0).says("every answer was parsed");
    }
    let missing: Vec<String> = offered().difference(&driven(&served)).cloned().collect();
    assert!(
        missing.is_empty(),
        "boto3 did not drive {missing:?}: add them to tests/foreign/scenario.py"
    );
}

#[test]
fn the_aws_cli_drives_every_operation_of_the_sandbox() {
    let place = Place::new();
    let served = served(&place, &[]);
    stranger(&served, "python", &["tests/foreign/all_cli.py"])
        .ends_with(0)
        .says("every answer was parsed");
    let cli = venv("aws");
    stranger(&served, "python", &["tests/foreign/drive_cli.py", cli.to_str().expect("UTF-8")])
        .ends_with(0)
        .says("every answer was parsed");
    let missing: Vec<String> = offered().difference(&driven(&served)).cloned().collect();
    assert!(
        missing.is_empty(),
        "the aws CLI did not drive {missing:?}: add them to tests/foreign/scenario.py"
    );
}

#[test]
fn moto_answers_as_the_sandbox_does_but_where_it_is_explained() {
    let place = Place::new();
    let served = Served::start(&place, &["--no-servers", "--speed", "3000"]);
    stranger(&served, "python", &["tests/foreign/compare_moto.py", &served.endpoint])
        .ends_with(0)
        .says(" 0 of them not explained");
}
