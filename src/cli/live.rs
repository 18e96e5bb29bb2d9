//! A live replication group, as far as cost and advice need it.

use super::account;
use super::error::CommandError;
use super::exit::Exit;
use crate::advise::{Auth, Level, Regions, Today};
use crate::cost::{
    Engine, Mode, NodeType, Quantity, durable_supports, gigabytes, memorydb_supports,
};
use crate::engine::Failure;
use crate::survey::{Authentication, Durable, Group, Survey, User};

/// What was read.
pub(crate) struct Live {
    /// Where it is.
    pub(crate) region: String,
    /// What it is, for the decision.
    pub(crate) today: Today,
    /// Its durability.
    pub(crate) mode: Option<Mode>,
    /// Its nodes.
    pub(crate) node_type: Option<NodeType>,
    /// Its shards.
    pub(crate) shards: u32,
    /// Replicas of each.
    pub(crate) replicas: u32,
    /// Its data, by its newest snapshot.
    pub(crate) data: Option<Quantity>,
    /// How clients authenticate, as far as that can be seen.
    pub(crate) auth: Option<Auth>,
    /// Whether keys are evicted.
    pub(crate) evicts: Option<bool>,
    /// Whether clients must speak the cluster protocol already.
    pub(crate) cluster_clients: Option<bool>,
    /// Whether a copy is in other regions.
    pub(crate) regions: Option<Regions>,
    /// The same in words, a line each.
    pub(crate) seen: Vec<String>,
}

/// How much of it is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What is priced.
    Shape,
    /// And what answers questions.
    Answers,
}

/// Reads the group.
///
/// # Errors
/// `Usage` if there is none of that name; `Refused` if it cannot be read.
pub(crate) async fn read(
    id: &str,
    region: Option<String>,
    depth: Depth,
) -> Result<Live, CommandError> {
    let (clients, clock) = account::reading(region).await?;
    let region = clients.region.clone();
    let survey = Survey::new(clients, clock);
    let refused = |failure: Failure| {
        CommandError::refused(failure.context(format!("cannot read replication group \"{id}\"")))
    };
    let group = survey.group(id).await.map_err(refused)?;
    let Some(group) = group.as_ref() else {
        return Err(CommandError::new(
            Exit::Usage,
            format!("there is no replication group \"{id}\" in {region}"),
        )
        .hint("`aws elasticache describe-replication-groups` lists them; --region names another region"));
    };
    let mut seen = vec![in_words(group), durability(group.durability.as_ref())];
    let wanted = depth == Depth::Answers;
    let (auth, evicts, data) = futures::join!(
        async { if wanted { auth(&survey, group).await } else { Ok(None) } },
        async { if wanted { evicts(&survey, group).await } else { Ok(None) } },
        data(&survey, group)
    );
    let auth = heard(auth, "how clients authenticate", &mut seen);
    let evicts = heard(evicts, "the eviction policy", &mut seen);
    let data = heard(data, "the size of its snapshots", &mut seen);
    let data = data.map(|(size, name)| {
        seen.push(format!("its snapshot \"{name}\" holds {} GB", size.short()));
        size
    });
    let node_type = group.node_type.parse::<NodeType>().ok();
    let mode = mode(group.durability.as_ref());
    let major = group.engine_version().and_then(|v| v.split('.').next()?.parse().ok());
    Ok(Live {
        region,
        today: Today {
            engine: group.engine.parse::<Engine>().ok(),
            major,
            keeps: keeps(group.durability.as_ref(), major),
            cluster_mode: Some(group.cluster_enabled),
            tls: Some(group.tls),
            replicas: Some(group.replicas()),
            memorydb_has_nodes: node_type.as_ref().map(memorydb_supports),
            durable_on_nodes: node_type.as_ref().map(durable_supports),
            tiered: group.data_tiering,
        },
        mode,
        node_type,
        shards: u32::try_from(group.shards.len().max(1)).unwrap_or(u32::MAX),
        replicas: group.replicas(),
        data,
        auth,
        evicts,
        cluster_clients: group.cluster_enabled.then_some(true),
        regions: group.global.as_ref().map(|_| Regions::ReadElsewhere),
        seen,
    })
}

fn heard<T>(answer: Result<Option<T>, Failure>, what: &str, seen: &mut Vec<String>) -> Option<T> {
    answer.unwrap_or_else(|failure| {
        seen.push(format!("{what} could not be read: {failure}"));
        None
    })
}

fn in_words(group: &Group) -> String {
    let shards = group.shards.len().max(1);
    let on = |on: bool| if on { "on" } else { "off" };
    let version = group.engine_version().unwrap_or("of a version that could not be read");
    format!(
        "replication group \"{}\": {} {version}, {shards} shard{} of {} with {} replica{}{}, cluster mode {}, TLS {}",
        group.id,
        group.engine,
        if shards == 1 { "" } else { "s" },
        group.node_type,
        group.replicas(),
        if group.replicas() == 1 { "" } else { "s" },
        if shards == 1 { "" } else { " each" },
        on(group.cluster_enabled),
        on(group.tls),
    )
}

/// What the API shows of durability, in its own words.
fn durability(durable: Option<&Durable>) -> String {
    match durable {
        None => "durability: DescribeReplicationGroups shows none for it".to_owned(),
        Some(Durable { asked, effective: Some(effective) }) => format!(
            "durability: DescribeReplicationGroups shows Durability {asked}, EffectiveDurability {effective}"
        ),
        Some(Durable { asked, effective: None }) => format!(
            "durability: DescribeReplicationGroups shows Durability {asked}, and no EffectiveDurability"
        ),
    }
}

fn in_force(durable: Option<&Durable>) -> Option<&str> {
    let durable = durable?;
    Some(durable.effective.as_deref().unwrap_or(&durable.asked))
}

fn mode(durable: Option<&Durable>) -> Option<Mode> {
    match in_force(durable)? {
        "sync" => Some(Mode::Sync),
        "async" => Some(Mode::Async),
        _ => None,
    }
}

/// `default` without EffectiveDurability, and words that this version does not know, leave it open.
fn keeps(durable: Option<&Durable>, major: Option<u32>) -> Option<Level> {
    match in_force(durable) {
        Some("sync") => Some(Level::EveryWrite),
        Some("async") => Some(Level::TenSeconds),
        Some("disabled") => Some(Level::Cache),
        None if major.is_some_and(|major| major < 9) => Some(Level::Cache),
        _ => None,
    }
}

/// An AUTH token is a password alone. With RBAC a user named "default" that is on takes one, too.
async fn auth(survey: &Survey, group: &Group) -> Result<Option<Auth>, Failure> {
    if group.auth_token {
        return Ok(Some(Auth::Password));
    }
    if group.user_groups.is_empty() {
        return Ok(Some(Auth::None));
    }
    let lists =
        futures::future::try_join_all(group.user_groups.iter().map(|name| survey.users(name)));
    let lists = lists.await?;
    let users: Vec<&User> = lists.iter().flat_map(|users| users.iter()).collect();
    let on = |user: &&&User| user.access.split_whitespace().next() == Some("on");
    let others: Vec<_> = users.iter().filter(|user| user.name != "default").collect();
    if users.iter().filter(on).any(|user| user.name == "default") || others.is_empty() {
        return Ok(None);
    }
    let iam = others.iter().all(|user| user.authentication == Authentication::Iam);
    Ok(Some(if iam { Auth::Iam } else { Auth::UserAndPassword }))
}

/// volatile-lru unless the parameter group says otherwise (ElastiCache user guide, Redis OSS specific parameters).
async fn evicts(survey: &Survey, group: &Group) -> Result<Option<bool>, Failure> {
    let Some(name) = group.node.as_ref().ok().and_then(|node| node.parameter_group.as_deref())
    else {
        return Ok(None);
    };
    let set = survey.set_parameters(name).await?;
    let policy = set.iter().find(|(name, _)| name == "maxmemory-policy");
    Ok(Some(policy.is_none_or(|(_, value)| value != "noeviction")))
}

/// What the newest finished snapshot holds, and its name.
async fn data(survey: &Survey, group: &Group) -> Result<Option<(Quantity, String)>, Failure> {
    let snapshots = survey.snapshots(&group.id).await?;
    let whole = |taken: &&crate::survey::Taken| {
        taken.status == "available"
            && taken.node.is_none()
            && taken.shard_bytes.len() == group.shards.len()
    };
    let newest = snapshots.iter().find(whole);
    Ok(newest.map(|taken| (gigabytes(taken.shard_bytes.iter().sum()), taken.name.clone())))
}
