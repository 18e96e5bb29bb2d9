//! Which engine of AWS a server program stands in for.

use std::str::FromStr;

/// An engine and a version of it, such as `redis-6.2`; all versions that begin so are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineVersion {
    engine: String,
    version: String,
}

impl EngineVersion {
    /// Whether a cluster of this engine and version is meant.
    pub(crate) fn fits(&self, engine: &str, version: &str) -> bool {
        let rest = version.strip_prefix(self.version.as_str());
        self.engine.eq_ignore_ascii_case(engine)
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

impl FromStr for EngineVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = |(engine, version): &(&str, &str)| {
            let numbers = version.split('.').all(|part| part.parse::<u16>().is_ok());
            matches!(*engine, "redis" | "valkey") && numbers
        };
        let (engine, version) = text.split_once('-').filter(known).ok_or_else(|| {
            format!("{text} is not an engine and a version, such as redis-6.2 or valkey-8.1")
        })?;
        Ok(Self { engine: engine.to_owned(), version: version.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_means_all_that_begin_with_it_and_no_other() {
        let seven: EngineVersion = "redis-7".parse().unwrap();
        let six_two: EngineVersion = "redis-6.2".parse().unwrap();
        assert!(seven.fits("redis", "7.1.0") && seven.fits("Redis", "7"));
        assert!(!seven.fits("valkey", "7.2") && !seven.fits("redis", "70.1"));
        assert!(six_two.fits("redis", "6.2.6") && !six_two.fits("redis", "6.20"));
        for bad in ["redis", "keydb-6.2", "redis-", "redis-7.x", "valkey 8"] {
            assert!(bad.parse::<EngineVersion>().is_err(), "{bad}");
        }
    }
}
