//! `s3.newest_export`: which export of a cluster is the newest that counts.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::engine::journal::Resource;
use crate::engine::{Class, Cx, Failure, Finding};
use crate::permissions::{Foreseen, Phases};
use crate::plan::{Effect, Fault};
use crate::playbook::parse_duration;
use crate::steps::exports::latest::Output;
use crate::steps::exports::manifest::{self, Service};
use crate::steps::{Action, Done, Env, Need, Sketch, Step, action, creation};

/// Finds the newest export of a cluster in a bucket, by its manifest: one whose every file is there as it was recorded.
///
/// With exports of two services under one name, as after a migration, `service` says whose is meant; without it the step
/// fails rather than guess. It only reads. An export without a manifest is none, and one of whose files is missing or changed is passed over, with
/// a warning. With `max_age` the step fails if the data of the newest is older, and a plan says so before the run begins:
/// that is how a schedule that stands still is noticed.
///
/// ```yaml
/// - id: newest
///   s3.newest_export: { bucket: acme-exports, cluster: prod, max_age: 2d }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The bucket.
    bucket: String,
    /// The replication group, serverless cache or cluster that was exported.
    cluster: String,
    /// Whose it is: `elasticache`, `elasticache_serverless` or `memorydb`.
    #[serde(default)]
    service: Option<Service>,
    /// How old its data may be, such as `2d`.
    #[serde(default)]
    #[schemars(extend("x-format" = "duration"))]
    max_age: Option<String>,
}

/// Whole exports among which the newest data is looked for: a later run may have exported an older snapshot.
const AMONG: usize = 20;

/// `s3.newest_export`.
pub(crate) struct NewestExport;

impl Step for NewestExport {
    const KIND: &'static str = "s3.newest_export";
    const SUMMARY: &'static str = "find the newest verified export of a cluster";
    const ACTIONS: &'static [Action] = &[
        action("s3:ListBucket", "{bucket}", Phases::PLAN_RUN),
        action("s3:GetObject", "{bucket}/{cluster:lower}-*", Phases::PLAN_RUN),
    ];
    const OUTPUTS: &'static [Foreseen] = &[
        ("objects", "{bucket}/{cluster:lower}-*.rdb"),
        ("manifest", "s3://{bucket}/{cluster:lower}-*"),
        ("bucket", "{bucket}"),
        ("cluster", "{cluster:lower}"),
    ];
    const EFFECT: Effect = Effect::ReadOnly;
    const TIMEOUT: Duration = Duration::from_secs(30 * 60);
    const EXPECTED: Duration = Duration::from_secs(2);

    type Spec = Spec;
    type Prepared = ();
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let mut faults: Vec<Fault> = super::bucket_fault(args).into_iter().collect();
        faults.extend(creation::empty_fault(args, "cluster"));
        if let Some(text) = args["max_age"].as_str()
            && let Err(why) = parse_duration(text)
        {
            faults.push(Fault::new(format!("`{text}` is not a duration: {why}")).key("max_age"));
        }
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let text = |name: &str| args[name].as_str().unwrap_or("…").to_owned();
        let does = format!(
            "find the newest verified export of \"{}\" in bucket \"{}\"",
            text("cluster"),
            text("bucket")
        );
        Sketch { does, ..Sketch::default() }
    }

    fn needs(args: &Value) -> Vec<Need> {
        args["bucket"].as_str().map(|b| Need::Bucket(b.to_owned())).into_iter().collect()
    }

    async fn preflight(env: &Env, args: &Value, cx: &Cx) -> Vec<Finding> {
        const CHECK: &str = "export.newest";
        let (Some(bucket), Some(cluster)) = (args["bucket"].as_str(), args["cluster"].as_str())
        else {
            return Vec::new();
        };
        let service = serde_json::from_value(args["service"].clone()).unwrap_or_default();
        vec![match find(env, cx, (bucket, cluster, service), args["max_age"].as_str()).await {
            Ok((key, manifest, passed)) => {
                let what = format!(
                    "the newest export of \"{cluster}\" is {key}, of {}",
                    manifest.taken_at
                );
                match passed.as_slice() {
                    [] => Finding::ok(CHECK, what),
                    passed => Finding::ok(
                        CHECK,
                        format!(
                            "{what}; {} newer ones are damaged: {}",
                            passed.len(),
                            passed.join(", ")
                        ),
                    )
                    .mend(
                        "find out who deletes or changes files in this bucket (a lifecycle rule?)",
                    ),
                }
            }
            Err(failure) => Finding::of(CHECK, &failure),
        }]
    }

    async fn prepare(_: &Env, _: &Spec, _: &Cx) -> Result<((), Vec<Resource>), Failure> {
        Ok(((), Vec::new()))
    }

    async fn execute(
        env: &Env,
        spec: &Spec,
        _prepared: &(),
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let max_age = spec.max_age.as_deref();
        let of = (spec.bucket.as_str(), spec.cluster.as_str(), spec.service);
        let (key, found, passed) = find(env, cx, of, max_age).await?;
        for damaged in passed {
            cx.warn(format!(
                "{damaged} names files that are missing or changed: it was passed over"
            ));
        }
        Ok(Done::Unchanged(Output::of(env, &key, &found)))
    }
}

/// Its key, itself, and those that are newer and damaged.
async fn find(
    env: &Env,
    cx: &Cx,
    (bucket, cluster, service): (&str, &str, Option<Service>),
    max_age: Option<&str>,
) -> Result<(String, manifest::Manifest, Vec<String>), Failure> {
    let cluster = cluster.to_ascii_lowercase();
    let history = manifest::history(env, bucket, &cluster, service, AMONG).await?;
    history.strange.into_iter().for_each(|why| cx.warn(why));
    let damaged = history.kept.iter().take_while(|kept| !kept.whole);
    let passed: Vec<String> =
        damaged.map(|damaged| format!("s3://{bucket}/{}", damaged.key)).collect();
    let whole = || history.kept.iter().filter(|kept| kept.whole);
    let first = whole().next().map(|kept| kept.manifest.service);
    if let Some(other) = whole().map(|kept| kept.manifest.service).find(|of| Some(*of) != first) {
        let first = first.unwrap_or(other);
        return Err(Failure::new(
            Class::Conflict,
            format!("bucket \"{bucket}\" has exports of \"{cluster}\" in {first} and in {other}"),
        )
        .mend(format!("say whose is meant: `service: {first}` or `service: {other}`")));
    }
    let Some(kept) = history.kept.into_iter().find(|kept| kept.whole) else {
        return Err(Failure::new(
            Class::NotFound,
            format!("bucket \"{bucket}\" has no verified export of \"{cluster}\""),
        )
        .mend(
            "run a playbook with `elasticache.export_latest` or `memorydb.export_snapshot` first",
        ));
    };
    if let Some(text) = max_age
        && let Ok(most) = parse_duration(text)
        && cx.clock.since(kept.manifest.taken_at) > most
    {
        return Err(Failure::fatal(format!(
            "the newest verified export of \"{cluster}\" is of {}, older than {text}",
            kept.manifest.taken_at
        ))
        .mend("look why no newer one was made: `orchestrate runs` lists the last runs"));
    }
    Ok((kept.key, kept.manifest, passed))
}
