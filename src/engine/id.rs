//! The name of a run.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const TIME_DIGITS: usize = 6;
const RANDOM_DIGITS: usize = 4;

/// Ten lower-case characters: six for the minute the run began, so that runs sort by age, four random ones. Short and
/// lower-case because it goes into resource names, which both services fold to lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

/// The text is not a run id.
#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" is not a run id: ten characters of 0-9 and a-z, as `orchestrate runs` lists them")]
pub struct NotARunId(String);

impl RunId {
    /// A new id for a run that begins `at`.
    pub fn new(at: Timestamp, rng: &mut impl Rng) -> Self {
        let mut minutes = u64::try_from(at.as_second().max(0)).unwrap_or(0) / 60;
        let mut id = [0u8; TIME_DIGITS + RANDOM_DIGITS];
        for slot in id[..TIME_DIGITS].iter_mut().rev() {
            *slot = ALPHABET[(minutes % 32) as usize];
            minutes /= 32;
        }
        for slot in &mut id[TIME_DIGITS..] {
            *slot = ALPHABET[rng.random_range(0..ALPHABET.len())];
        }
        Self(id.iter().map(|b| char::from(*b)).collect())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RunId {
    type Err = NotARunId;

    fn from_str(text: &str) -> Result<Self, NotARunId> {
        let right = text.len() == TIME_DIGITS + RANDOM_DIGITS
            && text.bytes().all(|b| ALPHABET.contains(&b));
        if right { Ok(Self(text.to_owned())) } else { Err(NotARunId(text.to_owned())) }
    }
}

impl TryFrom<String> for RunId {
    type Error = NotARunId;

    fn try_from(text: String) -> Result<Self, NotARunId> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.0
    }
}
