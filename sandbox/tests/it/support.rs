//! A sandbox with AWS clients on it.

use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use orchestrate_sandbox::{
    FaultPlan, Sandbox, Seed, SeedBucket, SeedReplicationGroup, SeedUser, SeedUserGroup,
    ServerPolicy, TokioClock,
};

pub(crate) const BUCKET: &str = "exports";

/// A sandbox on tokio's paused clock, without server processes.
pub(crate) async fn sandbox(seed: Seed) -> Sandbox {
    let clock = TokioClock::starting_at("2026-11-20T09:00:00Z".parse().unwrap());
    let sandbox = Sandbox::builder()
        .clock(Arc::new(clock))
        .servers(ServerPolicy::Off)
        .faults(FaultPlan::default())
        .random_seed(7)
        .build()
        .unwrap();
    sandbox.seed(seed).await.unwrap();
    sandbox
}

/// A two-shard group `orders`, a group `cart` without cluster mode and with a user group, and a bucket for exports.
pub(crate) fn shop() -> Seed {
    Seed {
        users: vec![SeedUser {
            id: "app".into(),
            name: "default".into(),
            access_string: "on ~* +@all".into(),
            passwords: vec!["correct-horse-battery".into()],
        }],
        user_groups: vec![SeedUserGroup { id: "apps".into(), users: vec!["app".into()] }],
        replication_groups: vec![
            SeedReplicationGroup {
                id: "orders".into(),
                shards: 2,
                cluster_mode: true,
                keys: 500,
                ..SeedReplicationGroup::default()
            },
            SeedReplicationGroup {
                id: "cart".into(),
                user_group: Some("apps".into()),
                keys: 50,
                ..SeedReplicationGroup::default()
            },
        ],
        buckets: vec![SeedBucket {
            name: BUCKET.into(),
            ready_for_exports: true,
            ..SeedBucket::default()
        }],
        ..Seed::default()
    }
}

pub(crate) fn config(sandbox: &Sandbox) -> SdkConfig {
    let credentials = Credentials::new("AKIDSANDBOX", "secret", None, None, "tests");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(sandbox.http_client())
        .build()
}

pub(crate) struct Clients {
    pub(crate) sandbox: Sandbox,
    pub(crate) elasticache: aws_sdk_elasticache::Client,
    pub(crate) memorydb: aws_sdk_memorydb::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) sts: aws_sdk_sts::Client,
}

pub(crate) async fn clients(seed: Seed) -> Clients {
    let sandbox = sandbox(seed).await;
    let config = config(&sandbox);
    Clients {
        elasticache: aws_sdk_elasticache::Client::new(&config),
        memorydb: aws_sdk_memorydb::Client::new(&config),
        s3: aws_sdk_s3::Client::new(&config),
        sts: aws_sdk_sts::Client::new(&config),
        sandbox,
    }
}

impl Clients {
    pub(crate) async fn snapshot_status(&self, name: &str) -> String {
        let answer = self.elasticache.describe_snapshots().snapshot_name(name).send().await;
        answer.unwrap().snapshots()[0].snapshot_status().unwrap().to_owned()
    }

    pub(crate) async fn group_status(&self, id: &str) -> String {
        let answer = self.elasticache.describe_replication_groups().replication_group_id(id);
        answer.send().await.unwrap().replication_groups()[0].status().unwrap().to_owned()
    }

    pub(crate) async fn cluster(&self, name: &str) -> aws_sdk_memorydb::types::Cluster {
        let answer = self.memorydb.describe_clusters().cluster_name(name).show_shard_details(true);
        answer.send().await.unwrap().clusters()[0].clone()
    }

    /// A snapshot of `orders`, available.
    pub(crate) async fn snapshot(&self, name: &str) {
        let create = self.elasticache.create_snapshot().snapshot_name(name);
        create.replication_group_id("orders").send().await.unwrap();
        sleep(7 * 60).await;
        assert_eq!(self.snapshot_status(name).await, "available");
    }

    /// A snapshot of `orders` under this name, exported as `<name>-0001.rdb` and `<name>-0002.rdb`.
    pub(crate) async fn export(&self, name: &str) {
        self.snapshot(name).await;
        let copy = self.elasticache.copy_snapshot().source_snapshot_name(name);
        copy.target_snapshot_name(name).target_bucket(BUCKET).send().await.unwrap();
        sleep(5 * 60).await;
        assert_eq!(self.snapshot_status(name).await, "available");
    }

    pub(crate) async fn objects(&self) -> Vec<String> {
        let list = self.s3.list_objects_v2().bucket(BUCKET).send().await.unwrap();
        list.contents().iter().map(|object| object.key().unwrap().to_owned()).collect()
    }

    /// A MemoryDB cluster from these objects of the bucket.
    pub(crate) async fn create_from(&self, name: &str, keys: &[&str]) {
        let arns = keys.iter().map(|key| format!("arn:aws:s3:::{BUCKET}/{key}")).collect();
        let create = self.memorydb.create_cluster().cluster_name(name).node_type("db.r7g.large");
        let create = create.acl_name("open-access").tls_enabled(false).num_shards(3);
        // The engine that reads whatever the sources here write.
        let create = create.engine("valkey").engine_version("7.3");
        create.set_snapshot_arns(Some(arns)).send().await.unwrap();
    }

    pub(crate) async fn cluster_events(&self, name: &str) -> Vec<String> {
        let events = self.memorydb.describe_events().source_name(name);
        let events =
            events.source_type(aws_sdk_memorydb::types::SourceType::Cluster).send().await.unwrap();
        events.events().iter().map(|event| event.message().unwrap().to_owned()).collect()
    }
}

/// Virtual seconds.
pub(crate) async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// The wire code of a refused call.
pub(crate) fn code<T: std::fmt::Debug, E, R>(
    result: Result<T, aws_smithy_runtime_api::client::result::SdkError<E, R>>,
) -> String
where
    E: ProvideErrorMetadata + std::fmt::Debug,
    R: std::fmt::Debug,
{
    let error = result.unwrap_err();
    error.code().unwrap_or_else(|| panic!("no code in {error:?}")).to_owned()
}

/// The message of a refused call.
pub(crate) fn message<T: std::fmt::Debug, E, R>(
    result: Result<T, aws_smithy_runtime_api::client::result::SdkError<E, R>>,
) -> String
where
    E: ProvideErrorMetadata + std::fmt::Debug,
    R: std::fmt::Debug,
{
    let error = result.unwrap_err();
    error.message().unwrap_or_else(|| panic!("no message in {error:?}")).to_owned()
}
