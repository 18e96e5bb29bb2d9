//! What was read.

use jiff::Timestamp;

use crate::survey::{Endpoint, Group, Held, MemoryDbNames, Serverless, Shelf, User};

/// What was read, or why it could not be.
pub type Read<T> = Result<T, String>;

/// A source, and what was found around it.
#[derive(Clone, Debug)]
pub struct Found {
    /// The source.
    pub source: Source,
    /// Twelve digits.
    pub account: String,
    /// The region.
    pub region: String,
    /// The ARN of whoever read.
    pub caller: String,
    /// When.
    pub at: Timestamp,
    /// What the owner of its parameter group set.
    pub parameters: Read<Vec<(String, String)>>,
    /// Its RBAC users.
    pub users: Read<Vec<User>>,
    /// Its subnets.
    pub subnets: Read<Vec<String>>,
    /// MemoryDB's subnet groups, with their subnets.
    pub subnet_groups: Read<Vec<(String, Vec<String>)>>,
    /// What else its user groups are attached to.
    pub sharing: Read<Vec<String>>,
    /// What MemoryDB has already.
    pub there: Read<MemoryDbNames>,
    /// Plain SSM parameters.
    pub ssm: Read<Shelf>,
    /// CNAME records.
    pub dns: Read<Shelf>,
    /// Secrets.
    pub secrets: Read<Shelf>,
}

/// What is to be moved.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one in a process")]
pub enum Source {
    /// A replication group.
    Group(Box<Group>),
    /// A serverless cache.
    Serverless(Serverless),
}

impl Source {
    /// Its id or name.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Group(group) => &group.id,
            Self::Serverless(cache) => &cache.name,
        }
    }

    /// The service's word for it.
    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::Group(_) => "replication group",
            Self::Serverless(_) => "serverless cache",
        }
    }

    pub(super) fn status(&self) -> &str {
        match self {
            Self::Group(group) => &group.status,
            Self::Serverless(cache) => &cache.status,
        }
    }

    pub(super) fn engine(&self) -> &str {
        match self {
            Self::Group(group) => &group.engine,
            Self::Serverless(cache) => &cache.engine,
        }
    }

    pub(super) fn version(&self) -> Option<&str> {
        match self {
            Self::Group(group) => group.engine_version(),
            Self::Serverless(cache) => cache.version.as_deref(),
        }
    }

    pub(super) fn endpoint(&self) -> Option<&Endpoint> {
        match self {
            Self::Group(group) => group.endpoint.as_ref(),
            Self::Serverless(cache) => cache.endpoint.as_ref(),
        }
    }

    pub(super) fn reader(&self) -> Option<&Endpoint> {
        match self {
            Self::Group(group) => group.reader.as_ref(),
            Self::Serverless(cache) => cache.reader.as_ref(),
        }
        .filter(|reader| Some(*reader) != self.endpoint())
    }

    pub(super) fn user_groups(&self) -> &[String] {
        match self {
            Self::Group(group) => &group.user_groups,
            Self::Serverless(cache) => cache.user_group.as_slice(),
        }
    }

    pub(super) fn auth_token(&self) -> bool {
        matches!(self, Self::Group(group) if group.auth_token)
    }

    pub(super) fn tls(&self) -> bool {
        match self {
            Self::Group(group) => group.tls,
            Self::Serverless(_) => true,
        }
    }

    pub(super) fn cluster_mode(&self) -> bool {
        match self {
            Self::Group(group) => group.cluster_enabled,
            Self::Serverless(_) => true,
        }
    }

    pub(super) fn kms_key(&self) -> Option<&str> {
        match self {
            Self::Group(group) => group.kms_key.as_deref(),
            Self::Serverless(cache) => cache.kms_key.as_deref(),
        }
    }

    pub(super) fn security_groups(&self) -> &[String] {
        match self {
            Self::Group(group) => {
                group.node.as_ref().map_or(&[], |node| node.security_groups.as_slice())
            }
            Self::Serverless(cache) => &cache.security_groups,
        }
    }

    /// The ElastiCache parameter group.
    pub(super) fn parameter_group(&self) -> Option<&str> {
        match self {
            Self::Group(group) => group.node.as_ref().ok()?.parameter_group.as_deref(),
            Self::Serverless(_) => None,
        }
    }

    /// The ElastiCache subnet group.
    pub(super) fn subnet_group(&self) -> Option<&str> {
        match self {
            Self::Group(group) => group.node.as_ref().ok()?.subnet_group.as_deref(),
            Self::Serverless(_) => None,
        }
    }
}

impl Found {
    /// Everything that may hold an endpoint.
    pub(super) fn held(&self) -> impl Iterator<Item = &Held> {
        let shelves = [&self.ssm, &self.dns, &self.secrets];
        shelves.into_iter().flatten().flat_map(|shelf| &shelf.held)
    }

    /// Whether MemoryDB has one of that name already.
    pub(super) fn has(&self, of: impl Fn(&MemoryDbNames) -> &Vec<String>, name: &str) -> bool {
        let there = self.there.as_ref();
        there.is_ok_and(|there| of(there).contains(&name.to_lowercase()))
    }

    /// The MemoryDB subnet group that has the source's subnets.
    pub(super) fn same_subnets(&self) -> Option<&str> {
        let wanted = sorted(self.subnets.as_ref().ok()?);
        let groups = self.subnet_groups.as_ref().ok()?;
        let same = groups.iter().find(|(_, subnets)| sorted(subnets) == wanted);
        same.filter(|_| !wanted.is_empty()).map(|(name, _)| name.as_str())
    }

    pub(super) fn unread(&self) -> Vec<String> {
        let mut unread = Vec::new();
        let mut say = |what: &str, error: Option<&String>| {
            unread.extend(error.map(|error| format!("{what}: {error}")));
        };
        if let Source::Group(group) = &self.source
            && let Err(failure) = &group.node
        {
            let error = failure.to_string();
            say("engine version, parameter group, subnet group and security groups", Some(&error));
        }
        say("what its parameter group sets", self.parameters.as_ref().err());
        say("its users", self.users.as_ref().err());
        say("what else has its users", self.sharing.as_ref().err());
        say("what MemoryDB has already", self.there.as_ref().err());
        say("its subnets", self.subnets.as_ref().err());
        say("MemoryDB's subnet groups", self.subnet_groups.as_ref().err());
        say("SSM parameters", self.ssm.as_ref().err());
        say("Route 53 records", self.dns.as_ref().err());
        say("secrets", self.secrets.as_ref().err());
        unread
    }

    pub(super) fn left_out(&self) -> Vec<String> {
        let shelves = [&self.ssm, &self.dns, &self.secrets];
        let mut left: Vec<String> =
            shelves.into_iter().flatten().flat_map(|shelf| shelf.left_out.clone()).collect();
        if let Ok(shelf) = &self.secrets
            && !shelf.unread.is_empty()
        {
            left.push(match shelf.unread.len() {
                1 => "the value of one secret".to_owned(),
                n => format!("the values of {n} secrets"),
            });
        }
        left
    }
}

fn sorted(names: &[String]) -> Vec<&String> {
    let mut names: Vec<&String> = names.iter().collect();
    names.sort();
    names
}
