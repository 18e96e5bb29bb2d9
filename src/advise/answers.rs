//! The answers, each of which may be missing.

use serde::Serialize;

use crate::cost::{Money, Quantity};

/// What is known of the demands. `None`: not answered, or "unknown".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Answers {
    /// What may be missing after the worst failure.
    pub loss: Option<Loss>,
    /// Whether this is the only copy of the data.
    pub only_copy: Option<bool>,
    /// Whether a law, contract or auditor forbids losing an acknowledged write.
    pub loss_forbidden: Option<bool>,
    /// How soon a lost shard must have its data back.
    pub recovery: Option<Recovery>,
    /// In how many regions the data is.
    pub regions: Option<Regions>,
    /// How long a write may take.
    pub latency: Option<Latency>,
    /// The most that one shard is written, in MiB a second.
    pub peak_write: Option<Quantity>,
    /// How much more a month it may cost.
    pub budget: Option<Budget>,
    /// Whether keys are evicted when memory is full.
    pub evicts: Option<bool>,
    /// Whether the clients speak the cluster protocol.
    pub cluster_clients: Option<bool>,
    /// How the clients authenticate.
    pub auth: Option<Auth>,
}

/// What may be missing after the worst failure, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// All of it: it can be filled again.
    Everything,
    /// What was written since yesterday's backup.
    ADay,
    /// The last ten seconds.
    TenSeconds,
    /// Nothing that was acknowledged.
    Nothing,
}

/// How soon a shard that lost all its nodes must serve its data again, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recovery {
    /// Never: it fills again.
    Never,
    /// Somebody may restore a backup.
    Hours,
    /// By itself.
    Minutes,
}

/// Where the data is, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Regions {
    /// In one region.
    One,
    /// Written in one, read or kept for disasters in others.
    ReadElsewhere,
    /// Written in several.
    WriteEverywhere,
}

/// How long a write may take, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Latency {
    /// A few milliseconds.
    Milliseconds,
    /// Not even one.
    Microseconds,
}

/// How much more a month it may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// The price does not decide.
    Any,
    /// At most so much.
    #[serde(untagged)]
    AtMost(Money),
}

/// How the clients authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// Not at all.
    None,
    /// With a password alone: an AUTH token.
    Password,
    /// With user and password.
    UserAndPassword,
    /// With IAM.
    Iam,
}

/// What an answer that is a number may be.
fn number<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

impl Answers {
    /// Takes the answer to the question named `key`, as it is typed. "unknown" leaves it open.
    ///
    /// # Errors
    /// If there is no such question, or no such answer: says which there are.
    pub fn take(&mut self, key: &str, text: &str) -> Result<(), String> {
        let Some(question) = super::question(key) else {
            return Err(format!("there is no question \"{key}\""));
        };
        let word = text.trim().to_lowercase();
        if word == "unknown" || word == "?" {
            return Ok(());
        }
        let wrong = || format!("\"{}\" is no answer to {key}: {}", text.trim(), question.expects());
        let yes_no = || match word.as_str() {
            "yes" | "y" | "true" => Ok(Some(true)),
            "no" | "n" | "false" => Ok(Some(false)),
            _ => Err(wrong()),
        };
        match key {
            "loss" => {
                self.loss = Some(match word.as_str() {
                    "everything" => Loss::Everything,
                    "a-day" => Loss::ADay,
                    "ten-seconds" => Loss::TenSeconds,
                    "nothing" => Loss::Nothing,
                    _ => return Err(wrong()),
                });
            }
            "recovery" => {
                self.recovery = Some(match word.as_str() {
                    "never" => Recovery::Never,
                    "hours" => Recovery::Hours,
                    "minutes" => Recovery::Minutes,
                    _ => return Err(wrong()),
                });
            }
            "regions" => {
                self.regions = Some(match word.as_str() {
                    "one" => Regions::One,
                    "read-elsewhere" => Regions::ReadElsewhere,
                    "write-everywhere" => Regions::WriteEverywhere,
                    _ => return Err(wrong()),
                });
            }
            "write-latency" => {
                self.latency = Some(match word.as_str() {
                    "milliseconds" => Latency::Milliseconds,
                    "microseconds" => Latency::Microseconds,
                    _ => return Err(wrong()),
                });
            }
            "auth" => {
                self.auth = Some(match word.as_str() {
                    "none" => Auth::None,
                    "password" => Auth::Password,
                    "user-and-password" => Auth::UserAndPassword,
                    "iam" => Auth::Iam,
                    _ => return Err(wrong()),
                });
            }
            "budget" => {
                self.budget = Some(match word.as_str() {
                    "any" => Budget::Any,
                    _ => Budget::AtMost(number(&word).map_err(|_| wrong())?),
                });
            }
            "peak-write" => self.peak_write = Some(number(&word).map_err(|_| wrong())?),
            "only-copy" => self.only_copy = yes_no()?,
            "loss-forbidden" => self.loss_forbidden = yes_no()?,
            "evicts" => self.evicts = yes_no()?,
            "cluster-clients" => self.cluster_clients = yes_no()?,
            _ => return Err(format!("there is no question \"{key}\"")),
        }
        Ok(())
    }
}
