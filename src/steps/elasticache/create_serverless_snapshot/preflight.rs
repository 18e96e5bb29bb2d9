//! What can be told of a serverless cache before its snapshot: that it can be taken, and that MemoryDB reads it.

use aws_sdk_elasticache::types::ServerlessCache;
use jiff::Timestamp;
use serde_json::Value;

use super::super::serverless;
use super::super::snapshot_quota::{self, Quota};
use super::usable;
use crate::engine::{Cx, Finding};
use crate::facts;
use crate::steps::Env;

/// Manual snapshots of one cache in 24 hours (ElastiCache user guide, backups).
const SNAPSHOTS: Quota = Quota { a_day: 24, fault: "ServerlessCacheSnapshotQuotaExceededFault" };

pub(super) async fn findings(env: &Env, args: &Value, cx: &Cx) -> Vec<Finding> {
    const STATE: &str = "source.state";
    let Some(name) = args["serverless_cache"].as_str() else {
        return vec![Finding::cannot_know(STATE, "the serverless cache is not known yet")];
    };
    let mut findings = match serverless::need_cache(env, name).await {
        Err(failure) => vec![Finding::of(STATE, &failure)],
        Ok(cache) => {
            let state = match usable(&cache, name) {
                Ok(()) => Finding::ok(STATE, format!("serverless cache \"{name}\" is available")),
                Err(failure) => Finding::of(STATE, &failure),
            };
            vec![state, engine(&cache, name, cx), quota(env, name, cx.clock.now()).await]
        }
    };
    if let Some(name) = args["name"].as_str() {
        findings.push(free(env, name).await);
    }
    findings
}

/// The cluster is made by another step of the plan, which does not look at serverless caches.
fn engine(cache: &ServerlessCache, name: &str, cx: &Cx) -> Finding {
    const CHECK: &str = "source.engine";
    let engine = cache.engine().unwrap_or_default().to_ascii_lowercase();
    let version = cache.full_engine_version().or(cache.major_engine_version()).unwrap_or_default();
    let runs = format!("serverless cache \"{name}\" runs {engine} {version}");
    let target = cx.around.downstream("memorydb.create_cluster");
    let asked = |argument: &str| target.and_then(|target| target.args[argument].as_str());
    let finding = match (facts::written_by(&engine, version), target) {
        (None, _) => Finding::cannot_know(
            CHECK,
            format!("{runs}, and which RDB version that writes is not known here"),
        )
        .mend("the export is looked at before the cluster is made; a file that MemoryDB cannot read ends the run there"),
        (Some(head), None) => Finding::ok(CHECK, format!("{runs}, which writes {head} files")),
        (Some(head), Some(_)) if head.valkey => Finding::will_fail(
            CHECK,
            format!("{runs}, which writes {head} files, and no engine of MemoryDB reads those"),
            "leave the data in ElastiCache, or copy it online instead, for example with RedisShake",
        ),
        (Some(head), Some(_)) => {
            let newest = facts::newest_readable(asked("engine").unwrap_or("redis"), asked("engine_version"));
            if head.version <= newest {
                Finding::ok(CHECK, format!("{runs}, which writes {head} files, and the target reads those"))
            } else {
                Finding::will_fail(
                    CHECK,
                    format!("{runs}, which writes {head} files, and the target reads up to REDIS{newest:04}"),
                    "set `engine: valkey` and `engine_version: \"7.3\"` for the cluster, which read it",
                )
            }
        }
    };
    finding.seen("engine", engine).seen("engine_version", version)
}

async fn quota(env: &Env, name: &str, now: Timestamp) -> Finding {
    let all = match serverless::snapshots(env).await {
        Ok(all) => all,
        Err(failure) => {
            let what =
                format!("how many snapshots of \"{name}\" were taken could not be read: {failure}");
            return Finding::cannot_know(snapshot_quota::CHECK, what)
                .mend("allow elasticache:DescribeServerlessCacheSnapshots to the caller");
        }
    };
    let of = all.iter().filter(|snapshot| {
        serverless::cache_of(snapshot).is_some_and(|of| of.eq_ignore_ascii_case(name))
            && snapshot.snapshot_type() != Some("automated")
    });
    let taken = of.filter_map(|snapshot| serverless::taken_at(snapshot).parse().ok());
    SNAPSHOTS.weigh(&format!("\"{name}\""), taken, now, "")
}

async fn free(env: &Env, name: &str) -> Finding {
    const CHECK: &str = "snapshot.name";
    match serverless::snapshot(env, &name.to_ascii_lowercase()).await {
        Ok(None) => Finding::ok(CHECK, format!("no serverless snapshot is called \"{name}\" yet")),
        Ok(Some(_)) => Finding::will_fail(
            CHECK,
            format!("a serverless snapshot \"{name}\" exists already"),
            "choose another `name`, or leave it out",
        ),
        Err(failure) => Finding::of(CHECK, &failure),
    }
}
