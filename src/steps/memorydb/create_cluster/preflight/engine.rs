//! The engine: whether it is offered, and whether it reads what the source writes.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::super::cluster::SERVICE;
use super::super::{Env, Failure, Finding, Op};
use super::source::Source;
use super::unread;
use crate::facts::{self, written_by};

/// The engines that MemoryDB offers, and the one that is asked for.
pub(super) struct Engine {
    /// "redis" or "valkey"; nothing if the arguments do not say.
    pub(super) name: Option<String>,
    /// Major and minor version, likewise.
    pub(super) version: Option<String>,
    /// The family of its parameter groups, as far as is known.
    pub(super) family: Option<String>,
    /// Version to family; or why that could not be read.
    offered: Result<BTreeMap<String, String>, Failure>,
}

impl Engine {
    pub(super) async fn of(env: &Env, args: &Value) -> Self {
        let text = |name: &str| args[name].as_str().map(str::to_ascii_lowercase);
        let (name, version) = (text("engine"), text("engine_version"));
        let offered = match (&name, &version) {
            (None, None) => Ok(BTreeMap::new()),
            _ => offered(env, name.as_deref()).await,
        };
        let live = offered.as_ref().ok().and_then(|offered| match &version {
            Some(version) => offered.get(version),
            // All versions of an engine that has one family have that.
            None => offered.values().next().filter(|first| offered.values().all(|f| f == *first)),
        });
        let family = live
            .cloned()
            .or_else(|| Some(facts::family_of(name.as_deref()?, version.as_deref()).to_owned()));
        Self { name, version, family, offered }
    }

    pub(super) fn findings(&self, args: &Value, source: &Source) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.version_offered().into_iter().collect();
        let restores = args.get("restore_from").is_some();
        findings.extend(source.group().filter(|_| restores).and_then(|group| {
            let version = group.engine_version()?;
            Some(self.reads(&group.engine, version))
        }));
        findings
    }

    fn version_offered(&self) -> Option<Finding> {
        const CHECK: &str = "target.version";
        let version = self.version.as_ref()?;
        let engine = self.name.as_deref().unwrap_or("MemoryDB");
        let offered = match &self.offered {
            Err(failure) => return Some(unread(CHECK, failure)),
            Ok(offered) => offered,
        };
        Some(if offered.contains_key(version) || offered.is_empty() {
            Finding::ok(CHECK, format!("{engine} {version} is offered")).seen("offered", true)
        } else {
            let all: Vec<_> = offered.keys().map(|v| format!("engine_version: \"{v}\"")).collect();
            Finding::will_fail(
                CHECK,
                format!("MemoryDB offers no {engine} {version} here"),
                format!("choose one of: {}", all.join(", ")),
            )
        })
    }

    fn reads(&self, engine: &str, version: &str) -> Finding {
        const CHECK: &str = "target.rdb";
        let from = format!("{engine} {version}");
        let finding = match written_by(engine, version) {
            None => Finding::cannot_know(
                CHECK,
                format!("which RDB version the source's {from} writes is not known here"),
            ),
            Some(head) if head.valkey => Finding::will_fail(
                CHECK,
                format!("the source's {from} writes {head}, and no engine of MemoryDB reads that"),
                "this source cannot move by snapshot: keep it in ElastiCache, which can be made durable (`orchestrate advise`), \
                 or copy its keys into an older engine first",
            ),
            Some(head) => match self.name.as_deref() {
                None if head.version > 9 => Finding::cannot_know(
                    CHECK,
                    format!(
                        "the source's {from} writes {head}, and the step names no engine: AWS's default may be too old"
                    ),
                )
                .mend("set `engine: valkey` and `engine_version: \"7.3\"`, which read it"),
                None => Finding::ok(CHECK, format!("every engine reads the {head} of {from}")),
                Some(target) => {
                    let newest = facts::newest_readable(target, self.version.as_deref());
                    let version = self.version.as_deref().unwrap_or_default();
                    let target = format!("{target} {version}").trim().to_owned();
                    if head.version <= newest {
                        Finding::ok(CHECK, format!("{target} reads the {head} of {from}"))
                    } else {
                        Finding::will_fail(
                            CHECK,
                            format!(
                                "the source's {from} writes {head}, and {target} reads up to REDIS{newest:04}"
                            ),
                            "set `engine: valkey` and `engine_version: \"7.3\"`, which read it",
                        )
                    }
                }
            },
        };
        finding.seen("source engine", from)
    }
}

async fn offered(env: &Env, engine: Option<&str>) -> Result<BTreeMap<String, String>, Failure> {
    let client = &env.aws.memorydb;
    let look = || client.describe_engine_versions().set_engine(engine.map(str::to_owned)).send();
    let answer = env.survey.ask(Op::read(SERVICE, "DescribeEngineVersions"), look).await?;
    let versions = answer.engine_versions.unwrap_or_default().into_iter();
    Ok(versions
        .filter_map(|v| Some((v.engine_version?, v.parameter_group_family.unwrap_or_default())))
        .collect())
}
