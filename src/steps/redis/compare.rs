//! `redis.compare`: every key of one deployment against another, both ways.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::foreseen;
use super::plane::Store;
use super::select::{Selection, bound};
use super::show::{counted, grouped, show};
use super::side::{Side, faults};
use super::walk::{Tally, Walk};
use crate::engine::journal::Resource;
use crate::engine::{Cx, Failure, Finding};
use crate::permissions::Phases;
use crate::plan::{Effect, Fault};
use crate::playbook::parse_duration;
use crate::steps::{Action, Done, Env, Need, Sketch, Step, action};

/// What is not told without a right to look.
const UNSEEN: &str = "whether the users of a comparison may do what it takes is not told";

/// Clocks of the two servers that are further apart than this are worth a word.
const SKEW_WORTH_A_WORD_MS: u64 = 1_000;

/// Compares what is in two deployments of Redis or Valkey, key by key and in both directions: type, value and time of
/// expiry of every key, and the function libraries. It only reads.
///
/// ```yaml
/// - id: compare
///   redis.compare:
///     source: { endpoint: "${{ steps.source.endpoint }}", user: auditor, password: "secretsmanager:redis/auditor" }
///     target: { endpoint: "${{ steps.cluster.endpoint }}", user: auditor, password: "ssm:/memorydb/auditor" }
/// ```
///
/// The step fails if anything differs, and lists the first differences by key: what is missing, what is only on the
/// target, which fields of a hash differ. Values are never shown, and neither are members of sets, which are given by
/// length and digest.
///
/// - A difference counts only if it is still there when the key is read again and the source did not change meanwhile.
/// - A key that expires during the comparison is no difference.
/// - Values count by what a client reads, not by how they are stored; so the two sides may run different versions.
///   Scores of sorted sets are compared as numbers, exactly. Of streams, the times of delivery and of consumers' last visits are
///   not compared.
/// - Types of modules are compared by their dump, and called incomparable if the dumps differ.
/// - Only database 0 is compared; keys in any other database of either side fail the step.
///
/// Both sides are read from their primaries, in pages, with big values in chunks. Reading every key costs each server
/// some processor time: about 3 µs a key and more for big values. `mode: sample` compares about `sample_size` keys that a
/// hash of the key selects, the same on both sides, and reports what that proves.
///
/// The users need `~* +@read +@connection +scan +dbsize +time +info +cluster|slots +memory|usage +function|list`; before
/// version 7.0 leave out `+function|list`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// What the data should be like.
    source: Side,
    /// What is compared with it.
    target: Side,
    /// `full` compares every key, `sample` about `sample_size` of them.
    #[serde(default)]
    mode: Mode,
    /// How many keys a sample has, about.
    #[serde(default = "sample_size")]
    sample_size: u64,
    /// Selects the sample: the same seed selects the same keys. Drawn anew for each run unless given.
    seed: Option<u64>,
    /// By how much the times of expiry of a key may differ.
    #[serde(default = "ttl_tolerance")]
    #[schemars(extend("x-format" = "duration"))]
    ttl_tolerance: String,
    /// How many differences are listed. All are counted.
    #[serde(default = "max_differences")]
    max_differences: u32,
}

/// How many keys are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// All of them.
    #[default]
    Full,
    /// Some, selected by a hash.
    Sample,
}

fn sample_size() -> u64 {
    30_000
}

fn ttl_tolerance() -> String {
    "1s".to_owned()
}

fn max_differences() -> u32 {
    20
}

/// What a run of the step goes by.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    seed: u64,
}

/// What was compared, all of it equal.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Always true: the step fails otherwise.
    equal: bool,
    /// Keys on the source's primaries when the comparison began.
    source_keys: u64,
    /// Keys on the target's primaries when the comparison began.
    target_keys: u64,
    /// Keys of the source that were compared.
    compared: u64,
    /// `full` or `sample`.
    mode: Mode,
    /// What a sample without differences proves. Absent after a full comparison.
    #[serde(skip_serializing_if = "Option::is_none")]
    bound: Option<String>,
    /// What selects the same sample again. Absent after a full comparison.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// Keys compared, by type.
    by_type: BTreeMap<String, u64>,
    /// Function libraries on either side.
    functions: u64,
    /// The result in a sentence.
    statement: String,
}

/// See `Spec`.
pub(crate) struct Compare;

impl Step for Compare {
    const KIND: &'static str = "redis.compare";
    const SUMMARY: &'static str = "compare two deployments key by key";
    const ACTIONS: &'static [Action] = &[
        action("secretsmanager:GetSecretValue", "secret:{source.password}", Phases::PLAN_RUN),
        action("secretsmanager:GetSecretValue", "secret:{target.password}", Phases::PLAN_RUN),
        action("ssm:GetParameter", "parameter/{source.password}", Phases::PLAN_RUN),
        action("ssm:GetParameter", "parameter/{target.password}", Phases::PLAN_RUN),
        // Before a run: whether its users are there and may do what it takes.
        action("elasticache:DescribeReplicationGroups", "*", Phases::PLAN).helps(UNSEEN),
        action("elasticache:DescribeCacheClusters", "*", Phases::PLAN).helps(UNSEEN),
        action("elasticache:DescribeUserGroups", "*", Phases::PLAN).helps(UNSEEN),
        action("elasticache:DescribeUsers", "*", Phases::PLAN).helps(UNSEEN),
        action("memorydb:DescribeACLs", "*", Phases::PLAN).helps(UNSEEN),
        action("memorydb:DescribeUsers", "*", Phases::PLAN).helps(UNSEEN),
    ];
    const EFFECT: Effect = Effect::ReadOnly;
    const TIMEOUT: Duration = Duration::from_secs(6 * 3600);
    const EXPECTED: Duration = Duration::from_secs(5 * 60);

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let mut found = faults(args, "source");
        found.extend(faults(args, "target"));
        if let (Some(source), Some(target)) =
            (args["source"]["endpoint"].as_str(), args["target"]["endpoint"].as_str())
            && source == target
        {
            found.push(Fault::new(SAME).key("target").key("endpoint").mend("name two deployments"));
        }
        found
    }

    fn sketch(args: &Value) -> Sketch {
        let side = |name: &str| {
            args[name]["endpoint"].as_str().map_or_else(|| format!("the {name}"), str::to_owned)
        };
        let what = if args["mode"].as_str() == Some("sample") {
            let size = args["sample_size"].as_u64().unwrap_or_else(sample_size);
            format!("about {} keys", grouped(size))
        } else {
            "every key".to_owned()
        };
        let does = format!("compare {what} of {} with {}", side("source"), side("target"));
        Sketch { does, ..Sketch::default() }
    }

    fn needs(args: &Value) -> Vec<Need> {
        ["source", "target"]
            .iter()
            .filter_map(|side| args[*side]["password"].as_str())
            .map(|reference| Need::Password(reference.to_owned()))
            .collect()
    }

    async fn preflight(env: &Env, args: &Value, cx: &Cx) -> Vec<Finding> {
        let (source, target) =
            futures::join!(foreseen::source(env, args, cx), foreseen::target(env, args, cx));
        let mut findings = source;
        findings.extend(target);
        if let Some(text) = args["ttl_tolerance"].as_str()
            && let Err(why) = parse_duration(text)
        {
            findings.push(Finding::will_fail(
                "arguments",
                format!("`{text}` is not a duration"),
                why,
            ));
        }
        if let (Some(source), Some(target)) =
            (args["source"]["endpoint"].as_str(), args["target"]["endpoint"].as_str())
            && source == target
        {
            findings.push(Finding::will_fail("arguments", SAME, "name two deployments"));
        }
        findings
    }

    async fn prepare(_: &Env, spec: &Spec, cx: &Cx) -> Result<(Prepared, Vec<Resource>), Failure> {
        if spec.source.endpoint == spec.target.endpoint {
            return Err(Failure::fatal(SAME).mend("name two deployments"));
        }
        tolerance(spec)?;
        let drawn = || cx.random(|rng| u64::from(rand::Rng::next_u32(rng)));
        Ok((Prepared { seed: spec.seed.unwrap_or_else(drawn) }, Vec::new()))
    }

    async fn execute(
        env: &Env,
        spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let mut source = open(env, &spec.source, "source").await?;
        let mut target = open(env, &spec.target, "target").await?;
        let (source_keys, target_keys) = (source.count().await?, target.count().await?);
        only_database_zero(&mut *source, &spec.source).await?;
        only_database_zero(&mut *target, &spec.target).await?;
        if !(source.stream_counters() && target.stream_counters()) {
            source.omit_stream_counters();
            target.omit_stream_counters();
        }
        let (functions, libraries) = libraries(&mut *source, &mut *target).await?;

        let subject = format!("{} against {}", spec.target.endpoint, spec.source.endpoint);
        let mut walk = Walk::new(cx, source, target, subject);
        walk.tolerance_ms = tolerance(spec)?;
        walk.most = usize::try_from(spec.max_differences).unwrap_or(usize::MAX);
        walk.ahead_ms = ahead(cx, &mut walk).await?;
        if spec.mode == Mode::Sample {
            let total = source_keys.max(target_keys);
            walk.selection = Selection::sample(spec.sample_size, total, prepared.seed);
        }
        walk.forward(source_keys).await?;
        walk.backward(target_keys).await?;

        let all = walk.selection.is_all();
        let tally = walk.tally;
        if tally.differing > 0 || !libraries.is_empty() {
            return Err(unequal(spec, &tally, libraries));
        }
        if source_keys + target_keys == 0 {
            cx.warn("both sides are empty; they are equal, but is that what was to be compared?");
        }
        let sample = spec.mode == Mode::Sample;
        let proves = || {
            if all {
                "there are no more keys than in a sample, so every key was compared".to_owned()
            } else {
                bound(tally.compared)
            }
        };
        let bound = sample.then(proves);
        Ok(Done::Unchanged(Output {
            statement: statement(tally.compared, functions, bound.as_deref()),
            equal: true,
            source_keys,
            target_keys,
            compared: tally.compared,
            mode: spec.mode,
            bound,
            seed: sample.then_some(prepared.seed),
            by_type: tally.by_type,
            functions,
        }))
    }
}

/// Never says of a sample more than it proves.
fn statement(compared: u64, functions: u64, bound: Option<&str>) -> String {
    let what = match bound {
        None => format!("all {} keys", grouped(compared)),
        Some(_) => format!("the {} keys of a sample", grouped(compared)),
    };
    let libraries = match functions {
        0 => String::new(),
        _ => format!(", and {}", counted(functions, "function library", "function libraries")),
    };
    let bound = bound.map(|bound| format!("; {bound}")).unwrap_or_default();
    format!("{what} are equal in type, value and time to live{libraries}{bound}")
}

const SAME: &str =
    "source and target are the same endpoint, and comparing it with itself proves nothing";

fn tolerance(spec: &Spec) -> Result<u64, Failure> {
    let text = &spec.ttl_tolerance;
    let tolerance = parse_duration(text)
        .map_err(|why| Failure::fatal(format!("`{text}` is not a duration: {why}")))?;
    Ok(u64::try_from(tolerance.as_millis()).unwrap_or(u64::MAX))
}

async fn open(env: &Env, side: &Side, name: &str) -> Result<Box<dyn Store>, Failure> {
    let context =
        |failure: Failure| failure.context(format!("failed to open the {name} {}", side.endpoint));
    let target = side.target(env).await.map_err(context)?;
    env.data.open(&target).await.map_err(context)
}

async fn only_database_zero(store: &mut dyn Store, side: &Side) -> Result<(), Failure> {
    let others = store.other_databases().await?;
    if others.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = others.iter().map(|number| format!("db{number}")).collect();
    Err(Failure::fatal(format!(
        "{} holds keys in databases other than 0: {}",
        side.endpoint,
        names.join(", ")
    ))
    .because("only database 0 can be compared, and MemoryDB has no other")
    .mend("move these keys to database 0, or delete them"))
}

/// How many function libraries there are by name, and a line for each that differs.
async fn libraries(
    source: &mut dyn Store,
    target: &mut dyn Store,
) -> Result<(u64, Vec<String>), Failure> {
    let source: BTreeMap<String, String> = source.functions().await?.into_iter().collect();
    let target: BTreeMap<String, String> = target.functions().await?.into_iter().collect();
    let mut lines = Vec::new();
    for (name, code) in &source {
        let name_shown = show(name.as_bytes());
        match target.get(name) {
            None => lines.push(format!("function library {name_shown}: missing on target")),
            Some(other) if other != code => {
                lines.push(format!("function library {name_shown}: its code differs"));
            }
            Some(_) => {}
        }
    }
    let extra: Vec<&String> = target.keys().filter(|name| !source.contains_key(*name)).collect();
    for name in &extra {
        lines.push(format!("function library {}: only on target", show(name.as_bytes())));
    }
    Ok(((source.len() + extra.len()) as u64, lines))
}

/// By how much the source's clock is ahead of ours; warns if the servers' clocks disagree.
async fn ahead(cx: &Cx, walk: &mut Walk<'_>) -> Result<i64, Failure> {
    let (Some(source), Some(target)) = (walk.source.now_ms().await?, walk.target.now_ms().await?)
    else {
        return Ok(0);
    };
    let skew = source.abs_diff(target);
    if skew > SKEW_WORTH_A_WORD_MS {
        cx.warn(format!(
            "the clocks of source and target are {skew} ms apart; keys expire at different moments"
        ));
    }
    let source = i64::try_from(source).unwrap_or(i64::MAX);
    Ok(source.saturating_sub(cx.clock.now().as_millisecond()))
}

fn unequal(spec: &Spec, tally: &Tally, libraries: Vec<String>) -> Failure {
    let mut said = Vec::new();
    if tally.differing > 0 {
        let how: Vec<String> = tally
            .by_what
            .iter()
            .map(|(what, count)| format!("{} {what}", grouped(*count)))
            .collect();
        said.push(format!(
            "{} {} ({}) of {} compared",
            counted(tally.differing, "key", "keys"),
            if tally.differing == 1 { "differs" } else { "differ" },
            how.join(", "),
            grouped(tally.compared),
        ));
    }
    if !libraries.is_empty() {
        let count = libraries.len() as u64;
        let words = counted(count, "function library differs", "function libraries differ");
        said.push(words);
    }
    let mut failure = Failure::fatal(format!(
        "{} is not equal to {}: {}",
        spec.target.endpoint,
        spec.source.endpoint,
        said.join("; ")
    ));
    failure.causes = libraries;
    failure.causes.extend(tally.lines.iter().cloned());
    let unlisted = tally.differing - tally.lines.len() as u64;
    if unlisted > 0 {
        failure.causes.push(format!("and {} more", counted(unlisted, "key", "keys")));
    }
    failure.mend(
        "if the source takes writes, stop them and copy again before applications are pointed at the target; \
         `max_differences` lists more",
    )
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
