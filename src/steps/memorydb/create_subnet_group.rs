//! `memorydb.create_subnet_group`: where a cluster's nodes may lie.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_memorydb::types::{SubnetGroup, Tag};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cluster::{LONGEST_SNAPSHOT_NAME, SERVICE};
use super::made::{self, Made, Prepared};
use crate::aws::{Op, call, found};
use crate::engine::journal::Resource;
use crate::engine::{Cx, Failure, Finding};
use crate::permissions::{Foreseen, Phases};
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::creation;
use crate::steps::{Action, Done, Env, Sketch, Step, Touch, action};

/// Creates a MemoryDB subnet group.
///
/// A cluster with replicas needs subnets in two availability zones at least, and free addresses in each. A subnet in a zone
/// that MemoryDB does not serve is refused (`SubnetNotAllowedFault`).
///
/// ```yaml
/// - id: subnets
///   memorydb.create_subnet_group:
///     name: prod-private
///     subnets: [subnet-0a1b2c3d, subnet-4e5f6a7b]
/// ```
///
/// A group of that name fails the step, unless this run made it before its answer was lost. With `adopt: true` one with just
/// these subnets is taken as it is, and a rollback leaves it.
///
/// Undone by deleting the group, if it is this run's own. No cluster may use it then.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// Its name: letters, digits and hyphens; stored in lower case.
    name: String,
    /// The ids of its subnets, 1 to 20, all of one VPC.
    #[schemars(length(min = 1, max = 20))]
    subnets: Vec<String>,
    /// A description.
    #[serde(default)]
    description: Option<String>,
    /// Whether a group that is there already is taken as it is.
    #[serde(default)]
    adopt: bool,
}

/// The subnet group.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Its name, in lower case.
    name: String,
    /// Its ARN.
    arn: String,
    /// Its VPC.
    vpc: String,
    /// The availability zones of its subnets, sorted.
    zones: Vec<String>,
}

/// `memorydb.create_subnet_group`.
pub(crate) struct CreateSubnetGroup;

impl Made for Spec {
    type Found = SubnetGroup;
    const WHAT: &'static str = "MemoryDB subnet group";
    const ARN: &'static str = "subnetgroup";
    const LONGEST: usize = LONGEST_SNAPSHOT_NAME;

    fn name(&self) -> &str {
        &self.name
    }

    fn adopts(&self) -> bool {
        self.adopt
    }

    async fn find(env: &Env, name: &str) -> Result<Option<SubnetGroup>, Failure> {
        let request = env.aws.memorydb.describe_subnet_groups().subnet_group_name(name);
        let answer = found(call(Op::read(SERVICE, "DescribeSubnetGroups"), request.send()).await)?;
        Ok(answer.and_then(|answer| answer.subnet_groups?.into_iter().next()))
    }

    fn status(_found: &SubnetGroup) -> Option<&str> {
        None
    }

    async fn differences(&self, _env: &Env, found: &SubnetGroup) -> Result<Vec<String>, Failure> {
        let shown: BTreeSet<&str> = found.subnets().iter().filter_map(|s| s.identifier()).collect();
        let wanted: BTreeSet<&str> = self.subnets.iter().map(String::as_str).collect();
        let listed = |set: &BTreeSet<&str>| set.iter().copied().collect::<Vec<_>>().join(", ");
        Ok(made::differ("subnets", &listed(&wanted), &listed(&shown)).into_iter().collect())
    }

    async fn create(&self, env: &Env, cx: &Cx, name: &str, tags: Vec<Tag>) -> Result<(), Failure> {
        let request = env
            .aws
            .memorydb
            .create_subnet_group()
            .subnet_group_name(name)
            .set_subnet_ids(Some(self.subnets.clone()))
            .set_description(self.description.clone())
            .set_tags(Some(tags));
        let call = env.aws.change(SERVICE, "CreateSubnetGroup", request.send());
        creation::ask(cx, call).await.map(drop).map_err(|failure| match failure.code() {
            Some("SubnetNotAllowedFault") => failure.mend(
                "name subnets of other availability zones: MemoryDB does not serve all of them",
            ),
            _ => failure,
        })
    }

    async fn delete(env: &Env, name: &str) -> Result<(), Failure> {
        let request = env.aws.memorydb.delete_subnet_group().subnet_group_name(name);
        env.aws.change(SERVICE, "DeleteSubnetGroup", request.send()).await.map(drop)
    }
}

impl Step for CreateSubnetGroup {
    const KIND: &'static str = "memorydb.create_subnet_group";
    const SUMMARY: &'static str = "create a MemoryDB subnet group";
    const ACTIONS: &'static [Action] = &[
        action("memorydb:DescribeSubnetGroups", "subnetgroup/{name}", Phases::ALL),
        action("memorydb:ListTags", "subnetgroup/{name}", Phases::RUN_UNDO),
        action("memorydb:CreateSubnetGroup", "subnetgroup/{name}", Phases::RUN),
        action("memorydb:TagResource", "subnetgroup/{name}", Phases::RUN),
        action("memorydb:DeleteSubnetGroup", "subnetgroup/{name}", Phases::UNDO),
    ];
    const OUTPUTS: &'static [Foreseen] = &[("name", "{name:lower}")];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::Undo);
    const TIMEOUT: Duration = Duration::from_secs(15 * 60);
    const EXPECTED: Duration = Duration::from_secs(5);

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let longest = LONGEST_SNAPSHOT_NAME;
        let mut faults = creation::name_faults(args, "name", "subnet group name", longest);
        let subnets = args["subnets"].as_array().map(Vec::as_slice).unwrap_or_default();
        for (index, id) in subnets.iter().enumerate() {
            if id.as_str().is_some_and(|id| !id.starts_with("subnet-")) {
                let fault = Fault::new("it is no id of a subnet").key("subnets").item(index);
                faults.push(fault.mend("write it like subnet-0a1b2c3d"));
            }
        }
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let name = args["name"].as_str().map_or("…".to_owned(), str::to_ascii_lowercase);
        let subnets = args["subnets"].as_array().map(Vec::as_slice).unwrap_or_default();
        let subnets: Vec<&str> = subnets.iter().map(|id| id.as_str().unwrap_or("…")).collect();
        Sketch {
            does: format!("create MemoryDB subnet group \"{name}\" of {}", subnets.join(", ")),
            undo: Some("delete the subnet group".to_owned()),
            loses: None,
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let name = args["name"].as_str().map_or("…".to_owned(), str::to_ascii_lowercase);
        vec![Touch::creates(format!("MemoryDB subnet group \"{name}\""))]
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        match serde_json::from_value::<Spec>(args.clone()) {
            Ok(spec) => vec![made::finding(env, &spec).await],
            Err(_) => Vec::new(),
        }
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        made::prepare(env, spec, cx).await
    }

    async fn execute(
        env: &Env,
        spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let zone = |subnet: &aws_sdk_memorydb::types::Subnet| {
            subnet.availability_zone()?.name().map(str::to_owned)
        };
        let output = |found: &SubnetGroup| {
            let zones: BTreeSet<String> = found.subnets().iter().filter_map(zone).collect();
            Output {
                name: prepared.name.clone(),
                arn: prepared.arn.clone(),
                vpc: found.vpc_id().unwrap_or_default().to_owned(),
                zones: zones.into_iter().collect(),
            }
        };
        made::execute(env, spec, prepared, cx, output).await
    }

    async fn undo(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Vec<String>, Failure> {
        made::undo::<Spec>(env, prepared, cx).await
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_memorydb::Client;
    use aws_sdk_memorydb::operation::create_subnet_group::CreateSubnetGroupOutput;
    use aws_sdk_memorydb::operation::describe_subnet_groups::DescribeSubnetGroupsOutput;
    use aws_sdk_memorydb::operation::list_tags::ListTagsOutput;
    use aws_sdk_memorydb::types::Subnet;
    use aws_smithy_mocks::mock;
    use serde_json::json;

    use super::*;
    use crate::engine::Class;
    use crate::steps::testing::{self, Rules};

    fn shown() -> DescribeSubnetGroupsOutput {
        let subnet = |id: &str| Subnet::builder().identifier(id).build();
        let group = SubnetGroup::builder().name("private").vpc_id("vpc-1");
        let group = group.subnets(subnet("subnet-b")).subnets(subnet("subnet-a")).build();
        DescribeSubnetGroupsOutput::builder().subnet_groups(group).build()
    }

    fn spec(adopt: bool, subnets: &[&str]) -> Spec {
        testing::spec(json!({"name": "Private", "subnets": subnets, "adopt": adopt}))
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_made_of_its_subnets_under_the_run_s_tags() {
        let describe = mock!(Client::describe_subnet_groups)
            .sequence()
            .output(|| DescribeSubnetGroupsOutput::builder().build())
            .times(2)
            .output(shown)
            .build();
        let create = mock!(Client::create_subnet_group)
            .match_requests(|r| {
                r.subnet_group_name() == Some("private")
                    && r.subnet_ids() == ["subnet-a", "subnet-b"]
                    && r.tags().len() == 3
            })
            .then_output(|| CreateSubnetGroupOutput::builder().build());
        let env = testing::env(Rules { memorydb: vec![&describe, &create], ..Rules::default() });
        let (spec, cx) = (spec(false, &["subnet-a", "subnet-b"]), testing::cx("subnets"));
        let (prepared, _) = CreateSubnetGroup::prepare(&env, &spec, &cx).await.unwrap();
        let done = CreateSubnetGroup::execute(&env, &spec, &prepared, &cx).await.unwrap();
        assert!(matches!(&done, Done::Changed(made) if made.vpc == "vpc-1"), "{done:?}");
        assert_eq!(create.num_calls(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_there_is_adopted_only_if_it_is_the_same_and_is_left_by_a_rollback() {
        let describe = mock!(Client::describe_subnet_groups).then_output(shown);
        let list = mock!(Client::list_tags).then_output(|| ListTagsOutput::builder().build());
        let env = testing::env(Rules { memorydb: vec![&describe, &list], ..Rules::default() });
        let mut cx = testing::cx("subnets");
        let same = spec(true, &["subnet-a", "subnet-b"]);
        let (prepared, resources) = CreateSubnetGroup::prepare(&env, &same, &cx).await.unwrap();
        assert_eq!(resources, []);
        let done = CreateSubnetGroup::execute(&env, &same, &prepared, &cx).await.unwrap();
        assert!(matches!(done, Done::Unchanged(_)), "{done:?}");
        cx.note = Some(json!({"call": "taken"}));
        let did = CreateSubnetGroup::undo(&env, &same, &prepared, &cx).await.unwrap();
        assert_eq!(did, [""; 0]);
        for (adopt, subnets) in [(false, &["subnet-a", "subnet-b"][..]), (true, &["subnet-a"])] {
            let spec = spec(adopt, subnets);
            let failure = CreateSubnetGroup::prepare(&env, &spec, &cx).await.unwrap_err();
            assert_eq!(failure.class, Class::Conflict, "{failure}");
        }
    }
}
