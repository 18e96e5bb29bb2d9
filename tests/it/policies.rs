//! `orchestrate iam` as a person types it, and a sandbox that holds people to what it prints.

use orchestrate::engine::journal::Rest;
use orchestrate::engine::{End, Inject};
use serde_json::{Map, Value, json};

use crate::harness::run;
use crate::program::{Place, Said, Served};
use crate::world::{World, compiled, virtually};

const QUICKSTART: &str = "playbooks/quickstart.yaml";
const HERE: [&str; 4] = ["--account", "123456789012", "--region", "us-east-1"];

fn iam(place: &Place, more: &[&str]) -> Said {
    place.run(&[&["iam", QUICKSTART], more].concat())
}

fn document(said: &Said) -> Value {
    serde_json::from_str(&said.ends_with(0).out).expect("one JSON document on standard output")
}

#[test]
fn it_prints_a_policy_and_says_on_the_side_what_it_could_not_confine() {
    let place = Place::new();
    let known = iam(&place, &HERE);
    assert_eq!(known.err, "");
    let text = document(&known).to_string();
    assert!(text.contains("arn:aws:memorydb:us-east-1:123456789012:cluster/demo-mdb"), "{text}");
    let anywhere = iam(&place, &[]);
    anywhere.says("warning: the policy is for any account and region");
    assert!(document(&anywhere).to_string().contains("arn:aws:memorydb:*:*:cluster/demo-mdb"));
    let china = iam(&place, &["--region", "cn-north-1"]);
    assert!(document(&china).to_string().contains("arn:aws-cn:s3:::demo-migration"));
}

#[test]
fn inputs_that_are_missing_are_told_as_by_plan() {
    let place = Place::new();
    let playbook = "playbooks/elasticache-to-memorydb.yaml";
    let (iam, plan) = (place.run(&["iam", playbook]), place.run(&["plan", playbook]));
    assert_eq!((iam.code, iam.err), (plan.code, plan.err));
    assert_eq!(iam.out, "");
}

#[test]
fn a_principal_confines_the_simulator_and_a_key_is_granted_through_the_services() {
    let role = "arn:aws:iam::123456789012:role/ops";
    let key = "arn:aws:kms:us-east-1:123456789012:key/1234";
    let flags = ["--principal", role, "--kms-key", key];
    let policy = document(&iam(&Place::new(), &[&HERE[..], &flags].concat()));
    let statements = policy["Statement"].as_array().expect("statements");
    let of = |sid: &str| statements.iter().find(|s| s["Sid"] == sid).expect(sid);
    assert_eq!(of("AskThePolicySimulator")["Resource"], json!([role]));
    let keys = of("UseTheKeysOfParametersAndSecrets");
    assert_eq!(keys["Resource"], json!([key]));
    assert_eq!(
        keys["Condition"]["StringLike"]["kms:ViaService"],
        json!(["ssm.us-east-1.amazonaws.com", "secretsmanager.us-east-1.amazonaws.com"])
    );
}

#[test]
fn what_names_nothing_is_refused_before_a_policy_is_printed() {
    let place = Place::new();
    for (flag, value) in [
        ("--account", "12345"),
        ("--account", "12345678901x"),
        ("--region", "us east"),
        ("--region", "everywhere"),
        ("--principal", "ops"),
        ("--principal", "arn:aws:sts::123456789012:assumed-role/ops/me"),
        ("--principal", "arn:aws:iam::123456789012:role/*"),
        ("--kms-key", "alias/app"),
        ("--kms-key", "arn:aws:kms:us-east-1:123456789012:alias/app"),
    ] {
        let said = iam(&place, &[flag, value]);
        said.ends_with(2).says(flag);
        assert_eq!(said.out, "", "{flag} {value}");
    }
}

#[test]
fn a_file_is_not_written_over_unasked() {
    let place = Place::new();
    let file = place.write("policy.json", "mine");
    let path = file.to_str().expect("UTF-8");
    iam(&place, &["-o", path]).ends_with(2).says("is there already").says("--force");
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), "mine");
    iam(&place, &["-o", path, "--force"]).ends_with(0);
    assert!(std::fs::read_to_string(&file).expect("the file").contains("Statement"));
}

#[test]
fn a_kept_plan_knows_its_account_and_region() {
    let place = Place::new();
    let served = crate::program::Served::start(&place, &["--no-servers", QUICKSTART]);
    let kept = place.path("plan.json");
    let kept = kept.to_str().expect("UTF-8");
    served.run(&place, &["plan", QUICKSTART, "--out", kept]);
    let said = place.run(&["iam", kept]);
    said.ends_with(0);
    assert_eq!(said.err, "", "both are known");
    assert_eq!(said.out, iam(&place, &HERE).out);
}

/// What a `aws_iam_policy_document` says, read by python-hcl2.
const READ_TERRAFORM: &str = r#"
import hcl2, json, sys
def plain(value):
    if isinstance(value, dict):
        return {plain(k): plain(v) for k, v in value.items() if k != "__is_block__"}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        return json.loads(value).replace("$${", "${")
    return value
read = plain(hcl2.load(sys.stdin))
documents = [label for data in read["data"] for label in data["aws_iam_policy_document"].values()]
def statement(found):
    out = {"Sid": found["sid"], "Effect": "Allow", "Action": found["actions"], "Resource": found["resources"]}
    for who in found.get("principals", []):
        out["Principal"] = {who["type"]: who["identifiers"][0]}
    for condition in found.get("condition", []):
        out.setdefault("Condition", {}).setdefault(condition["test"], {})[condition["variable"]] = condition["values"]
    return out
resources = sorted(kind for resource in read["resource"] for kind in resource)
print(json.dumps({"resources": resources, "documents": [
    {"Version": "2012-10-17", "Statement": [statement(s) for s in document["statement"]]} for document in documents
]}))
"#;

fn read_terraform(text: &str) -> Value {
    let python = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/python");
    assert!(python.exists(), "tests/run installs what this test needs; run that");
    let place = Place::new();
    let file = place.write("policy.tf", text);
    let said: Said = std::process::Command::new(python)
        .args(["-c", READ_TERRAFORM])
        .stdin(std::fs::File::open(file).expect("the file is there"))
        .output()
        .expect("python starts")
        .into();
    serde_json::from_str(&said.ends_with(0).out).expect("JSON")
}

#[test]
fn every_format_holds_the_same_document() {
    let place = Place::new();
    for (flags, kind, template) in [
        (&HERE[..], "aws_iam_policy", "OrchestratePolicy"),
        (
            &[&HERE[..], &["--bucket-policy"]].concat(),
            "aws_s3_bucket_policy",
            "HandOffBucketPolicy",
        ),
    ] {
        let said = |format: &str| iam(&place, &[flags, &["--format", format]].concat());
        let wanted = document(&said("json"));
        let terraform = read_terraform(&said("terraform").ends_with(0).out);
        assert_eq!(terraform, json!({ "resources": [kind], "documents": [wanted] }));
        let found = document(&said("cloudformation"));
        assert_eq!(found["AWSTemplateFormatVersion"], "2010-09-09");
        assert_eq!(found["Resources"][template]["Properties"]["PolicyDocument"], wanted);
    }
}

/// The printed policy is all that a bare bucket lacks.
#[test]
fn the_bucket_policy_opens_the_bucket_to_both_services() {
    let place = Place::new();
    let said = iam(&place, &[&HERE[..], &["--bucket-policy"]].concat());
    said.says("this replaces the bucket's policy");
    let policy = document(&said).to_string();
    virtually(async {
        let plan = || compiled("quickstart", Map::new());
        let bare = |seed: &mut orchestrate_sandbox::Seed| {
            seed.buckets.iter_mut().for_each(|bucket| bucket.ready_for_exports = false);
        };
        let world = World::seeded(plan(), bare).await;
        let refused = run(&world, Inject::default(), None).await;
        assert_eq!(refused.end, End::Rest(Rest::RolledBack), "{}", refused.story());

        let world = World::seeded(plan(), bare).await;
        let put = world.aws.s3.put_bucket_policy().bucket("demo-migration").policy(policy);
        put.send().await.expect("S3 takes it");
        let done = run(&world, Inject::default(), None).await;
        assert_eq!(done.end, End::Rest(Rest::Succeeded), "{}", done.story());
    });
}

#[test]
fn a_bucket_policy_needs_a_region_and_a_bucket() {
    let place = Place::new();
    iam(&place, &["--bucket-policy"]).ends_with(2).says("the region is not known");
    let text = "playbook: v1\nname: small\nguard: { region: us-east-1 }\nsteps:\n  - id: wait\n    pause: { for: 1s }\n";
    let playbook = place.write("small.yaml", text);
    let playbook = playbook.to_str().expect("UTF-8");
    let said = place.run(&["iam", playbook, "--bucket-policy"]);
    said.ends_with(2).says("lets no service into a bucket");
}

#[test]
fn a_sandbox_on_loopback_holds_everybody_to_the_policy() {
    let place = Place::new();
    let file = place.path("policy.json");
    let file = file.to_str().expect("UTF-8");
    let written = iam(&place, &[&HERE[..], &["--output", file]].concat());
    assert_eq!(written.ends_with(0).out, "");
    let flags = ["--no-servers", "--speed", "600", QUICKSTART, "--policy"];
    let served = Served::start(&place, &[&flags[..], &[file]].concat());
    let fine = served.run(&place, &["plan", QUICKSTART]);
    assert!(!fine.all().contains("not authorized"), "{}", fine.all());
    drop(served);

    let text = std::fs::read_to_string(file).expect("it was written");
    let narrowed =
        place.write("narrow.json", text.replace("memorydb:DescribeACLs", "memorydb:None"));
    let narrowed = narrowed.to_str().expect("UTF-8");
    let served = Served::start(&place, &[&flags[..], &[narrowed]].concat());
    let said = served.run(&place, &["plan", QUICKSTART]);
    said.says("is not authorized to perform: memorydb:DescribeACLs on resource");
    drop(served);

    let broken = place.write("broken.json", "{}");
    let said = place.run(&["sandbox", "--policy", broken.to_str().expect("UTF-8")]);
    said.ends_with(2).says("there is no Statement");
}

#[test]
fn where_runs_are_kept_and_the_stop_lever_are_in_the_policy() {
    let place = Place::new();
    let iam = ["iam", "playbooks/quickstart.yaml", "--account", "123456789012", "--region"];
    let said = place.run(&[&iam[..], &["us-east-1", "--state", "s3://acme-state/team"]].concat());
    said.ends_with(0);
    let policy: Value = serde_json::from_str(&said.out).expect("JSON");
    let statements = policy["Statement"].as_array().expect("statements");
    let of = |sid: &str| statements.iter().find(|s| s["Sid"] == sid).expect(sid);
    assert_eq!(
        of("ReadTheStopLever")["Resource"],
        json!(["arn:aws:ssm:us-east-1:123456789012:parameter/orchestrate/stop"])
    );
    assert_eq!(of("KeepRuns")["Action"], json!(["s3:GetObject", "s3:PutObject"]));
    assert_eq!(of("KeepRuns")["Resource"], json!(["arn:aws:s3:::acme-state/team/*"]));
    assert_eq!(of("ListRuns")["Condition"]["StringLike"]["s3:prefix"], json!(["team/*"]));
    let said = place.run(&[&iam[..], &["us-east-1"]].concat());
    assert!(!said.ends_with(0).out.contains("KeepRuns"), "{}", said.all());
}
