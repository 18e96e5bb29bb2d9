//! Software nobody here wrote: boto3, the aws CLI, botocore's service models, moto, LocalStack, servers of several versions.
//! docs/conformance.md says what is held against what.

mod conformance;
mod drivers;
mod localstack;
mod versions;

pub(crate) use drivers::stranger;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::program::{Place, Served};
use crate::world::playbook_path;

fn venv(program: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin").join(program);
    assert!(path.exists(), "tests/run installs {}; run that", path.display());
    path
}

/// A sandbox with what the quickstart needs, a serverless cache and a key.
fn served(place: &Place, more: &[&str]) -> Served {
    let quickstart = std::fs::read_to_string(playbook_path("quickstart")).expect("the quickstart");
    let steps = "  - id: elastic
    elasticache.freeze_writes:
      serverless_cache: elastic
  - id: encrypted
    memorydb.create_cluster:
      name: encrypted
      node_type: db.r7g.large
      acl: demo-acl
      kms_key: alias/story-key
  - id: tell
    notify.sns:
      topic: arn:aws:sns:us-east-1:123456789012:story
      text: told
";
    let (before, outputs) = quickstart.split_once("\noutputs:").expect("it has outputs");
    let playbook = place.write("foreign.yaml", format!("{before}\n{steps}\noutputs:{outputs}"));
    let playbook = playbook.to_str().expect("UTF-8");
    let mut arguments = vec!["--no-servers", "--speed", "3000"];
    arguments.extend_from_slice(more);
    arguments.push(playbook);
    Served::start(place, &arguments)
}

/// Every operation that the sandbox offers, as `service:Operation` by signing name: read off the dispatch in its sources.
fn offered() -> BTreeSet<String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("sandbox/src");
    let read = |file: &str| std::fs::read_to_string(sources.join(file)).expect("a source");
    let mut offered = BTreeSet::new();
    for (service, file) in [
        ("elasticache", "elasticache/call.rs"),
        ("memorydb", "memorydb/call.rs"),
        ("ssm", "ssm/call.rs"),
        ("secretsmanager", "secretsmanager/call.rs"),
        ("route53", "route53/call.rs"),
        ("sts", "sts/call.rs"),
        ("sns", "sns/call.rs"),
        ("iam", "iam/call.rs"),
        ("kms", "kms/call.rs"),
        ("servicequotas", "servicequotas/call.rs"),
        ("monitoring", "cloudwatch/call.rs"),
    ] {
        let source = read(file);
        let before = offered.len();
        offered.extend(source.lines().filter_map(|line| {
            let (operation, _) = line.trim().strip_prefix('"')?.split_once("\" =>")?;
            Some(format!("{service}:{operation}"))
        }));
        assert!(offered.len() > before, "{file} names no operation");
    }
    let s3 = read("s3/service.rs");
    let before = offered.len();
    offered.extend(s3.lines().filter_map(|line| {
        let (name, _) = line.strip_prefix("    ")?.split_once("(")?;
        let of = line.contains("Input) ->").then_some(name)?;
        Some(format!("s3:{}", of.split('_').map(capital).collect::<String>()))
    }));
    assert!(offered.len() > before + 20, "s3/service.rs names no operation");
    offered
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
