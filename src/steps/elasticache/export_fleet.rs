//! `elasticache.export_fleet`: the newest snapshots of many replication groups, out to S3.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::look::SERVICE;
use crate::aws::{Op, call};
use crate::engine::journal::{Resource, Role};
use crate::engine::{Cx, Failure, Finding};
use crate::permissions::{Foreseen, Guest, Phases};
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::exports::fleet::{self, Limits};
use crate::steps::exports::latest::{self, Output as Export, Wanted};
use crate::steps::exports::{Of, Tolerance, manifest, out};
use crate::steps::{Action, Done, Env, Need, Sketch, Step, Touch, action, s3};

const MADE: &str = "snapshot:orc-*-snapshot*";
const AUTOMATIC: &str = "snapshot:automatic.*";

/// Exports the newest snapshot of every replication group that a pattern and tags choose, each as
/// `elasticache.export_latest` does: verified, and recorded in a manifest of its own.
///
/// Which groups there are is found when the step begins, and recorded; the plan shows those of now. The first goes alone,
/// then two at a time, then four, up to `max_parallel`; a failure begins that anew, so a mistake in a bucket's policy
/// costs one group and not two hundred. A group that fails is undone by itself and told in `failed`; with more than
/// `max_errors` no other is begun and the step fails. What has a manifest by then is kept.
///
/// All waits share one page of snapshots, which is not fetched more often than one call a second makes.
///
/// ```yaml
/// - id: exports
///   elasticache.export_fleet:
///     pattern: "prod-*"
///     tags: { backup: daily }
///     bucket: acme-exports
///     max_errors: 3
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// Which groups, by id: `*` stands for any text. All if left out.
    #[serde(default = "any")]
    pattern: String,
    /// Tags that a group must have, all of them.
    #[serde(default)]
    tags: BTreeMap<String, String>,
    /// The bucket: as for `elasticache.export_snapshot`.
    bucket: String,
    /// As for `elasticache.export_latest`.
    #[serde(default = "max_age")]
    #[schemars(extend("x-format" = "duration"))]
    max_age: String,
    /// As for `elasticache.export_latest`.
    #[serde(default = "band_percent")]
    band_percent: u32,
    /// As for `elasticache.export_latest`, for each group.
    #[serde(default)]
    accept_size: bool,
    /// As for `elasticache.export_latest`.
    #[serde(default)]
    keep_snapshot: bool,
    /// How many groups are exported at once, at most.
    #[serde(default = "max_parallel")]
    #[schemars(range(min = 1, max = 200))]
    max_parallel: u32,
    /// How many groups may fail without the step failing.
    #[serde(default)]
    max_errors: u32,
}

fn any() -> String {
    "*".to_owned()
}

fn max_age() -> String {
    latest::MAX_AGE.to_owned()
}

fn band_percent() -> u32 {
    latest::BAND_PERCENT
}

fn max_parallel() -> u32 {
    10
}

/// The intent: which groups.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    groups: Vec<String>,
}

/// What was exported.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The groups that were exported, sorted.
    clusters: Vec<String>,
    /// Their exports, in the same order.
    exports: Vec<Export>,
    /// The groups that failed, and why.
    failed: Vec<Failed>,
}

/// A group that was not exported.
#[derive(Debug, Serialize, JsonSchema)]
struct Failed {
    /// The group.
    cluster: String,
    /// Why.
    why: String,
    /// What to do about it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

/// `elasticache.export_fleet`.
pub(crate) struct ExportFleet;

impl Step for ExportFleet {
    const KIND: &'static str = "elasticache.export_fleet";
    const SUMMARY: &'static str = "export the newest snapshots of many replication groups";
    const ACTIONS: &'static [Action] = &[
        action("elasticache:DescribeReplicationGroups", "*", Phases::PLAN_RUN),
        action("elasticache:ListTagsForResource", "replicationgroup:*", Phases::PLAN_RUN)
            .when("tags"),
        action("elasticache:DescribeSnapshots", "*", Phases::RUN),
        action("elasticache:DescribeSnapshots", MADE, Phases::UNDO),
        action("elasticache:DescribeSnapshots", AUTOMATIC, Phases::UNDO),
        action("elasticache:ListTagsForResource", MADE, Phases::RUN_UNDO),
        action("elasticache:CreateSnapshot", "replicationgroup:*", Phases::RUN),
        action("elasticache:CreateSnapshot", "cluster:*", Phases::RUN),
        action("elasticache:CreateSnapshot", MADE, Phases::RUN),
        action("elasticache:AddTagsToResource", MADE, Phases::RUN),
        action("elasticache:CopySnapshot", AUTOMATIC, Phases::RUN),
        action("elasticache:CopySnapshot", MADE, Phases::RUN),
        action("elasticache:CopySnapshot", "snapshot:*", Phases::RUN),
        action("elasticache:DeleteSnapshot", MADE, Phases::RUN_UNDO),
        action("elasticache:DescribeEvents", "*", Phases::RUN)
            .helps("if the service fails at it, its reason is not told"),
        action("s3:ListAllMyBuckets", "*", Phases::RUN),
        action("s3:GetBucketLocation", "{bucket}", Phases::PLAN_RUN),
        action("s3:GetEncryptionConfiguration", "{bucket}", Phases::PLAN_RUN),
        action("s3:GetBucketPolicy", "{bucket}", Phases::PLAN_RUN),
        action("s3:GetBucketAcl", "{bucket}", Phases::PLAN_RUN),
        action("s3:ListBucket", "{bucket}", Phases::RUN_UNDO),
        action("s3:PutObject", "{bucket}/*", Phases::RUN),
        action("s3:GetObject", "{bucket}/*", Phases::RUN_UNDO),
        action("s3:DeleteObject", "{bucket}/*", Phases::RUN_UNDO),
    ];
    const OUTPUTS: &'static [Foreseen] = &[("clusters", "*")];
    const GUESTS: &'static [Guest] = &[s3::Guest::ElastiCache.in_bucket("{bucket}")];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::Undo);
    const TIMEOUT: Duration = Duration::from_secs(24 * 3600);
    const EXPECTED: Duration = Duration::from_secs(60 * 60);

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        latest::faults(args, "pattern")
    }

    fn sketch(args: &Value) -> Sketch {
        let pattern = args["pattern"].as_str().unwrap_or("*");
        let bucket = args["bucket"].as_str().unwrap_or("…");
        let tags = args["tags"].as_object().filter(|tags| !tags.is_empty());
        let tagged = tags.map_or(String::new(), |tags| {
            let tags: Vec<String> = tags
                .iter()
                .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("…")))
                .collect();
            format!(" with {}", tags.join(", "))
        });
        Sketch {
            does: format!(
                "export the newest snapshot of every replication group \"{pattern}\"{tagged} to bucket \"{bucket}\": one, \
                 then two, then four at a time{}",
                Tolerance::words(args)
            ),
            undo: Some("delete what has no manifest yet; verified exports are kept".to_owned()),
            loses: None,
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let bucket = args["bucket"].as_str().unwrap_or("…");
        vec![Touch::creates(format!(
            "S3 objects s3://{bucket}/<group>-<run>-<step>*, files and a manifest for each group"
        ))]
    }

    fn needs(args: &Value) -> Vec<Need> {
        let pattern = args["pattern"].as_str().unwrap_or("*");
        let groups = ["a", "b", "c"].map(|each| pattern.replace('*', each));
        let groups = groups
            .into_iter()
            .flat_map(|group| [Need::ReplicationGroup(group.clone()), Need::DailySnapshots(group)]);
        let bucket = args["bucket"].as_str().map(|b| Need::Bucket(b.to_owned()));
        groups.chain(bucket).collect()
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        const CHECK: &str = "export.fleet";
        let mut findings = match args["bucket"].as_str() {
            None => vec![Finding::cannot_know("bucket.exists", "the bucket is not known yet")],
            Some(bucket) => s3::bucket_findings(env, bucket, Of::ElastiCache.guest(), None).await,
        };
        let pattern = args["pattern"].as_str().unwrap_or("*");
        let tags: BTreeMap<String, String> =
            serde_json::from_value(args["tags"].clone()).unwrap_or_default();
        findings.push(match chosen(env, pattern, &tags).await {
            Err(failure) => Finding::of(CHECK, &failure),
            Ok(groups) if groups.is_empty() => Finding::will_fail(
                CHECK,
                format!("no replication group is called \"{pattern}\" and has the tags"),
                nobody(env),
            ),
            Ok(groups) => Finding::ok(
                CHECK,
                format!("{} replication groups as of now: {}", groups.len(), groups.join(", ")),
            ),
        });
        findings
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        out::bucket_fits(env, cx, Of::ElastiCache, &spec.bucket, None).await?;
        let groups = chosen(env, &spec.pattern, &spec.tags).await?;
        if groups.is_empty() {
            return Err(Failure::fatal(format!(
                "no replication group is called \"{}\" and has the tags",
                spec.pattern
            ))
            .mend(nobody(env)));
        }
        let resources = groups.iter().flat_map(|group| {
            let each = cx.each(group);
            let target = manifest::target(&each, group);
            let resource = |what: &str, name: String| Resource {
                what: what.to_owned(),
                name,
                arn: None,
                role: Role::Creates,
            };
            let snapshot = latest::snapshot_name(&each, Of::ElastiCache);
            [
                resource(latest::EXPORT, format!("s3://{}/{target}*", spec.bucket)),
                resource("ElastiCache snapshot (only where no automatic one did)", snapshot),
            ]
        });
        let resources = resources.collect();
        Ok((Prepared { groups }, resources))
    }

    async fn execute(
        env: &Env,
        spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let wanted: Vec<Wanted> = prepared.groups.iter().map(|group| spec.wanted(group)).collect();
        let limits = Limits {
            max_parallel: spec.max_parallel as usize,
            max_errors: spec.max_errors as usize,
        };
        let ended = fleet::execute(env, cx, &wanted, limits).await?;
        let failed = ended.failed.into_iter();
        Ok(Done::Changed(Output {
            clusters: ended.exports.iter().map(|export| export.cluster().to_owned()).collect(),
            exports: ended.exports,
            failed: failed
                .map(|(cluster, failure)| Failed {
                    cluster,
                    why: failure.to_string(),
                    mend: failure.mend,
                })
                .collect(),
        }))
    }

    async fn undo(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Vec<String>, Failure> {
        fleet::undo(env, cx, &prepared.groups).await
    }
}

impl Spec {
    fn wanted(&self, group: &str) -> Wanted {
        Wanted {
            of: Of::ElastiCache,
            cluster: group.to_owned(),
            bucket: self.bucket.clone(),
            max_age: self.max_age.clone(),
            tolerance: Tolerance { band_percent: self.band_percent, accept_size: self.accept_size },
            keep_snapshot: self.keep_snapshot,
        }
    }
}

/// What to do where a pattern and tags choose no group.
fn nobody(env: &Env) -> String {
    format!(
        "correct `pattern` and `tags`; aws elasticache describe-replication-groups --region {} lists the groups",
        env.identity.region
    )
}

/// The groups that a pattern and tags choose, sorted.
async fn chosen(
    env: &Env,
    pattern: &str,
    tags: &BTreeMap<String, String>,
) -> Result<Vec<String>, Failure> {
    let mut marker = None;
    let mut groups = Vec::new();
    loop {
        let request = env.aws.elasticache.describe_replication_groups().set_marker(marker);
        let answer = call(Op::read(SERVICE, "DescribeReplicationGroups"), request.send()).await?;
        groups.extend(answer.replication_groups.unwrap_or_default());
        marker = answer.marker.filter(|marker| !marker.is_empty());
        if marker.is_none() {
            break;
        }
    }
    let mut found = Vec::new();
    for group in groups {
        let Some(id) = group.replication_group_id().filter(|id| fits(pattern, id)) else {
            continue;
        };
        if !tags.is_empty() {
            let Some(arn) = group.arn() else { continue };
            let request = env.aws.elasticache.list_tags_for_resource().resource_name(arn);
            let answer = call(Op::read(SERVICE, "ListTagsForResource"), request.send()).await?;
            let has = |(key, value): (&String, &String)| {
                let same = |tag: &aws_sdk_elasticache::types::Tag| {
                    tag.key() == Some(key) && tag.value().unwrap_or_default() == value
                };
                answer.tag_list().iter().any(same)
            };
            if !tags.iter().all(has) {
                continue;
            }
        }
        found.push(id.to_owned());
    }
    found.sort();
    Ok(found)
}

/// Whether a name fits a pattern in which `*` stands for any text.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_ascii_lowercase(), name.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, whether) in [
            ("*", "prod", true),
            ("prod", "prod", true),
            ("prod", "prod-2", false),
            ("prod-*", "prod-2", true),
            ("prod-*", "prod", false),
            ("*-cache", "Prod-Cache", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxcyyb", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(fits(pattern, name), whether, "{pattern} {name}");
        }
    }
}
