//! Reads a source and what is around it. Whatever cannot be read is said, and does not stop the rest.

use jiff::Timestamp;

use super::found::{Found, Read, Source};
use crate::aws::Identity;
use crate::engine::Failure;
use crate::survey::{Survey, User};

/// Names that are told to somebody who meant another.
const NEAR: f64 = 0.7;

/// What is to be read.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// A replication group.
    Group(&'a str),
    /// A serverless cache.
    Serverless(&'a str),
}

/// Why there is nothing to write.
#[derive(Debug)]
pub enum Failed {
    /// There is no such source.
    Missing {
        /// "replication group" or "serverless cache".
        what: &'static str,
        /// The name that was asked for.
        name: String,
        /// The name that is most like it.
        near: Option<String>,
        /// Some of the names there are.
        there: Vec<String>,
        /// Whether the name is one of the other sort.
        other_sort: bool,
    },
    /// The source itself cannot be read.
    Unreadable(Failure),
}

/// Reads a source and what is around it. `secrets` says whether to read the values of secrets too.
///
/// # Errors
/// If the source is not there or cannot be read.
pub async fn gather(
    survey: &Survey,
    who: &Identity,
    at: Timestamp,
    wanted: Wanted<'_>,
    secrets: bool,
) -> Result<Found, Failed> {
    let source = source(survey, wanted).await?;
    let (parameters, users, subnets) = match &source {
        Source::Group(group) => {
            let node = group.node.as_ref();
            let group_name = node.ok().and_then(|node| node.parameter_group.clone());
            let subnet_group = node.ok().and_then(|node| node.subnet_group.clone());
            futures::join!(
                parameters(survey, group_name.as_deref()),
                users(survey, &group.user_groups),
                subnets(survey, subnet_group.as_deref())
            )
        }
        Source::Serverless(cache) => {
            let users = users(survey, cache.user_group.as_slice()).await;
            (Ok(Vec::new()), users, Ok(cache.subnets.clone()))
        }
    };
    let (subnet_groups, sharing, there, ssm, dns, held) = futures::join!(
        survey.subnet_groups(),
        sharing(survey, &source, &users),
        survey.memorydb_names(),
        survey.shelf_of_parameters(),
        survey.shelf_of_records(),
        survey.shelf_of_secrets(secrets)
    );
    Ok(Found {
        source,
        account: who.account.clone(),
        region: who.region.clone(),
        caller: who.arn.clone(),
        at,
        parameters,
        users,
        subnets,
        subnet_groups: told(subnet_groups),
        sharing,
        there: told(there),
        ssm: told(ssm),
        dns: told(dns),
        secrets: told(held),
    })
}

fn told<T>(answer: Result<T, Failure>) -> Read<T> {
    answer.map_err(|failure| failure.to_string())
}

async fn source(survey: &Survey, wanted: Wanted<'_>) -> Result<Source, Failed> {
    let found = match wanted {
        Wanted::Group(id) => survey
            .group(id)
            .await
            .map(|group| (*group).clone().map(|group| Source::Group(Box::new(group)))),
        Wanted::Serverless(name) => {
            survey.serverless(name).await.map(|cache| cache.map(Source::Serverless))
        }
    };
    match found {
        Ok(Some(source)) => Ok(source),
        Ok(None) => Err(missing(survey, wanted).await),
        Err(failure) => Err(Failed::Unreadable(failure)),
    }
}

async fn missing(survey: &Survey, wanted: Wanted<'_>) -> Failed {
    let (groups, caches) = futures::join!(survey.group_names(), survey.serverless_names());
    let (groups, caches) = (groups.unwrap_or_default(), caches.unwrap_or_default());
    let (what, name, there, others) = match wanted {
        Wanted::Group(id) => ("replication group", id, groups, caches),
        Wanted::Serverless(name) => ("serverless cache", name, caches, groups),
    };
    let lower = name.to_ascii_lowercase();
    let likeness = |known: &String| (strsim::jaro_winkler(known, &lower), known.clone());
    let near = there.iter().map(likeness).max_by(|a, b| a.0.total_cmp(&b.0));
    Failed::Missing {
        what,
        name: name.to_owned(),
        near: near.filter(|(likeness, _)| *likeness > NEAR).map(|(_, name)| name),
        other_sort: others.iter().any(|other| other.eq_ignore_ascii_case(name)),
        there,
    }
}

async fn parameters(survey: &Survey, group: Option<&str>) -> Read<Vec<(String, String)>> {
    match group {
        None => Err("the parameter group is not known".to_owned()),
        // Nobody can set anything in those (ElastiCache user guide, parameter groups).
        Some(name) if name.starts_with("default.") => Ok(Vec::new()),
        Some(name) => told(survey.set_parameters(name).await.map(|set| (*set).clone())),
    }
}

async fn users(survey: &Survey, groups: &[String]) -> Read<Vec<User>> {
    let mut all: Vec<User> = Vec::new();
    for group in groups {
        let users = told(survey.users(group).await)?;
        all.extend(
            users
                .iter()
                .filter(|user| !all.iter().any(|known| known.id == user.id))
                .cloned()
                .collect::<Vec<_>>(),
        );
    }
    Ok(all)
}

/// Who else has the source's users: their user groups may be attached to others, and they may be in other groups.
async fn sharing(survey: &Survey, source: &Source, users: &Read<Vec<User>>) -> Read<Vec<String>> {
    // That they could not be read is said already.
    let Ok(users) = users else { return Ok(Vec::new()) };
    let own = source.user_groups().iter();
    let mut groups: Vec<String> =
        own.chain(users.iter().flat_map(|user| &user.groups)).cloned().collect();
    groups.sort();
    groups.dedup();
    let mut others = told(survey.attached(&groups).await)?;
    others.retain(|name| !name.eq_ignore_ascii_case(source.name()));
    Ok(others)
}

async fn subnets(survey: &Survey, group: Option<&str>) -> Read<Vec<String>> {
    match group {
        None => Err("the subnet group is not known".to_owned()),
        Some(name) => told(survey.subnets(name).await),
    }
}
