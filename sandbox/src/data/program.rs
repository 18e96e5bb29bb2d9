//! Finding the server program.

use super::error::DataError;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Names looked for on `PATH`, in this order.
const NAMES: [&str; 2] = ["redis-server", "valkey-server"];
/// FUNCTION, PEXPIRETIME and ACL rules for subcommands all came with 7.0. A program that stands in for an older engine by
/// name may lack them.
const LEAST: u32 = 7;
/// The oldest that can stand in for an engine: ACLs came with 6.0.
const LEAST_STAND_IN: u32 = 6;

/// A server program that answered `--version`.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// `7.0.15`
    pub(crate) version: String,
}

impl Program {
    /// The file name, for messages.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }

    /// Such as 7.
    pub(crate) fn major(&self) -> u32 {
        major(&self.version).unwrap_or(LEAST)
    }

    /// Runs `path --version` and takes it if it is a Redis or Valkey server of 7.0 or later.
    pub(crate) fn probe(path: &Path) -> Result<Self, DataError> {
        Self::at_least(path, LEAST)
    }

    /// Takes a program that is to stand in for one engine and version: 6.0 or later.
    pub(crate) fn stand_in(path: &Path) -> Result<Self, DataError> {
        Self::at_least(path, LEAST_STAND_IN)
    }

    fn at_least(path: &Path, least: u32) -> Result<Self, DataError> {
        let refuse =
            |reason: String| DataError::Program { program: path.display().to_string(), reason };
        let output = Command::new(path)
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| refuse(error.to_string()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text
            .split_whitespace()
            .find_map(|word| word.strip_prefix("v="))
            .filter(|_| text.to_ascii_lowercase().contains("server"))
            .ok_or_else(|| {
                refuse("it does not answer --version as redis-server does".to_owned())
            })?;
        if major(version).is_none_or(|major| major < least) {
            return Err(refuse(format!("version {version} is older than {least}.0")));
        }
        // The watchdog starts it from elsewhere, so a relative path would not do.
        let path = std::path::absolute(path).map_err(|error| refuse(error.to_string()))?;
        Ok(Self { path, version: version.to_owned() })
    }

    /// The first usable program on `PATH`, or why there is none.
    pub(crate) fn discover() -> Result<Self, String> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut why = format!("neither {} nor {} is on PATH", NAMES[0], NAMES[1]);
        for name in NAMES {
            for folder in std::env::split_paths(&path).filter(|folder| folder.is_absolute()) {
                let candidate = folder.join(name);
                if !candidate.is_file() {
                    continue;
                }
                match Self::probe(&candidate) {
                    Ok(program) => return Ok(program),
                    Err(error) => why = error.to_string(),
                }
            }
        }
        Err(why)
    }
}

fn major(version: &str) -> Option<u32> {
    version.split('.').next()?.parse().ok()
}
