//! Policies that callers are held to, as an SDK sees them.

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use orchestrate_sandbox::{Caller, Fault, FaultKind, FaultPlan, Outcome, Policy, Seed};
use serde_json::{Value, json};

use crate::support::{BUCKET, Clients, clients, code, config, shop};

const ACCOUNT: &str = "123456789012";

fn allow(statements: &[(&str, &str)]) -> Policy {
    let statements: Vec<Value> = statements
        .iter()
        .map(
            |(action, resource)| json!({"Effect": "Allow", "Action": action, "Resource": resource}),
        )
        .collect();
    Policy::parse(&json!({"Version": "2012-10-17", "Statement": statements}).to_string()).unwrap()
}

async fn held_to(policy: Policy) -> Clients {
    let aws = clients(shop()).await;
    aws.sandbox.set_callers(vec![Caller::everybody(ACCOUNT, vec![policy])]);
    aws
}

fn message<T, E>(answer: Result<T, SdkError<E, aws_smithy_runtime_api::http::Response>>) -> String
where
    E: ProvideErrorMetadata,
    T: std::fmt::Debug,
{
    answer.err().unwrap().message().unwrap_or_default().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_needs_the_group_the_snapshot_and_the_right_to_tag_it() {
    let group = "arn:aws:elasticache:us-east-1:123456789012:replicationgroup:orders";
    let snapshot = "arn:aws:elasticache:us-east-1:123456789012:snapshot:nightly";
    let aws = held_to(allow(&[("elasticache:CreateSnapshot", group)])).await;
    let tag = aws_sdk_elasticache::types::Tag::builder().key("a").value("b").build();
    let create = || {
        let create = aws.elasticache.create_snapshot().snapshot_name("Nightly");
        create.replication_group_id("orders").tags(tag.clone()).send()
    };
    let refused = create().await;
    assert_eq!(
        message(refused),
        "User: arn:aws:iam::123456789012:user/sandbox is not authorized to perform: \
         elasticache:CreateSnapshot on resource: arn:aws:elasticache:us-east-1:123456789012:snapshot:nightly \
         because no identity-based policy allows the elasticache:CreateSnapshot action"
    );
    let both =
        allow(&[("elasticache:CreateSnapshot", group), ("elasticache:CreateSnapshot", snapshot)]);
    aws.sandbox.set_callers(vec![Caller::everybody(ACCOUNT, vec![both])]);
    let refused = create().await;
    assert_eq!(code(refused), "AccessDenied");
    // Nothing came of either.
    assert_eq!(aws.sandbox.world()["elasticache"]["snapshots"], json!({}));
    let all = allow(&[
        ("elasticache:CreateSnapshot", group),
        ("elasticache:*", "arn:aws:elasticache:*:*:snapshot:night*"),
    ]);
    aws.sandbox.set_callers(vec![Caller::everybody(ACCOUNT, vec![all])]);
    create().await.unwrap();
    let needs = aws.sandbox.calls().pop().unwrap().needs;
    let needs: Vec<_> = needs.iter().map(|n| (n.action.as_str(), n.resource.as_str())).collect();
    assert_eq!(
        needs,
        [
            ("elasticache:CreateSnapshot", group),
            ("elasticache:CreateSnapshot", snapshot),
            ("elasticache:AddTagsToResource", snapshot),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn each_service_words_a_denial_in_its_own_way() {
    let aws = held_to(allow(&[("sts:None", "*")])).await;
    let config = config(&aws.sandbox);
    let ssm = aws_sdk_ssm::Client::new(&config);
    let secrets = aws_sdk_secretsmanager::Client::new(&config);
    let route53 = aws_sdk_route53::Client::new(&config);
    assert_eq!(code(aws.elasticache.describe_events().send().await), "AccessDenied");
    assert_eq!(code(aws.memorydb.describe_clusters().send().await), "AccessDeniedException");
    assert_eq!(code(ssm.get_parameter().name("/a").send().await), "AccessDeniedException");
    let secret = secrets.get_secret_value().secret_id("a").send().await;
    assert_eq!(code(secret), "AccessDeniedException");
    assert_eq!(code(route53.get_hosted_zone().id("Z1").send().await), "AccessDenied");
    assert_eq!(code(aws.s3.list_objects_v2().bucket(BUCKET).send().await), "AccessDenied");
    // An answer to HEAD has no body to say it in.
    let head = aws.s3.head_object().bucket(BUCKET).key("a").send().await.unwrap_err();
    assert_eq!(head.raw_response().map(|r| r.status().as_u16()), Some(403));
    // Everybody may ask who they are.
    let who = aws.sts.get_caller_identity().send().await.unwrap();
    assert_eq!(who.arn(), Some("arn:aws:iam::123456789012:user/sandbox"));
}

#[tokio::test(start_paused = true)]
async fn an_export_looks_at_the_bucket_through_the_caller_s_eyes() {
    let copy = |extra: &[(&str, &str)]| {
        let snapshots = ("elasticache:*", "arn:aws:elasticache:*:*:*");
        allow(&[&[snapshots], extra].concat())
    };
    let aws = held_to(copy(&[])).await;
    aws.snapshot("one").await;
    let export = || {
        let export = aws.elasticache.copy_snapshot().source_snapshot_name("one");
        export.target_snapshot_name("two").target_bucket(BUCKET).send()
    };
    let listed = ("s3:ListAllMyBuckets", "arn:aws:s3:::exports");
    aws.sandbox.set_callers(vec![Caller::everybody(ACCOUNT, vec![copy(&[listed])])]);
    assert_eq!(
        message(export().await),
        "Elasticache was unable to validate the authenticated user has access on the S3 bucket."
    );
    let listed = ("s3:ListAllMyBuckets", "*");
    aws.sandbox.set_callers(vec![Caller::everybody(ACCOUNT, vec![copy(&[listed])])]);
    let refused = message(export().await);
    assert!(refused.contains("does not have sufficient permissions"), "{refused}");
    let rest =
        [listed, ("s3:*", "arn:aws:s3:::exports"), ("s3:*", "arn:aws:s3:::exports/two-*.rdb")];
    aws.sandbox.set_callers(vec![Caller::everybody(ACCOUNT, vec![copy(&rest)])]);
    export().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_first_cluster_of_an_account_makes_the_linked_role() {
    let seed = Seed { memorydb_first_use: true, ..Seed::default() };
    let aws = clients(seed).await;
    let mut policy = json!({"Statement": [
        {"Effect": "Allow", "Action": "memorydb:*", "Resource": "*"},
        {"Effect": "Allow", "Action": "iam:CreateServiceLinkedRole", "Resource": "*",
         "Condition": {"StringEquals": {"iam:AWSServiceName": "elasticache.amazonaws.com"}}},
    ]});
    let hold = |policy: &Value| {
        let policy = Policy::parse(&policy.to_string()).unwrap();
        aws.sandbox.set_callers(vec![Caller::everybody(ACCOUNT, vec![policy])]);
    };
    let create = || {
        let create = aws.memorydb.create_cluster().cluster_name("new").node_type("db.r7g.large");
        create.acl_name("open-access").tls_enabled(false).send()
    };
    hold(&policy);
    assert_eq!(code(create().await), "ServiceLinkedRoleNotFoundFault");
    policy["Statement"][1]["Condition"]["StringEquals"]["iam:AWSServiceName"] =
        json!("memorydb.amazonaws.com");
    hold(&policy);
    create().await.unwrap();
    let role = |call: &orchestrate_sandbox::Call| {
        call.needs.iter().any(|need| need.action == "iam:CreateServiceLinkedRole")
    };
    assert!(role(&aws.sandbox.calls()[1]));
    // It is there from then on.
    assert_eq!(code(create().await), "ClusterAlreadyExistsFault");
    assert!(!role(aws.sandbox.calls().last().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_fault_comes_first_and_an_explicit_deny_says_so() {
    let aws = clients(shop()).await;
    let policy = json!({"Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "elasticache:Describe*", "Resource": "*"},
    ]});
    let policy = Policy::parse(&policy.to_string()).unwrap();
    aws.sandbox.set_callers(vec![Caller::everybody(ACCOUNT, vec![policy])]);
    let fault = Fault::new("elasticache", "DescribeEvents", FaultKind::Throttle);
    aws.sandbox.set_faults(FaultPlan::of([fault]));
    let denied = message(aws.elasticache.describe_events().send().await);
    assert!(denied.ends_with("with an explicit deny in an identity-based policy"), "{denied}");
    let outcomes: Vec<_> = aws.sandbox.calls().into_iter().map(|call| call.outcome).collect();
    let error = |code: &str| Outcome::Error(code.to_owned());
    assert_eq!(outcomes, [error("Throttling"), error("AccessDenied")]);
}

#[tokio::test(start_paused = true)]
async fn only_the_named_key_is_held_to_its_policies() {
    let aws = clients(shop()).await;
    let someone = |key: &str| Caller {
        arn: format!("arn:aws:iam::{ACCOUNT}:user/{key}"),
        principal: None,
        access_key: Some(key.to_owned()),
        policies: Vec::new(),
    };
    aws.sandbox.set_callers(vec![someone("AKIDOTHER")]);
    aws.elasticache.describe_events().send().await.unwrap();
    aws.sandbox.set_callers(vec![someone("AKIDOTHER"), someone("AKIDSANDBOX")]);
    assert_eq!(code(aws.elasticache.describe_events().send().await), "AccessDenied");
}

#[tokio::test(start_paused = true)]
async fn the_simulator_answers_as_the_calls_do() {
    let role = "arn:aws:iam::123456789012:role/ops";
    let allowed = [
        ("iam:SimulatePrincipalPolicy", role),
        ("elasticache:DeleteSnapshot", "arn:aws:elasticache:*:*:snapshot:orc-*"),
    ];
    let aws = clients(shop()).await;
    let caller = |policy| Caller {
        arn: "arn:aws:sts::123456789012:assumed-role/ops/me".to_owned(),
        principal: None,
        access_key: None,
        policies: vec![policy],
    };
    aws.sandbox.set_callers(vec![caller(allow(&allowed))]);
    let iam = aws_sdk_iam::Client::new(&config(&aws.sandbox));
    let simulate = |source: &str| {
        iam.simulate_principal_policy()
            .policy_source_arn(source)
            .action_names("elasticache:DeleteSnapshot")
            .action_names("elasticache:CreateSnapshot")
            .resource_arns("arn:aws:elasticache:us-east-1:123456789012:snapshot:orc-1")
            .resource_arns("arn:aws:elasticache:us-east-1:123456789012:snapshot:mine")
            .send()
    };
    let answer = simulate(role).await.unwrap();
    let said: Vec<_> = answer
        .evaluation_results()
        .iter()
        .map(|r| {
            let resource = r.eval_resource_name().unwrap_or_default();
            let name = resource.rsplit(':').next().unwrap_or_default().to_owned();
            (r.eval_action_name().to_owned(), name, r.eval_decision().as_str().to_owned())
        })
        .collect();
    let row = |action: &str, name: &str, decision: &str| {
        (format!("elasticache:{action}"), name.to_owned(), decision.to_owned())
    };
    assert_eq!(
        said,
        [
            row("DeleteSnapshot", "orc-1", "allowed"),
            row("DeleteSnapshot", "mine", "implicitDeny"),
            row("CreateSnapshot", "orc-1", "implicitDeny"),
            row("CreateSnapshot", "mine", "implicitDeny"),
        ]
    );
    // A session is no principal; and the simulator is an action like any other.
    let session = "arn:aws:sts::123456789012:assumed-role/ops/me";
    aws.sandbox.set_callers(vec![caller(allow(&[("*", "*")]))]);
    assert_eq!(code(simulate(session).await), "InvalidInput");
    aws.sandbox.set_callers(vec![caller(allow(&allowed[1..]))]);
    assert_eq!(code(simulate(role).await), "AccessDenied");
}
