//! One reading of the account.

use std::rc::Rc;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::group::Group;
use super::memo::Memo;
use super::names::MemoryDbNames;
use super::serverless::Serverless;
use super::shelves::Shelf;
use super::snapshots::Taken;
use super::users::User;
use super::{group, names, parameters, serverless, shelves, snapshots, users};
use crate::aws::{Clients, Op, call};
use crate::engine::{Class, Clock, Failure};

/// Tries of a read whose fault may pass. Many reads begin together, so a throttled one is to be expected.
const TRIES: u32 = 4;
/// Before the second try; doubled before each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Reads the account. What was asked for once is not asked for again before `begin`.
pub struct Survey {
    pub(super) reader: Reader,
    groups: Memo<Option<Group>>,
    parameters: Memo<Vec<(String, String)>>,
    users: Memo<Vec<User>>,
    snapshots: Memo<Vec<Taken>>,
}

/// What reads go through. Cheap to clone.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) aws: Clients,
    clock: Clock,
}

impl Survey {
    /// A survey by these clients.
    #[must_use]
    pub fn new(aws: Clients, clock: Clock) -> Self {
        Self {
            reader: Reader { aws, clock },
            groups: Memo::default(),
            parameters: Memo::default(),
            users: Memo::default(),
            snapshots: Memo::default(),
        }
    }

    /// Begins another reading: forgets what was read.
    pub fn begin(&self) {
        self.groups.clear();
        self.parameters.clear();
        self.users.clear();
        self.snapshots.clear();
    }

    /// One read by the same clients that is not remembered, tried again while its fault may pass.
    ///
    /// # Errors
    /// As `aws::call`, after a few tries.
    pub(crate) async fn ask<T, E, F>(&self, op: Op, request: impl Fn() -> F) -> Result<T, Failure>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        self.reader.ask(op, request).await
    }

    /// The time by the survey's clock.
    pub(crate) fn now(&self) -> jiff::Timestamp {
        self.reader.clock.now()
    }

    /// A replication group; `None` if there is none of that name.
    ///
    /// # Errors
    /// As `aws::call`, after a few tries.
    pub async fn group(&self, id: &str) -> Result<Rc<Option<Group>>, Failure> {
        let id = id.to_ascii_lowercase();
        let reader = self.reader.clone();
        self.groups.get(&id.clone(), || async move { group::read(&reader, &id).await }).await
    }

    /// The parameters of an ElastiCache parameter group that its owner set, by name.
    ///
    /// # Errors
    /// As `aws::call`, after a few tries.
    pub async fn set_parameters(&self, group: &str) -> Result<Rc<Vec<(String, String)>>, Failure> {
        let (reader, name) = (self.reader.clone(), group.to_owned());
        self.parameters.get(group, || async move { parameters::set(&reader, &name).await }).await
    }

    /// The users of an ElastiCache user group.
    ///
    /// # Errors
    /// As `aws::call`, after a few tries.
    pub async fn users(&self, user_group: &str) -> Result<Rc<Vec<User>>, Failure> {
        let (reader, name) = (self.reader.clone(), user_group.to_owned());
        self.users.get(user_group, || async move { users::of(&reader, &name).await }).await
    }

    /// The replication groups and serverless caches that ElastiCache user groups are attached to.
    ///
    /// # Errors
    /// As `aws::call`, after a few tries.
    pub async fn attached(&self, user_groups: &[String]) -> Result<Vec<String>, Failure> {
        users::attached(&self.reader, user_groups).await
    }

    /// The manual and automatic snapshots of a replication group, newest first.
    ///
    /// # Errors
    /// As `aws::call`, after a few tries.
    pub async fn snapshots(&self, group: &str) -> Result<Rc<Vec<Taken>>, Failure> {
        let (reader, id) = (self.reader.clone(), group.to_owned());
        self.snapshots
            .get(group, || async move { snapshots::of(&reader, Some(&id), None).await })
            .await
    }

    /// The snapshots of one node of a group with cluster mode off, newest first.
    ///
    /// # Errors
    /// As `aws::call`, after a few tries.
    pub async fn node_snapshots(&self, node: &str) -> Result<Rc<Vec<Taken>>, Failure> {
        let (reader, id) = (self.reader.clone(), node.to_owned());
        let key = format!("node {node}");
        self.snapshots
            .get(&key, || async move { snapshots::of(&reader, None, Some(&id)).await })
            .await
    }

    /// A serverless cache; `None` if there is none of that name. Not remembered, like all that follows.
    ///
    /// # Errors
    /// As `aws::call`, after a few tries.
    pub async fn serverless(&self, name: &str) -> Result<Option<Serverless>, Failure> {
        serverless::read(&self.reader, &name.to_ascii_lowercase()).await
    }

    /// The ids of all replication groups.
    ///
    /// # Errors
    /// As `aws::call`, after a few tries.
    pub async fn group_names(&self) -> Result<Vec<String>, Failure> {
        names::groups(&self.reader).await
    }

    /// The names of all serverless caches.
    ///
    /// # Errors
    /// As `aws::call`, after a few tries.
    pub async fn serverless_names(&self) -> Result<Vec<String>, Failure> {
        names::caches(&self.reader).await
    }

    /// The subnets of an ElastiCache subnet group.
    ///
    /// # Errors
    /// As `aws::call`, after a few tries.
    pub async fn subnets(&self, group: &str) -> Result<Vec<String>, Failure> {
        names::subnets(&self.reader, group).await
    }

    /// MemoryDB's subnet groups with their subnets.
    ///
    /// # Errors
    /// As `aws::call`, after a few tries.
    pub async fn subnet_groups(&self) -> Result<Vec<(String, Vec<String>)>, Failure> {
        names::subnet_groups(&self.reader).await
    }

    /// What MemoryDB has by name, of what a new cluster needs.
    ///
    /// # Errors
    /// As `aws::call`, after a few tries.
    pub async fn memorydb_names(&self) -> Result<MemoryDbNames, Failure> {
        names::memorydb(&self.reader).await
    }

    /// The plain SSM parameters with their values.
    ///
    /// # Errors
    /// As `aws::call`, after a few tries.
    pub async fn shelf_of_parameters(&self) -> Result<Shelf, Failure> {
        shelves::parameters(&self.reader).await
    }

    /// The CNAME records of Route 53.
    ///
    /// # Errors
    /// As `aws::call`, after a few tries.
    pub async fn shelf_of_records(&self) -> Result<Shelf, Failure> {
        shelves::records(&self.reader).await
    }

    /// The names of secrets; their values too, if `look` says so.
    ///
    /// # Errors
    /// As `aws::call`, after a few tries.
    pub async fn shelf_of_secrets(&self, look: bool) -> Result<Shelf, Failure> {
        shelves::secrets(&self.reader, look).await
    }
}

impl Reader {
    /// One read, tried again while its fault may pass.
    ///
    /// # Errors
    /// As `aws::call`.
    pub(super) async fn ask<T, E, F>(&self, op: Op, request: impl Fn() -> F) -> Result<T, Failure>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let mut pause = FIRST_PAUSE;
        for _ in 1..TRIES {
            match call(op, request()).await {
                Err(failure) if matches!(failure.class, Class::Transient | Class::Throttled) => {
                    self.clock.sleep(pause).await;
                    pause *= 2;
                }
                answer => return answer,
            }
        }
        call(op, request()).await
    }
}
