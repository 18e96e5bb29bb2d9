//! What a step kind declares: permissions, services it lets into a bucket, and what its outputs will look like.

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

/// When a permission is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phases(u8);

impl Phases {
    /// By the looks before a run alone.
    pub const PLAN: Self = Self(1);
    /// By the step itself.
    pub const RUN: Self = Self(2);
    /// By its undo alone.
    pub const UNDO: Self = Self(4);
    /// Before the run and by the step.
    pub const PLAN_RUN: Self = Self(1 | 2);
    /// By the step and its undo.
    pub const RUN_UNDO: Self = Self(2 | 4);
    /// Always.
    pub const ALL: Self = Self(1 | 2 | 4);

    /// Whether all of `other` are among these.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These and those.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn words(self) -> impl Iterator<Item = &'static str> {
        [(Self::PLAN, "plan"), (Self::RUN, "run"), (Self::UNDO, "rollback")]
            .into_iter()
            .filter(move |(phase, _)| self.has(*phase))
            .map(|(_, word)| word)
    }
}

impl std::fmt::Display for Phases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.words().collect::<Vec<_>>().join(", "))
    }
}

impl Serialize for Phases {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for word in self.words() {
            list.serialize_element(word)?;
        }
        list.end()
    }
}

/// An IAM permission a kind may need.
///
/// The resource is a template. What follows the service's own ARN prefix is written as the service authorization
/// reference has it: `snapshot:{name}`, `cluster/{name}`, `{bucket}/*`, `*`. A word in braces is an argument, with dots
/// into it; a list stands for each of its items. `{name|orc-*}` has a pattern for when the argument is not given; without
/// one the permission is not needed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Action {
    /// "elasticache:CreateSnapshot".
    pub name: &'static str,
    /// The resource as a template.
    pub resource: &'static str,
    /// When it is needed.
    pub phases: Phases,
    /// The argument without which it is not needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<&'static str>,
    /// The argument with which it is not needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unless: Option<&'static str>,
    /// What its lack means, where the step can do without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub helps: Option<&'static str>,
    /// Conditions that narrow it further.
    #[serde(skip_serializing_if = "<[Given]>::is_empty")]
    pub given: &'static [Given],
}

/// A condition of a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Given {
    /// "StringEquals".
    pub operator: &'static str,
    /// "iam:AWSServiceName".
    pub key: &'static str,
    /// The values, as templates.
    pub values: &'static [&'static str],
}

/// Shorthand for the `ACTIONS` of a kind.
#[must_use]
pub const fn action(name: &'static str, resource: &'static str, phases: Phases) -> Action {
    Action { name, resource, phases, when: None, unless: None, helps: None, given: &[] }
}

impl Action {
    /// Narrowed by conditions.
    #[must_use]
    pub const fn given(mut self, given: &'static [Given]) -> Self {
        self.given = given;
        self
    }

    /// Needed only where this argument is given.
    #[must_use]
    pub const fn when(mut self, argument: &'static str) -> Self {
        self.when = Some(argument);
        self
    }

    /// Needed only where this argument is not given.
    #[must_use]
    pub const fn unless(mut self, argument: &'static str) -> Self {
        self.unless = Some(argument);
        self
    }

    /// The step can do without it; says what that means.
    #[must_use]
    pub const fn helps(mut self, without: &'static str) -> Self {
        self.helps = Some(without);
        self
    }

    /// "elasticache".
    #[must_use]
    pub fn service(&self) -> &'static str {
        self.name.split(':').next().unwrap_or(self.name)
    }
}

/// What an output of a kind will look like, as far as the arguments tell: a field, and a template of its value.
pub type Foreseen = (&'static str, &'static str);

/// A service that a kind lets reach into a bucket by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Guest {
    /// Its name in the principal, after the region: "elasticache-snapshot".
    pub service: &'static str,
    /// What it is called in a statement's id.
    pub title: &'static str,
    /// What it does there.
    pub actions: &'static [&'static str],
    /// The bucket, as a template.
    pub bucket: &'static str,
}
