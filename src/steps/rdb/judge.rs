//! Whether MemoryDB will be able to restore a file, by what the file holds.

use orchestrate_rdb::{Checksum, Dialect, Head, Summary};

use super::check::File;
use crate::engine::Failure;
use crate::steps::memorydb::{Readable, readable};
use crate::steps::redis::counted;
use crate::steps::s3::Magic;

/// Modules whose values MemoryDB may read: it has JSON from 6.2.6 and search from 7.1 on (MemoryDB developer guide, engine
/// versions). Whether those of ElastiCache are the same in an RDB file is documented nowhere.
const UNSURE: [&str; 2] = ["ReJSON-RL", "Vk-Search"];

/// What is said of a file.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Why it cannot be restored, or could not be read.
    pub(super) failure: Option<Failure>,
    /// What may stand against it.
    pub(super) warnings: Vec<String>,
}

impl Verdict {
    pub(super) fn of(failure: Failure) -> Self {
        Self { failure: Some(failure), warnings: Vec::new() }
    }
}

/// Judges a file that was read to its end. Everything that stands against it is said at once.
pub(super) fn judge(
    file: &File,
    summary: &Summary,
    engine: (Option<&str>, Option<&str>),
) -> Verdict {
    let name = file.name();
    let mut warnings = Vec::new();
    let mut against: Vec<(String, &str)> = Vec::new();
    match summary.head.map(|head| (head, format(head, engine))) {
        Some((_, Readable::Yes)) | None => {}
        Some((head, Readable::No(why))) => against.push((
            format!("it is {head}: {why}"),
            "set `engine` and `engine_version` to ones that read it; `engine: valkey` reads up to RDB version 11",
        )),
        Some((head, Readable::Unknown(why))) => warnings.push(format!("{name} is {head}: {why}")),
    }
    match summary.checksum {
        Some(Checksum::Fits) => {}
        Some(Checksum::Differs { stored, computed }) => against.push((
            format!("its checksum is {stored:016x}, and that of its bytes {computed:016x}: it is damaged"),
            "export again; the source is not changed by that",
        )),
        Some(Checksum::Absent) | None => {
            warnings.push(format!("{name} has no checksum: damage to it would not be noticed"));
        }
    }
    // MemoryDB developer guide, restoring from a snapshot: it fails if the file references more than one database, and
    // there is only database 0. A file with another database alone is not mentioned there: taken for the same.
    let others: Vec<String> = summary
        .databases
        .iter()
        .filter(|(number, _)| **number != 0)
        .map(|(number, count)| format!("{number} ({})", counted(count.keys, "key", "keys")))
        .collect();
    if !others.is_empty() {
        against.push((
            format!(
                "it has databases besides 0, which MemoryDB does not have: {}",
                others.join(", ")
            ),
            "move those keys into database 0 of the source, or delete them, then export again",
        ));
    }
    let modules = summary.modules.iter().chain(&summary.modules_aside).map(|module| module.name());
    let (unsure, foreign): (Vec<_>, Vec<_>) =
        modules.partition(|module| UNSURE.contains(&module.as_str()));
    if !foreign.is_empty() {
        against.push((
            format!("it has values of modules that MemoryDB does not have: {}", foreign.join(", ")),
            "delete those keys from the source, or replace them by plain types, then export again",
        ));
    }
    if !unsure.is_empty() {
        let unsure = unsure.join(", ");
        warnings.push(format!(
            "{name} has values of {unsure}: AWS does not say whether MemoryDB reads those of ElastiCache; try it with a \
             copy first"
        ));
    }
    if !summary.functions.is_empty() && before_functions(engine) {
        let functions: Vec<&str> = summary.functions.iter().map(String::as_str).collect();
        against.push((
            format!("it has functions, which Redis 6.2 does not know: {}", functions.join(", ")),
            "set `engine` and `engine_version` to 7.0 or later",
        ));
    }
    let behind = file.bytes.saturating_sub(summary.bytes);
    if behind > 0 {
        warnings.push(format!("{name} has {behind} bytes behind its end, which are not read"));
    }
    Verdict { failure: failure(&name, against), warnings }
}

fn failure(name: &str, against: Vec<(String, &str)>) -> Option<Failure> {
    let mends: Vec<&str> = against.iter().map(|(_, mend)| *mend).collect();
    let failure = Failure::fatal(format!("MemoryDB could not restore {name}"));
    let failure = against.iter().fold(failure, |failure, (why, _)| failure.because(why.clone()));
    (!against.is_empty()).then(|| failure.mend(mends.join("; ")))
}

fn format(head: Head, engine: (Option<&str>, Option<&str>)) -> Readable {
    if !head.is_known() {
        return Readable::No("no engine of MemoryDB is so new".to_owned());
    }
    let valkey = head.dialect == Dialect::Valkey;
    readable(Magic { valkey, version: head.version }, engine)
}

fn before_functions((engine, version): (Option<&str>, Option<&str>)) -> bool {
    engine.is_some_and(|engine| engine.eq_ignore_ascii_case("redis"))
        && version.is_some_and(|version| version.starts_with("6."))
}
