//! RDB versions: which engine writes which, and which reads which.

/// What an RDB file begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RdbHead {
    /// Whether it says VALKEY rather than REDIS: since Valkey 9.
    pub valkey: bool,
    /// Such as 11.
    pub version: u32,
}

impl std::fmt::Display for RdbHead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.valkey {
            write!(f, "VALKEY{:03}", self.version)
        } else {
            write!(f, "REDIS{:04}", self.version)
        }
    }
}

/// What an engine of ElastiCache writes, by its version such as "7.1.0" (the engines' own sources, `RDB_VERSION`; AWS's
/// Redis 7.1 is compatible with 7.0). `None` if it is not known.
#[must_use]
pub fn written_by(engine: &str, version: &str) -> Option<RdbHead> {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    let (major, minor) = (parts.next()??, parts.next().flatten().unwrap_or_default());
    let redis = |version| Some(RdbHead { valkey: false, version });
    match (engine, major, minor) {
        ("redis", 5 | 6, _) => redis(9),
        ("redis", 7, 0 | 1) => redis(10),
        ("redis", 7, _) | ("valkey", 7 | 8, _) => redis(11),
        ("valkey", 9, _) => Some(RdbHead { valkey: true, version: 80 }),
        _ => None,
    }
}

/// The newest RDB version with the head REDIS that an engine of MemoryDB reads: an engine reads those up to its own.
/// MemoryDB has no engine yet that reads the head VALKEY (MemoryDB developer guide, engine versions: up to 7.3).
#[must_use]
pub fn newest_readable(engine: &str, version: Option<&str>) -> u32 {
    match (engine.to_ascii_lowercase().as_str(), version) {
        ("redis", Some("6.2")) => 9,
        ("redis", _) => 10,
        _ => 11,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_engine_writes_and_reads_its_own() {
        let head = |engine, version| written_by(engine, version).map(|head| head.to_string());
        assert_eq!(head("redis", "6.2.6").as_deref(), Some("REDIS0009"));
        assert_eq!(head("redis", "7.1.0").as_deref(), Some("REDIS0010"));
        assert_eq!(head("valkey", "8.1").as_deref(), Some("REDIS0011"));
        assert_eq!(head("valkey", "9.0").as_deref(), Some("VALKEY080"));
        assert_eq!(head("redis", "next"), None);
        assert_eq!(newest_readable("redis", Some("6.2")), 9);
        assert_eq!(newest_readable("valkey", Some("7.3")), 11);
    }
}
