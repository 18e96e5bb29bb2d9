//! Request shape, adoption, refusals and undo, against mocked clients.

use aws_sdk_memorydb::Client;
use aws_sdk_memorydb::error::ErrorMetadata;
use aws_sdk_memorydb::operation::create_cluster::{CreateClusterError, CreateClusterOutput};
use aws_sdk_memorydb::operation::delete_cluster::DeleteClusterOutput;
use aws_sdk_memorydb::operation::describe_acls::{DescribeACLsError, DescribeAcLsOutput};
use aws_sdk_memorydb::operation::describe_clusters::{
    DescribeClustersError, DescribeClustersOutput,
};
use aws_sdk_memorydb::operation::describe_engine_versions::DescribeEngineVersionsOutput;
use aws_sdk_memorydb::operation::describe_events::DescribeEventsOutput;
use aws_sdk_memorydb::operation::describe_subnet_groups::DescribeSubnetGroupsOutput;
use aws_sdk_memorydb::operation::list_tags::ListTagsOutput;
use aws_sdk_memorydb::types::error::{
    AclNotFoundFault, ClusterAlreadyExistsFault, ClusterNotFoundFault,
};
use aws_sdk_memorydb::types::{Acl, Endpoint, Event};
use aws_sdk_s3::Client as S3;
use aws_sdk_s3::operation::get_bucket_acl::GetBucketAclOutput;
use aws_sdk_s3::operation::get_bucket_policy::GetBucketPolicyOutput;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ServerSideEncryption;
use aws_sdk_servicequotas::operation::list_service_quotas::ListServiceQuotasOutput;
use aws_smithy_mocks::{Rule, mock};
use serde_json::json;

use super::*;
use crate::engine::Verdict;
use crate::steps::testing::{self, Rules};

const ARN: &str = "arn:aws:memorydb:us-east-1:123456789012:cluster/prod-mdb";

fn shown(status: &str, parameters: &str) -> DescribeClustersOutput {
    let endpoint =
        Endpoint::builder().address("clustercfg.prod-mdb.x.memorydb.us-east-1.amazonaws.com");
    let cluster = Cluster::builder()
        .name("prod-mdb")
        .arn(ARN)
        .status(status)
        .number_of_shards(3)
        .node_type("db.r7g.large")
        .engine("valkey")
        .engine_version("7.3")
        .acl_name("app")
        .tls_enabled(true)
        .parameter_group_status(parameters)
        .cluster_endpoint(endpoint.port(6379).build())
        .build();
    DescribeClustersOutput::builder().clusters(cluster).build()
}

fn missing() -> DescribeClustersError {
    let meta = ErrorMetadata::builder().code("ClusterNotFoundFault").build();
    DescribeClustersError::ClusterNotFoundFault(ClusterNotFoundFault::builder().meta(meta).build())
}

fn acl() -> Rule {
    mock!(Client::describe_acls).match_requests(|r| r.acl_name() == Some("app")).then_output(|| {
        let acl = Acl::builder().name("app").status("active").user_names("app").build();
        DescribeAcLsOutput::builder().acls(acl).build()
    })
}

fn policy(principal: &'static str) -> Rule {
    mock!(S3::get_bucket_policy).then_output(move || {
        let policy = json!({"Statement": [{
            "Effect": "Allow", "Principal": {"Service": principal}, "Action": "s3:*",
        }]});
        GetBucketPolicyOutput::builder().policy(policy.to_string()).build()
    })
}

fn files(head: &'static [u8; 9], encryption: ServerSideEncryption) -> [Rule; 3] {
    [
        policy("us-east-1.memorydb-snapshot.amazonaws.com"),
        mock!(S3::head_object).then_output(move || {
            HeadObjectOutput::builder()
                .content_length(40)
                .server_side_encryption(encryption.clone())
                .build()
        }),
        mock!(S3::get_object).then_output(move || {
            GetObjectOutput::builder().body(ByteStream::from_static(head)).build()
        }),
    ]
}

fn tags(step: &'static str) -> Rule {
    mock!(Client::list_tags).match_requests(|r| r.resource_arn() == Some(ARN)).then_output(
        move || {
            let tags = testing::own_tags(step);
            let tags =
                tags.iter().map(|(key, value)| Tag::builder().key(*key).value(value).build());
            ListTagsOutput::builder().set_tag_list(Some(tags.collect())).build()
        },
    )
}

fn created() -> Rule {
    mock!(Client::create_cluster).then_output(|| CreateClusterOutput::builder().build())
}

fn args() -> Value {
    json!({
        "name": "Prod-MDB", "node_type": "db.r7g.large", "shards": 3, "acl": "App",
        "engine": "valkey", "engine_version": "7.3", "tags": {"team": "core"},
        "restore_from": ["arn:aws:s3:::exports/a-0001.rdb", "arn:aws:s3:::exports/a-0007.rdb"],
    })
}

fn spec() -> Spec {
    testing::spec(args())
}

fn intent() -> Prepared {
    Prepared { name: "prod-mdb".into(), arn: ARN.into(), acl: "app".into(), bytes: 80 }
}

#[tokio::test(start_paused = true)]
async fn the_cluster_is_made_from_every_file_and_waited_for_until_its_parameters_are_in_sync() {
    let describe = mock!(Client::describe_clusters)
        .sequence()
        .error(missing)
        .times(3)
        .output(|| shown("creating", "in-sync"))
        .times(2)
        .output(|| shown("snapshotting", "in-sync"))
        .output(|| shown("available", "applying"))
        .output(|| shown("available", "in-sync"))
        .repeatedly()
        .build();
    let create = mock!(Client::create_cluster)
        .match_requests(|r| {
            let tag = |key: &str, value: &str| {
                r.tags().iter().any(|t| t.key() == Some(key) && t.value() == Some(value))
            };
            let own = testing::own_tags("cluster");
            r.cluster_name() == Some("prod-mdb")
                && r.acl_name() == Some("app")
                && r.snapshot_arns().len() == 2
                && r.num_shards() == Some(3)
                && r.num_replicas_per_shard() == Some(1)
                && r.tls_enabled() == Some(true)
                && r.engine_version() == Some("7.3")
                && r.security_group_ids.is_none()
                && tag("team", "core")
                && own.iter().all(|(key, value)| tag(key, value))
        })
        .then_output(|| CreateClusterOutput::builder().build());
    let (acl, files) = (acl(), files(b"REDIS0011", ServerSideEncryption::Aes256));
    let memorydb = vec![&describe, &create, &acl];
    let s3 = files.iter().collect();
    let env = testing::env(Rules { memorydb, s3, ..Rules::default() });
    let cx = testing::cx("cluster");
    let (prepared, resources) = CreateCluster::prepare(&env, &spec(), &cx).await.unwrap();
    assert_eq!((resources[0].arn.as_deref(), prepared.bytes), (Some(ARN), 80));
    let done = CreateCluster::execute(&env, &spec(), &prepared, &cx).await.unwrap();
    let Done::Changed(output) = done else { panic!("{done:?}") };
    let host = "clustercfg.prod-mdb.x.memorydb.us-east-1.amazonaws.com";
    assert_eq!(output.endpoint, format!("{host}:6379"));
    assert_eq!((output.shards, output.tls, output.acl.as_str()), (3, true, "app"));
    assert_eq!(create.num_calls(), 1);
    assert_eq!(describe.num_calls(), 8);
}

#[tokio::test(start_paused = true)]
async fn our_own_cluster_is_adopted_also_after_a_lost_answer() {
    let describe = mock!(Client::describe_clusters)
        .sequence()
        .error(missing)
        .times(3)
        .output(|| shown("available", "in-sync"))
        .repeatedly()
        .build();
    let create = mock!(Client::create_cluster).then_error(|| {
        let meta = ErrorMetadata::builder().code("ClusterAlreadyExistsFault").build();
        CreateClusterError::ClusterAlreadyExistsFault(
            ClusterAlreadyExistsFault::builder().meta(meta).build(),
        )
    });
    let tags = tags("cluster");
    let memorydb = vec![&describe, &create, &tags];
    let env = testing::env(Rules { memorydb, ..Rules::default() });
    let cx = testing::cx("cluster");
    for calls in [1, 1] {
        let done = CreateCluster::execute(&env, &spec(), &intent(), &cx).await.unwrap();
        assert!(matches!(done, Done::Adopted(_)), "{done:?}");
        assert_eq!(create.num_calls(), calls);
    }
}

#[tokio::test(start_paused = true)]
async fn somebody_else_s_cluster_is_left_alone_with_the_differences_named() {
    let describe = mock!(Client::describe_clusters).then_output(|| shown("available", "in-sync"));
    let (tags, create) = (tags("another-step"), created());
    let delete =
        mock!(Client::delete_cluster).then_output(|| DeleteClusterOutput::builder().build());
    let memorydb = vec![&describe, &tags, &create, &delete];
    let env = testing::env(Rules { memorydb, ..Rules::default() });
    let mut cx = testing::cx("cluster");
    let mut other = args();
    other["shards"] = json!(2);
    other["node_type"] = json!("db.r7g.xlarge");
    let failure =
        CreateCluster::execute(&env, &testing::spec(other), &intent(), &cx).await.unwrap_err();
    assert_eq!(failure.class, Class::Conflict);
    assert!(failure.causes.contains(&"its number of shards is 3, intended is 2".to_owned()));
    assert!(failure.to_string().contains("db.r7g.xlarge"), "{failure}");
    cx.note = Some(json!({"call": "taken"}));
    assert!(CreateCluster::undo(&env, &spec(), &intent(), &cx).await.unwrap().is_empty());
    assert_eq!((create.num_calls(), delete.num_calls()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_failed_restore_ends_with_the_reason_from_the_events() {
    let describe = mock!(Client::describe_clusters)
        .sequence()
        .error(missing)
        .output(|| shown("creating", "in-sync"))
        .output(|| shown("restore-failed", "in-sync"))
        .repeatedly()
        .build();
    let events = mock!(Client::describe_events).then_output(|| {
        let said =
            "Restore from exports/a-0001.rdb failed for node prod-mdb-0001-001. Out of memory";
        let event = |m: &str| Event::builder().message(m).build();
        DescribeEventsOutput::builder()
            .events(event("Cluster created."))
            .events(event(said))
            .build()
    });
    let create = created();
    let memorydb = vec![&describe, &events, &create];
    let env = testing::env(Rules { memorydb, ..Rules::default() });
    let cx = testing::cx("cluster");
    let failure = CreateCluster::execute(&env, &spec(), &intent(), &cx).await.unwrap_err();
    assert_eq!(failure.class, Class::Terminal);
    assert!(failure.to_string().contains("Out of memory"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn arguments_that_cannot_work_are_refused_before_any_call() {
    let cx = testing::cx("cluster");
    for (key, value, words) in [
        ("name", json!("a--b"), "two in a row"),
        ("tls", json!(false), "open-access"),
        ("engine_version", json!("7.2.6"), "major.minor"),
        ("node_type", json!("cache.r7g.large"), "not a MemoryDB node type"),
        ("restore_from_snapshot", json!("s"), "both"),
        ("replicas_per_shard", json!(6), "5 is the most"),
        ("engine", json!("memcached"), "redis and valkey"),
        ("tags", json!({"orchestrate:run": "x"}), "own"),
    ] {
        let env = testing::env(Rules::default());
        let mut args = args();
        args[key] = value;
        let failure = CreateCluster::prepare(&env, &testing::spec(args), &cx).await.unwrap_err();
        assert_eq!(failure.class, Class::Fatal);
        assert!(failure.message.contains(words), "{key}: {failure}");
    }
}

#[tokio::test(start_paused = true)]
async fn files_that_memorydb_cannot_restore_are_refused() {
    let describe = mock!(Client::describe_clusters).then_error(missing);
    let acl = acl();
    let cx = testing::cx("cluster");
    for (head, encryption, words) in [
        (b"VALKEY080", ServerSideEncryption::Aes256, "VALKEY080"),
        (b"REDIS0011", ServerSideEncryption::AwsKms, "aws:kms"),
        (b"GARBAGE!!", ServerSideEncryption::Aes256, "not an RDB file"),
    ] {
        let files = files(head, encryption);
        let (memorydb, s3) = (vec![&describe, &acl], files.iter().collect());
        let env = testing::env(Rules { memorydb, s3, ..Rules::default() });
        let failure = CreateCluster::prepare(&env, &spec(), &cx).await.unwrap_err();
        assert_eq!(failure.class, Class::Fatal);
        assert!(failure.to_string().contains(words), "{failure}");
    }
}

#[tokio::test(start_paused = true)]
async fn preflight_bears_outputs_that_are_not_known_and_names_a_missing_acl() {
    let describe = mock!(Client::describe_clusters).then_error(missing);
    let acl = mock!(Client::describe_acls).then_error(|| {
        let meta = ErrorMetadata::builder().code("ACLNotFoundFault").build();
        DescribeACLsError::AclNotFoundFault(AclNotFoundFault::builder().meta(meta).build())
    });
    let versions = mock!(Client::describe_engine_versions)
        .then_output(|| DescribeEngineVersionsOutput::builder().build());
    let subnets = mock!(Client::describe_subnet_groups)
        .then_output(|| DescribeSubnetGroupsOutput::builder().build());
    let quotas = mock!(aws_sdk_servicequotas::Client::list_service_quotas)
        .then_output(|| ListServiceQuotasOutput::builder().build());
    let memorydb = vec![&describe, &acl, &versions, &subnets];
    let servicequotas = vec![&quotas];
    let env = testing::env(Rules { memorydb, servicequotas, ..Rules::default() });
    let cx = testing::cx("cluster");
    let mut args = args();
    args["restore_from"] = Value::Null;
    args["engine_version"] = Value::Null;
    let findings = CreateCluster::preflight(&env, &args, &cx).await;
    let acl = findings.iter().find(|f| f.check == "target.acl").unwrap();
    assert_eq!(acl.verdict, Verdict::WillFail);
    assert!(acl.what.contains("no MemoryDB ACL"), "{findings:?}");
    assert_eq!(CreateCluster::preflight(&env, &Value::Null, &cx).await, []);
    assert!(CreateCluster::sketch(&args).does.contains("from the export"));
    args["acl"] = json!("open-access");
    assert!(CreateCluster::sketch(&args).loses.unwrap().contains("authentication"));
}

#[tokio::test(start_paused = true)]
async fn undo_waits_for_a_cluster_that_is_being_created_and_deletes_it_once() {
    let describe = mock!(Client::describe_clusters)
        .sequence()
        .error(missing)
        .output(|| shown("creating", "in-sync"))
        .output(|| shown("restore-failed", "in-sync"))
        .output(|| shown("deleting", "in-sync"))
        .error(missing)
        .repeatedly()
        .build();
    let tags = tags("cluster");
    let delete = mock!(Client::delete_cluster)
        .match_requests(|r| {
            r.cluster_name() == Some("prod-mdb") && r.final_snapshot_name().is_none()
        })
        .then_output(|| DeleteClusterOutput::builder().build());
    let memorydb = vec![&describe, &tags, &delete];
    let env = testing::env(Rules { memorydb, ..Rules::default() });
    let mut cx = testing::cx("cluster");
    cx.note = Some(json!({"call": "asked"}));
    let busy = CreateCluster::undo(&env, &spec(), &intent(), &cx).await.unwrap_err();
    assert_eq!(busy.class, Class::Busy);
    let did = CreateCluster::undo(&env, &spec(), &intent(), &cx).await.unwrap();
    assert_eq!(did, ["deleted MemoryDB cluster \"prod-mdb\""]);
    assert!(CreateCluster::undo(&env, &spec(), &intent(), &cx).await.unwrap().is_empty());
    assert_eq!(delete.num_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_lets_memorydb_not_in_is_refused_before_anything_is_asked() {
    let describe = mock!(Client::describe_clusters).then_error(missing);
    let (acl, create) = (acl(), created());
    let mut files = files(b"REDIS0011", ServerSideEncryption::Aes256);
    files[0] = policy("us-east-1.elasticache-snapshot.amazonaws.com");
    let grants = mock!(S3::get_bucket_acl).then_output(|| GetBucketAclOutput::builder().build());
    let mut s3: Vec<_> = files.iter().collect();
    s3.push(&grants);
    let memorydb = vec![&describe, &acl, &create];
    let env = testing::env(Rules { memorydb, s3, ..Rules::default() });
    let cx = testing::cx("cluster");
    let failure = CreateCluster::prepare(&env, &testing::spec(args()), &cx).await.unwrap_err();
    assert_eq!(failure.class, Class::Fatal);
    let said = format!("{failure} {}", failure.mend.clone().unwrap());
    assert!(said.contains("us-east-1.memorydb-snapshot.amazonaws.com"), "{said}");
    assert_eq!(create.num_calls(), 0);
}
