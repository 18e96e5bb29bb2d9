//! What can differ between two keys, and how it is told: names, counts and lengths, never values.

use std::collections::BTreeMap;

use super::canon::size;
use super::plane::{Entry, Part};
use super::show::{counted, grouped, hex, show};

/// How many names of parts one line holds.
const MOST_NAMES: usize = 3;

/// One way in which a key differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Missing,
    Extra,
    Kind,
    Incomparable,
    Value,
    Expiry,
    /// It kept changing on the source.
    Unsettled,
}

impl What {
    /// As in a count: "3 missing on the target".
    pub(super) fn summary(&self) -> &'static str {
        match self {
            Self::Missing => "missing on the target",
            Self::Extra => "only on the target",
            Self::Kind => "of another type",
            Self::Incomparable => "of a type that cannot be compared",
            Self::Value => "with another value",
            Self::Expiry => "with another expiry",
            Self::Unsettled => "still changing on the source",
        }
    }
}

/// The rules of one comparison.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// By how much times of expiry may differ, in milliseconds.
    pub(super) tolerance_ms: u64,
    /// The source's clock.
    pub(super) now_ms: u64,
}

impl Rules {
    /// In what the two differ; nothing if they are equal. A key on one side only whose time has come, within tolerance,
    /// has expired on the other side, and that is no difference.
    pub(super) fn differences(&self, source: Option<&Entry>, target: Option<&Entry>) -> Vec<What> {
        match (source, target) {
            (None, None) => Vec::new(),
            (Some(entry), None) if !self.expired(entry) => vec![What::Missing],
            (None, Some(entry)) if !self.expired(entry) => vec![What::Extra],
            (Some(_), None) | (None, Some(_)) => Vec::new(),
            (Some(source), Some(target)) => {
                let mut differences = Vec::new();
                if source.kind != target.kind {
                    differences.push(What::Kind);
                } else if source.value != target.value {
                    let core = CORE.contains(&source.kind.as_str());
                    differences.push(if core { What::Value } else { What::Incomparable });
                }
                if !self.same_expiry(source, target) {
                    differences.push(What::Expiry);
                }
                differences
            }
        }
    }

    /// Whether two readings of one key on one side are the same.
    pub(super) fn steady(&self, before: Option<&Entry>, after: Option<&Entry>) -> bool {
        match (before, after) {
            (None, None) => true,
            (Some(before), Some(after)) => self.differences(Some(before), Some(after)).is_empty(),
            _ => false,
        }
    }

    fn expired(&self, entry: &Entry) -> bool {
        entry.expires_at_ms.is_some_and(|at| at <= self.now_ms + self.tolerance_ms)
    }

    fn same_expiry(&self, one: &Entry, other: &Entry) -> bool {
        match (one.expires_at_ms, other.expires_at_ms) {
            (None, None) => true,
            (Some(one), Some(other)) => one.abs_diff(other) <= self.tolerance_ms,
            _ => false,
        }
    }
}

/// Types whose values are taken apart; any other belongs to a module.
const CORE: [&str; 6] = ["string", "hash", "list", "set", "zset", "stream"];

/// What there is to say about one key.
pub(super) struct Detail<'a> {
    pub(super) key: &'a [u8],
    pub(super) source: Option<&'a Entry>,
    pub(super) target: Option<&'a Entry>,
    /// Parts of both values, if they could be had.
    pub(super) parts: Option<(Vec<Part>, Vec<Part>)>,
    pub(super) now_ms: u64,
}

impl Detail<'_> {
    /// One line: the key, and each way in which it differs.
    pub(super) fn line(&self, whats: &[What]) -> String {
        let said: Vec<String> = whats.iter().map(|what| self.words(what)).collect();
        format!("{}: {}", show(self.key), said.join("; "))
    }

    fn words(&self, what: &What) -> String {
        let kind = |entry: Option<&Entry>| entry.map_or("none", |e| e.kind.as_str()).to_owned();
        match what {
            What::Missing => format!("missing on target ({})", kind(self.source)),
            What::Extra => format!("only on target ({})", kind(self.target)),
            What::Kind => format!("type {} vs {}", kind(self.source), kind(self.target)),
            What::Incomparable => format!(
                "cannot compare type {}: the dumps differ, which may mean nothing",
                kind(self.source)
            ),
            What::Value => self.value(),
            What::Expiry => {
                format!("ttl {} vs {}", self.ttl(self.source), self.ttl(self.target))
            }
            What::Unsettled => "kept changing on the source while it was compared".to_owned(),
        }
    }

    fn ttl(&self, entry: Option<&Entry>) -> String {
        match entry.and_then(|entry| entry.expires_at_ms) {
            None => "none".to_owned(),
            Some(at) => {
                let left = at.saturating_sub(self.now_ms);
                format!("{}.{:03} s", grouped(left / 1000), left % 1000)
            }
        }
    }

    fn value(&self) -> String {
        let (Some(source), Some(target)) = (self.source, self.target) else {
            return "value differs".to_owned();
        };
        if source.kind == "string" {
            return match (size(&source.value), size(&target.value)) {
                (Some(one), Some(other)) if one != other => {
                    format!("string of {} vs {}", bytes(one), bytes(other))
                }
                (Some(length), _) => format!("string of {} differs", bytes(length)),
                _ => "string differs".to_owned(),
            };
        }
        let (one, many) = words(&source.kind);
        match &self.parts {
            Some((source_parts, target_parts)) if source_parts != target_parts => {
                compare_parts(&source.kind, source_parts, target_parts)
            }
            _ => match (size(&source.value), size(&target.value)) {
                (Some(s), Some(t)) if s != t => {
                    format!("{} vs {}", counted(s, one, many), counted(t, one, many))
                }
                (Some(count), _) => format!("some of {} differ", counted(count, one, many)),
                _ => format!("{} differs", source.kind),
            },
        }
    }
}

fn bytes(length: u64) -> String {
    counted(length, "byte", "bytes")
}

fn words(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "hash" => ("field", "fields"),
        "set" | "zset" => ("member", "members"),
        "list" => ("element", "elements"),
        _ => ("part", "parts"),
    }
}

/// "3 of 40 fields differ: "a", "b" differ; "c" only on target".
fn compare_parts(kind: &str, source: &[Part], target: &[Part]) -> String {
    let (on_source, on_target) = (by_name(source), by_name(target));
    let mut changed = Vec::new();
    let mut gone = Vec::new();
    for (name, digests) in &on_source {
        match on_target.get(name) {
            None => gone.push(*name),
            Some(others) if others != digests => changed.push(*name),
            Some(_) => {}
        }
    }
    let added: Vec<&[u8]> =
        on_target.keys().filter(|name| !on_source.contains_key(*name)).copied().collect();
    if kind == "list" {
        // By number, not by digits.
        let number = |name: &&[u8]| std::str::from_utf8(name).ok().and_then(|t| t.parse().ok());
        changed.sort_by_key(|name| number(name).unwrap_or(u64::MAX));
    }
    let (_, many) = words(kind);
    let all = on_source.len() + added.len();
    let differing = changed.len() + gone.len() + added.len();
    let mut said = Vec::new();
    for (names, tail) in [(changed, ""), (gone, " missing on target"), (added, " only on target")] {
        if !names.is_empty() {
            said.push(format!("{}{tail}", listed(kind, &names)));
        }
    }
    format!(
        "{} of {} {many} {}: {}",
        grouped(differing as u64),
        grouped(all as u64),
        if differing == 1 { "differs" } else { "differ" },
        said.join("; ")
    )
}

/// Consumers share their group's name, so a name may have several digests.
fn by_name(parts: &[Part]) -> BTreeMap<&[u8], Vec<[u8; 16]>> {
    let mut names: BTreeMap<&[u8], Vec<[u8; 16]>> = BTreeMap::new();
    for part in parts {
        names.entry(&part.name).or_default().push(part.digest);
    }
    names
}

fn listed(kind: &str, names: &[&[u8]]) -> String {
    let mut shown: Vec<String> =
        names.iter().take(MOST_NAMES).map(|name| name_of(kind, name)).collect();
    if names.len() > MOST_NAMES {
        shown.push(format!("{} more", grouped((names.len() - MOST_NAMES) as u64)));
    }
    shown.join(", ")
}

/// Fields and ids by name; a member of a set is data, so it is told by length and digest.
fn name_of(kind: &str, name: &[u8]) -> String {
    match kind {
        "set" | "zset" => {
            use sha2::{Digest, Sha256};
            let digest = Sha256::digest(name);
            format!("member of {} (sha256 {}…)", bytes(name.len() as u64), hex(&digest[..4]))
        }
        "list" => format!("index {}", String::from_utf8_lossy(name)),
        "stream" => show(name).trim_matches('"').to_owned(),
        _ => show(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { tolerance_ms: 1_000, now_ms: 100_000 };

    fn entry(kind: &str, value: &[u8], expires_at_ms: Option<u64>) -> Entry {
        Entry { kind: kind.to_owned(), value: value.to_vec(), expires_at_ms }
    }

    fn part(name: &[u8], content: u8) -> Part {
        Part { name: name.to_vec(), digest: [content; 16] }
    }

    #[test]
    fn a_key_that_expired_meanwhile_on_either_side_is_no_difference() {
        let expired = entry("string", b"x", Some(100_500));
        assert!(RULES.differences(Some(&expired), None).is_empty());
        assert!(RULES.differences(None, Some(&expired)).is_empty());
        let alive = entry("string", b"x", Some(101_001));
        assert_eq!(RULES.differences(Some(&alive), None), [What::Missing]);
        assert_eq!(RULES.differences(None, Some(&alive)), [What::Extra]);
    }

    #[test]
    fn expiry_counts_beyond_the_tolerance_only() {
        let at = |ms| entry("string", b"x", ms);
        let differ = |a, b| RULES.differences(Some(&at(a)), Some(&at(b)));
        assert!(differ(Some(200_000), Some(201_000)).is_empty());
        assert_eq!(differ(Some(200_000), Some(201_001)), [What::Expiry]);
        assert_eq!(differ(Some(200_000), None), [What::Expiry]);
    }

    #[test]
    fn value_and_expiry_may_both_differ_and_a_line_says_both() {
        let (source, target) = (entry("hash", b"1", Some(220_000)), entry("hash", b"2", None));
        let whats = RULES.differences(Some(&source), Some(&target));
        assert_eq!(whats, [What::Value, What::Expiry]);
        let detail = Detail {
            key: b"k",
            source: Some(&source),
            target: Some(&target),
            parts: Some((
                vec![part(b"a", 1), part(b"b", 1), part(b"c", 1)],
                vec![part(b"a", 1), part(b"b", 2), part(b"d", 1)],
            )),
            now_ms: 100_000,
        };
        assert_eq!(
            detail.line(&whats),
            "\"k\": 3 of 4 fields differ: \"b\"; \"c\" missing on target; \"d\" only on target; \
             ttl 120.000 s vs none"
        );
    }

    #[test]
    fn a_module_type_with_other_bytes_is_called_incomparable() {
        let (one, other) = (entry("ReJSON-RL", b"1", None), entry("ReJSON-RL", b"2", None));
        assert_eq!(RULES.differences(Some(&one), Some(&other)), [What::Incomparable]);
        assert!(RULES.differences(Some(&one), Some(&one)).is_empty());
    }

    #[test]
    fn members_of_sets_are_not_shown() {
        let text = compare_parts("set", &[part(b"s3cret", 1)], &[part(b"hidden", 2)]);
        assert!(!text.contains("s3cret") && !text.contains("hidden"), "{text}");
        assert!(text.contains("member of 6 bytes (sha256 "), "{text}");
    }
}
