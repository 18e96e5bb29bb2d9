//! Names of what there is, for those who meant another, and of what goes with a source.

use super::read::Reader;
use crate::aws::Op;
use crate::engine::Failure;

/// Names beyond this many are not asked for.
const MOST: usize = 1_000;

/// The ids of all replication groups.
pub(super) async fn groups(reader: &Reader) -> Result<Vec<String>, Failure> {
    let op = Op::read("ElastiCache", "DescribeReplicationGroups");
    let mut names = Vec::new();
    let mut marker = None;
    loop {
        let request = || {
            let request = reader.aws.elasticache.describe_replication_groups();
            request.set_marker(marker.clone()).send()
        };
        let answer = reader.ask(op, request).await?;
        let groups = answer.replication_groups.unwrap_or_default().into_iter();
        names.extend(groups.filter_map(|group| group.replication_group_id));
        marker = answer.marker.filter(|marker| !marker.is_empty());
        if marker.is_none() || names.len() >= MOST {
            return Ok(names);
        }
    }
}

/// The names of all serverless caches.
pub(super) async fn caches(reader: &Reader) -> Result<Vec<String>, Failure> {
    let op = Op::read("ElastiCache", "DescribeServerlessCaches");
    let mut names = Vec::new();
    let mut token = None;
    loop {
        let request = || {
            let request = reader.aws.elasticache.describe_serverless_caches();
            request.set_next_token(token.clone()).send()
        };
        let answer = reader.ask(op, request).await?;
        let caches = answer.serverless_caches.unwrap_or_default().into_iter();
        names.extend(caches.filter_map(|cache| cache.serverless_cache_name));
        token = answer.next_token.filter(|token| !token.is_empty());
        if token.is_none() || names.len() >= MOST {
            return Ok(names);
        }
    }
}

/// The subnets of an ElastiCache subnet group.
pub(super) async fn subnets(reader: &Reader, group: &str) -> Result<Vec<String>, Failure> {
    let op = Op::read("ElastiCache", "DescribeCacheSubnetGroups");
    let client = &reader.aws.elasticache;
    let request = || client.describe_cache_subnet_groups().cache_subnet_group_name(group).send();
    let answer = reader.ask(op, request).await?;
    let groups = answer.cache_subnet_groups.unwrap_or_default().into_iter();
    let subnets = groups.flat_map(|group| group.subnets.unwrap_or_default());
    Ok(subnets.filter_map(|subnet| subnet.subnet_identifier).collect())
}

/// MemoryDB's subnet groups with their subnets.
pub(super) async fn subnet_groups(reader: &Reader) -> Result<Vec<(String, Vec<String>)>, Failure> {
    let op = Op::read("MemoryDB", "DescribeSubnetGroups");
    let mut all = Vec::new();
    let mut token = None;
    loop {
        let request = || {
            let request = reader.aws.memorydb.describe_subnet_groups();
            request.set_next_token(token.clone()).send()
        };
        let answer = reader.ask(op, request).await?;
        for group in answer.subnet_groups.unwrap_or_default() {
            let subnets = group.subnets.unwrap_or_default().into_iter();
            let subnets = subnets.filter_map(|subnet| subnet.identifier).collect();
            all.extend(group.name.map(|name| (name, subnets)));
        }
        token = answer.next_token.filter(|token| !token.is_empty());
        if token.is_none() || all.len() >= MOST {
            return Ok(all);
        }
    }
}

/// What MemoryDB has by name: in lower case, as it keeps names (MemoryDB API reference).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryDbNames {
    /// Users.
    pub users: Vec<String>,
    /// ACLs.
    pub acls: Vec<String>,
    /// Parameter groups.
    pub parameter_groups: Vec<String>,
}

/// One listing of MemoryDB, page after page, to the names in it.
macro_rules! listed {
    ($reader:ident, $operation:literal, $call:ident, $list:ident) => {
        async {
            let (mut names, mut token) = (Vec::new(), None::<String>);
            loop {
                let request = || $reader.aws.memorydb.$call().set_next_token(token.clone()).send();
                let answer = $reader.ask(Op::read("MemoryDB", $operation), request).await?;
                let some = answer.$list.unwrap_or_default().into_iter();
                names.extend(some.filter_map(|one| one.name).map(|name| name.to_lowercase()));
                token = answer.next_token.filter(|token| !token.is_empty());
                if token.is_none() || names.len() >= MOST {
                    return Ok::<_, Failure>(names);
                }
            }
        }
    };
}

pub(super) async fn memorydb(reader: &Reader) -> Result<MemoryDbNames, Failure> {
    let (users, acls, parameter_groups) = futures::try_join!(
        listed!(reader, "DescribeUsers", describe_users, users),
        listed!(reader, "DescribeACLs", describe_acls, acls),
        listed!(reader, "DescribeParameterGroups", describe_parameter_groups, parameter_groups),
    )?;
    Ok(MemoryDbNames { users, acls, parameter_groups })
}
