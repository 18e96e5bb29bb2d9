//! The decision.

use serde::Serialize;

use super::answers::{Answers, Loss, Recovery, Regions};
use super::question::{Question, question};
use super::weigh::{self, Premiums};
use crate::cost::{self, Engine, Fact, Mode};

/// How well data is kept. Each level keeps what the one before keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Replicas and daily backups.
    Cache,
    /// All but the last ten seconds.
    TenSeconds,
    /// Every acknowledged write.
    EveryWrite,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Recommendation {
    /// Leave it as it is.
    Stay,
    /// ElastiCache for Valkey 9 with durability.
    #[serde(rename = "durable_elasticache")]
    DurableElastiCache(Mode),
    /// MemoryDB.
    #[serde(rename = "memorydb")]
    MemoryDb,
    /// An answer is missing on which it depends.
    CannotTell,
}

/// What is known of the cluster as it is. `None`: not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Today {
    /// Its engine.
    pub engine: Option<Engine>,
    /// The first number of the engine's version.
    pub major: Option<u32>,
    /// How well it keeps data already, by what the API shows.
    pub keeps: Option<Level>,
    /// Whether it is in cluster mode.
    pub cluster_mode: Option<bool>,
    /// Whether it speaks TLS.
    pub tls: Option<bool>,
    /// Replicas of each shard.
    pub replicas: Option<u32>,
    /// Whether MemoryDB has such nodes.
    pub memorydb_has_nodes: Option<bool>,
    /// Whether durability works on such nodes.
    pub durable_on_nodes: Option<bool>,
    /// Whether it keeps data on SSD, so that it cannot be exported.
    pub tiered: bool,
}

/// A sentence and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Without its period.
    pub says: String,
    /// The facts it rests on; none if it is the answer itself.
    pub facts: Vec<Fact>,
}

/// The recommendation with all that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// What to do.
    pub recommendation: Recommendation,
    /// How well data is kept then.
    pub keeps: Level,
    /// The same in a sentence.
    pub headline: String,
    /// Why.
    pub reasons: Vec<Reason>,
    /// What speaks against it.
    pub against: Vec<Reason>,
    /// What must be done or known before it can be carried out.
    pub first: Vec<Reason>,
    /// The questions whose answers are missing, of which the recommendation depends.
    pub missing: Vec<&'static Question>,
}

pub(super) fn reason(says: impl Into<String>, facts: &[Fact]) -> Reason {
    Reason { says: says.into(), facts: facts.to_vec() }
}

/// Each demand, the level it asks for, and why.
fn demands(answers: &Answers) -> Vec<(Level, Reason)> {
    let mut demands = Vec::new();
    let mut add = |level: Level, says: &str, facts: &[Fact]| {
        demands.push((level, reason(says, facts)));
    };
    match answers.loss {
        None => {}
        Some(Loss::Everything) => {
            add(Level::Cache, "the data may be lost: it can be filled again", &[]);
        }
        Some(Loss::ADay) => add(
            Level::Cache,
            "what was written since the last backup may be lost",
            &[cost::BACKUPS_ARE_DAILY],
        ),
        Some(Loss::TenSeconds) => add(
            Level::TenSeconds,
            "no more than ten seconds of writes may be lost, and replicas and daily backups alone do not promise that",
            &[cost::REPLICATION_IS_ASYNC, cost::BACKUPS_ARE_DAILY],
        ),
        Some(Loss::Nothing) => add(
            Level::EveryWrite,
            "no acknowledged write may be lost, and plain ElastiCache may lose the last ones in any failover",
            &[cost::REPLICATION_IS_ASYNC],
        ),
    }
    if answers.only_copy == Some(true) {
        add(
            Level::TenSeconds,
            "it is the only copy: nothing else can fill what a lost shard had since the last backup",
            &[cost::BACKUPS_ARE_DAILY],
        );
    }
    if answers.loss_forbidden == Some(true) {
        add(
            Level::EveryWrite,
            "losing an acknowledged write is forbidden",
            &[cost::REPLICATION_IS_ASYNC, cost::COMPLIANCE_IS_YOURS],
        );
    }
    if answers.recovery == Some(Recovery::Minutes) {
        add(
            Level::TenSeconds,
            "a lost shard must have its data back without a person, which takes a transaction log",
            &[cost::LOG_RESTORES_A_SHARD, cost::BACKUPS_ARE_DAILY],
        );
    }
    demands
}

fn level(answers: &Answers) -> Level {
    demands(answers).into_iter().map(|(level, _)| level).max().unwrap_or(Level::Cache)
}

/// The recommendation where everything it depends on is known.
fn choose(
    level: Level,
    regions: Regions,
    answers: &Answers,
    today: &Today,
    premiums: &Premiums,
) -> Recommendation {
    if regions == Regions::WriteEverywhere {
        return Recommendation::MemoryDb;
    }
    // Durability does not work across regions, Global Datastore without it does, MemoryDB does both.
    if regions == Regions::ReadElsewhere {
        return if level == Level::Cache { Recommendation::Stay } else { Recommendation::MemoryDb };
    }
    if today.keeps.unwrap_or(Level::Cache) >= level {
        return Recommendation::Stay;
    }
    weigh::durable_or_memorydb(level, answers, today, premiums)
}

/// The questions that decide, and whether each is open.
fn open(answers: &Answers) -> Vec<&'static str> {
    let all = [
        ("loss", answers.loss.is_none()),
        ("only-copy", answers.only_copy.is_none()),
        ("loss-forbidden", answers.loss_forbidden.is_none()),
        ("recovery", answers.recovery.is_none()),
        ("regions", answers.regions.is_none()),
    ];
    all.into_iter().filter(|(_, open)| *open).map(|(key, _)| key).collect()
}

/// The answers with what is open filled in, each at its strictest where `strict` says so and at its mildest elsewhere.
fn filled(answers: &Answers, strict: impl Fn(&str) -> bool) -> (Answers, Regions) {
    let mut filled = answers.clone();
    filled.loss.get_or_insert(if strict("loss") { Loss::Nothing } else { Loss::Everything });
    filled.only_copy.get_or_insert(strict("only-copy"));
    filled.loss_forbidden.get_or_insert(strict("loss-forbidden"));
    let recovery = if strict("recovery") { Recovery::Minutes } else { Recovery::Never };
    filled.recovery.get_or_insert(recovery);
    let regions = if strict("regions") { Regions::WriteEverywhere } else { Regions::One };
    let regions = *filled.regions.get_or_insert(regions);
    (filled, regions)
}

/// Decides.
#[must_use]
pub fn decide(answers: &Answers, today: &Today, premiums: &Premiums) -> Advice {
    let with = |strict: &dyn Fn(&str) -> bool| {
        let (filled, regions) = filled(answers, strict);
        choose(level(&filled), regions, &filled, today, premiums)
    };
    let (mild, strict) = (with(&|_| false), with(&|_| true));
    if mild != strict {
        let mut missing = open(answers);
        missing.retain(|one| {
            with(&|other| other == *one) != mild || with(&|other| other != *one) != strict
        });
        return cannot_tell(answers, today, premiums, (mild, strict), &missing);
    }
    let (filled, regions) = filled(answers, |_| false);
    let wanted = level(&filled);
    let have = today.keeps.unwrap_or(Level::Cache);
    let keeps = match mild {
        Recommendation::Stay | Recommendation::CannotTell => have,
        Recommendation::DurableElastiCache(Mode::Async) => Level::TenSeconds,
        Recommendation::DurableElastiCache(Mode::Sync) | Recommendation::MemoryDb => {
            Level::EveryWrite
        }
    };
    let mut reasons: Vec<Reason> = demands(answers)
        .into_iter()
        .filter(|(level, _)| wanted == Level::Cache || *level > Level::Cache)
        .map(|(_, reason)| reason)
        .collect();
    reasons.extend(weigh::reasons(mild, wanted, regions, answers, today, premiums));
    let against = weigh::against(mild, wanted, answers, today, premiums);
    let first = weigh::first(mild, answers, today);
    Advice {
        recommendation: mild,
        keeps,
        headline: headline(mild, have, regions),
        reasons,
        against,
        first,
        missing: Vec::new(),
    }
}

fn headline(recommendation: Recommendation, have: Level, regions: Regions) -> String {
    match (recommendation, have) {
        (Recommendation::Stay, Level::Cache) => "stay on ElastiCache as it is".to_owned(),
        (Recommendation::Stay, Level::TenSeconds) => {
            "stay: this cluster is durable already, but for ten seconds (async)".to_owned()
        }
        (Recommendation::Stay, Level::EveryWrite) => {
            "stay: this cluster is durable already (sync)".to_owned()
        }
        (Recommendation::DurableElastiCache(Mode::Async), _) => {
            "stay on ElastiCache, and make it durable: Valkey 9, Durability async".to_owned()
        }
        (Recommendation::DurableElastiCache(Mode::Sync), _) => {
            "stay on ElastiCache, and make it durable: Valkey 9, Durability sync".to_owned()
        }
        (Recommendation::MemoryDb, _) if regions == Regions::One => "move to MemoryDB".to_owned(),
        (Recommendation::MemoryDb, _) => "move to MemoryDB, Multi-Region".to_owned(),
        (Recommendation::CannotTell, _) => "cannot tell yet".to_owned(),
    }
}

fn words(recommendation: Recommendation) -> &'static str {
    match recommendation {
        Recommendation::Stay => "to stay as it is",
        Recommendation::DurableElastiCache(Mode::Async) => "durable ElastiCache, async",
        Recommendation::DurableElastiCache(Mode::Sync) => "durable ElastiCache, sync",
        Recommendation::MemoryDb => "MemoryDB",
        Recommendation::CannotTell => "nothing",
    }
}

fn cannot_tell(
    answers: &Answers,
    today: &Today,
    premiums: &Premiums,
    (mild, strict): (Recommendation, Recommendation),
    missing: &[&str],
) -> Advice {
    let says = format!(
        "with the mildest answers to what is missing it is {}, with the strictest {}",
        words(mild),
        words(strict)
    );
    let mut reasons = vec![reason(says, &[])];
    reasons.extend(demands(answers).into_iter().map(|(_, reason)| reason));
    let have = today.keeps.unwrap_or(Level::Cache);
    let cannot = Recommendation::CannotTell;
    Advice {
        recommendation: cannot,
        keeps: have,
        headline: headline(cannot, have, Regions::One),
        reasons,
        against: weigh::against(cannot, level(answers), answers, today, premiums),
        first: Vec::new(),
        missing: missing.iter().filter_map(|key| question(key)).collect(),
    }
}
