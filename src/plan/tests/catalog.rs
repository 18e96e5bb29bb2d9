//! A small catalog in the shape the real one has: schemas by schemars.

use std::collections::BTreeMap;

use schemars::{JsonSchema, schema_for};

use crate::plan::{Catalog, Effect, GivenInputs, KindInfo, Plan, UndoPolicy, check, compile};
use crate::playbook::{Diagnostics, Source};

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code)]
struct Snapshot {
    /// The replication group to copy.
    replication_group: String,
    /// Accepts the loss of later writes by repeating the replication group's name.
    accept_lost_writes: Option<String>,
}

#[derive(JsonSchema)]
#[allow(dead_code)]
struct SnapshotOut {
    name: String,
    shards: u32,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code)]
struct Export {
    snapshot: String,
    /// The bucket the export goes to.
    #[schemars(length(min = 3, max = 63))]
    bucket: String,
}

#[derive(JsonSchema)]
#[allow(dead_code)]
struct ExportOut {
    objects: Vec<String>,
    arn: String,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code)]
struct Cluster {
    name: String,
    node_type: String,
    #[schemars(range(min = 1, max = 500))]
    shards: Option<u16>,
    tls: Option<bool>,
    engine: Option<Engine>,
    restore_from: Option<Vec<String>>,
    tags: Option<BTreeMap<String, String>>,
    maintenance: Option<Window>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[allow(dead_code)]
enum Engine {
    /// Redis OSS.
    Redis,
    /// Valkey.
    Valkey,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code)]
struct Window {
    day: String,
    hour: u8,
}

#[derive(JsonSchema)]
#[allow(dead_code)]
struct ClusterOut {
    endpoint: Endpoint,
    arn: String,
}

#[derive(JsonSchema)]
#[allow(dead_code)]
struct Endpoint {
    host: String,
    port: u16,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code)]
struct Swap {
    to: Endpoint,
    #[schemars(length(min = 1))]
    targets: Vec<Target>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[allow(dead_code)]
enum Target {
    SsmParameter(String),
    Secret { id: String, field: Option<String> },
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code)]
struct Freeze {
    replication_group: String,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code)]
struct Approve {
    message: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code)]
struct Pause {
    #[serde(rename = "for")]
    #[schemars(extend("x-format" = "duration"))]
    duration: String,
}

#[derive(JsonSchema)]
#[allow(dead_code)]
struct Nothing {}

fn kind<Spec: JsonSchema, Out: JsonSchema>(name: &'static str, effect: Effect) -> KindInfo {
    KindInfo {
        name,
        summary: format!("What {name} does.").into(),
        docs: "".into(),
        spec_schema: schema_for!(Spec).to_value(),
        output_schema: schema_for!(Out).to_value(),
        effect,
        copies_data: false,
        stops_writes: false,
        resumes_writes: false,
        accepts_loss: None,
        check: |_| Vec::new(),
    }
}

pub(super) fn catalog() -> Catalog {
    let undo = Effect::Mutates(UndoPolicy::Undo);
    Catalog::new([
        KindInfo {
            copies_data: true,
            accepts_loss: Some("accept_lost_writes".into()),
            ..kind::<Snapshot, SnapshotOut>("elasticache.create_snapshot", undo.clone())
        },
        kind::<Export, ExportOut>("elasticache.export_snapshot", undo.clone()),
        KindInfo {
            stops_writes: true,
            ..kind::<Freeze, Nothing>("elasticache.freeze_writes", undo.clone())
        },
        kind::<Cluster, ClusterOut>("memorydb.create_cluster", undo),
        kind::<Swap, Nothing>("endpoint.swap", Effect::Mutates(UndoPolicy::Pivot)),
        kind::<Approve, Nothing>("approve", Effect::ReadOnly),
        kind::<Pause, Nothing>("pause", Effect::ReadOnly),
    ])
}

pub(super) const MIGRATION: &str = r#"
playbook: v1
name: move
guard: { account: "123456789012", region: us-east-1 }
inputs:
  source: { type: string, description: Replication group to move }
  bucket: { type: string, description: Bucket for the export, example: my-exports }
  shards: { type: integer, description: Shards of the target, default: 2 }
timeout: 6h
steps:
  - id: freeze
    elasticache.freeze_writes: { replication_group: "${{ inputs.source }}" }
  - id: snapshot
    elasticache.create_snapshot: { replication_group: "${{ inputs.source }}" }
  - id: export
    elasticache.export_snapshot:
      snapshot: "${{ steps.snapshot.name }}"
      bucket: "${{ inputs.bucket }}"
  - id: cluster
    timeout: 3h
    memorydb.create_cluster:
      name: "${{ inputs.source }}-${{ run.id }}"
      node_type: db.r7g.large
      shards: "${{ inputs.shards }}"
      engine: valkey
      restore_from: "${{ steps.export.objects }}"
  - id: ready
    approve:
  - id: switch
    accept_no_way_back: true
    endpoint.swap:
      to: "${{ steps.cluster.endpoint }}"
      targets: [{ ssm_parameter: /app/redis }, { secret: { id: app, field: host } }]
"#;

pub(super) fn given(arguments: &[&str]) -> GivenInputs {
    GivenInputs {
        arguments: arguments.iter().map(ToString::to_string).collect(),
        file: None,
        earlier: serde_json::Map::new(),
    }
}

pub(super) fn source(text: &str) -> Source {
    Source::new("playbook.yaml", text)
}

pub(super) fn problems(text: &str) -> Diagnostics {
    check(&source(text), &catalog()).1
}

/// The codes of all problems, in order.
pub(super) fn codes(text: &str) -> Vec<&'static str> {
    problems(text).items().iter().map(|item| item.code.as_str()).collect()
}

/// A playbook with these steps and nothing else to say.
pub(super) fn with_steps(steps: &str) -> String {
    format!("playbook: v1\nname: t\nsteps:\n{steps}")
}

#[track_caller]
pub(super) fn plan(text: &str, arguments: &[&str]) -> Plan {
    match compile(&source(text), &catalog(), &given(arguments)) {
        Ok(plan) => plan,
        Err(problems) => panic!("{problems}"),
    }
}

#[track_caller]
pub(super) fn refused(text: &str, arguments: &[&str]) -> String {
    match compile(&source(text), &catalog(), &given(arguments)) {
        Ok(plan) => panic!("compiled: {plan:?}"),
        Err(problems) => problems.render(false),
    }
}
