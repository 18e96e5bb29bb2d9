//! `memorydb.create_parameter_group`: how a cluster's engine behaves.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_memorydb::types::{ParameterGroup, ParameterNameValue, Tag};
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

/// Parameters of one call (MemoryDB API reference, UpdateParameterGroup).
const MOST: usize = 20;
const FAMILIES: [&str; 3] = ["memorydb_redis6", "memorydb_redis7", "memorydb_valkey7"];

/// Creates a MemoryDB parameter group and sets its parameters.
///
/// MemoryDB's defaults are not ElastiCache's: with `maxmemory-policy: noeviction` a full cluster refuses writes, where
/// ElastiCache evicts. Parameters that MemoryDB does not have are refused by it.
///
/// ```yaml
/// - id: parameters
///   memorydb.create_parameter_group:
///     name: prod-valkey7
///     family: memorydb_valkey7
///     parameters: { maxmemory-policy: noeviction, slowlog-log-slower-than: "10000" }
/// ```
///
/// A group of that name fails the step, unless this run made it before its answer was lost. With `adopt: true` one of the
/// same family with the same values of these parameters is taken as it is, and a rollback leaves it.
///
/// Undone by deleting the group, if it is this run's own. No cluster may use it then.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// Its name: letters, digits and hyphens; stored in lower case.
    name: String,
    /// `memorydb_redis6`, `memorydb_redis7` or `memorydb_valkey7`.
    family: String,
    /// Values by name; every other parameter keeps the family's default.
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    /// A description.
    #[serde(default)]
    description: Option<String>,
    /// Whether a group that is there already is taken as it is.
    #[serde(default)]
    adopt: bool,
}

/// The parameter group.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Its name, in lower case.
    name: String,
    /// Its ARN.
    arn: String,
    /// Its family.
    family: String,
}

/// `memorydb.create_parameter_group`.
pub(crate) struct CreateParameterGroup;

/// The values of a group's parameters.
async fn values(env: &Env, name: &str) -> Result<BTreeMap<String, String>, Failure> {
    let mut values = BTreeMap::new();
    let mut token = None;
    loop {
        let request = env.aws.memorydb.describe_parameters().parameter_group_name(name);
        let request = request.set_next_token(token);
        let answer = call(Op::read(SERVICE, "DescribeParameters"), request.send()).await?;
        for parameter in answer.parameters.unwrap_or_default() {
            if let (Some(name), Some(value)) = (parameter.name, parameter.value) {
                values.insert(name, value);
            }
        }
        token = answer.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(values);
        }
    }
}

impl Made for Spec {
    type Found = ParameterGroup;
    const WHAT: &'static str = "MemoryDB parameter group";
    const ARN: &'static str = "parametergroup";
    const LONGEST: usize = LONGEST_SNAPSHOT_NAME;

    fn name(&self) -> &str {
        &self.name
    }

    fn adopts(&self) -> bool {
        self.adopt
    }

    async fn find(env: &Env, name: &str) -> Result<Option<ParameterGroup>, Failure> {
        let request = env.aws.memorydb.describe_parameter_groups().parameter_group_name(name);
        let op = Op::read(SERVICE, "DescribeParameterGroups");
        let answer = found(call(op, request.send()).await)?;
        Ok(answer.and_then(|answer| answer.parameter_groups?.into_iter().next()))
    }

    fn status(_found: &ParameterGroup) -> Option<&str> {
        None
    }

    async fn differences(&self, env: &Env, found: &ParameterGroup) -> Result<Vec<String>, Failure> {
        let family = found.family().unwrap_or_default();
        let mut differences: Vec<String> =
            made::differ("family", &self.family, family).into_iter().collect();
        if differences.is_empty() {
            let values = values(env, &self.name.to_ascii_lowercase()).await?;
            differences.extend(made::differing("parameter", &self.parameters, &values));
        }
        Ok(differences)
    }

    async fn create(&self, env: &Env, cx: &Cx, name: &str, tags: Vec<Tag>) -> Result<(), Failure> {
        let request = env
            .aws
            .memorydb
            .create_parameter_group()
            .parameter_group_name(name)
            .family(&self.family)
            .set_description(self.description.clone())
            .set_tags(Some(tags));
        let call = env.aws.change(SERVICE, "CreateParameterGroup", request.send());
        creation::ask(cx, call).await.map(drop)
    }

    /// Sets what is not set yet: a process may have died between the calls.
    async fn complete(&self, env: &Env, _cx: &Cx, name: &str) -> Result<(), Failure> {
        if self.parameters.is_empty() {
            return Ok(());
        }
        let set = values(env, name).await?;
        let open: Vec<(&String, &String)> =
            self.parameters.iter().filter(|(name, value)| set.get(*name) != Some(*value)).collect();
        for some in open.chunks(MOST) {
            let pair = |(name, value): &(&String, &String)| {
                let pair = ParameterNameValue::builder();
                pair.parameter_name(*name).parameter_value(*value).build()
            };
            let request = env.aws.memorydb.update_parameter_group().parameter_group_name(name);
            let request = request.set_parameter_name_values(Some(some.iter().map(pair).collect()));
            env.aws.change(SERVICE, "UpdateParameterGroup", request.send()).await?;
        }
        Ok(())
    }

    async fn delete(env: &Env, name: &str) -> Result<(), Failure> {
        let request = env.aws.memorydb.delete_parameter_group().parameter_group_name(name);
        env.aws.change(SERVICE, "DeleteParameterGroup", request.send()).await.map(drop)
    }
}

impl Step for CreateParameterGroup {
    const KIND: &'static str = "memorydb.create_parameter_group";
    const SUMMARY: &'static str = "create a MemoryDB parameter group with its values";
    const ACTIONS: &'static [Action] = &[
        action("memorydb:DescribeParameterGroups", "parametergroup/{name}", Phases::ALL),
        action("memorydb:DescribeParameters", "parametergroup/{name}", Phases::RUN)
            .when("parameters"),
        action("memorydb:ListTags", "parametergroup/{name}", Phases::RUN_UNDO),
        action("memorydb:CreateParameterGroup", "parametergroup/{name}", Phases::RUN),
        action("memorydb:UpdateParameterGroup", "parametergroup/{name}", Phases::RUN)
            .when("parameters"),
        action("memorydb:TagResource", "parametergroup/{name}", Phases::RUN),
        action("memorydb:DeleteParameterGroup", "parametergroup/{name}", Phases::UNDO),
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
        let mut faults = creation::name_faults(args, "name", "parameter group name", longest);
        if let Some(family) = args["family"].as_str()
            && !FAMILIES.contains(&family)
        {
            let fault = Fault::new(format!("MemoryDB has no parameter group family `{family}`"));
            faults.push(fault.key("family").mend(format!("write one of {}", FAMILIES.join(", "))));
        }
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let name = args["name"].as_str().map_or("…".to_owned(), str::to_ascii_lowercase);
        let family = args["family"].as_str().unwrap_or("…");
        let parameters = args["parameters"].as_object();
        let set: Vec<String> = parameters
            .into_iter()
            .flatten()
            .map(|(name, value)| format!("{name} {}", value.as_str().unwrap_or("…")))
            .collect();
        let set = if set.is_empty() { String::new() } else { format!(": {}", set.join(", ")) };
        Sketch {
            does: format!("create MemoryDB parameter group \"{name}\" of family {family}{set}"),
            undo: Some("delete the parameter group".to_owned()),
            loses: None,
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let name = args["name"].as_str().map_or("…".to_owned(), str::to_ascii_lowercase);
        vec![Touch::creates(format!("MemoryDB parameter group \"{name}\""))]
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
        let output = |found: &ParameterGroup| Output {
            name: prepared.name.clone(),
            arn: prepared.arn.clone(),
            family: found.family().unwrap_or(&spec.family).to_owned(),
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
    use aws_sdk_memorydb::operation::create_parameter_group::CreateParameterGroupOutput;
    use aws_sdk_memorydb::operation::describe_parameter_groups::DescribeParameterGroupsOutput;
    use aws_sdk_memorydb::operation::describe_parameters::DescribeParametersOutput;
    use aws_sdk_memorydb::operation::update_parameter_group::UpdateParameterGroupOutput;
    use aws_sdk_memorydb::types::Parameter;
    use aws_smithy_mocks::mock;
    use serde_json::json;

    use super::*;
    use crate::steps::testing::{self, Rules};

    fn shown() -> DescribeParameterGroupsOutput {
        let group = ParameterGroup::builder().name("mine").family("memorydb_valkey7").build();
        DescribeParameterGroupsOutput::builder().parameter_groups(group).build()
    }

    /// Two pages of values.
    fn page(name: &str, value: &str, next: Option<&str>) -> DescribeParametersOutput {
        let parameter = Parameter::builder().name(name).value(value).build();
        let next = next.map(str::to_owned);
        DescribeParametersOutput::builder().parameters(parameter).set_next_token(next).build()
    }

    #[tokio::test(start_paused = true)]
    async fn only_values_that_are_not_so_yet_are_set() {
        let describe = mock!(Client::describe_parameter_groups)
            .sequence()
            .output(|| DescribeParameterGroupsOutput::builder().build())
            .times(2)
            .output(shown)
            .build();
        let create = mock!(Client::create_parameter_group)
            .match_requests(|r| {
                r.parameter_group_name() == Some("mine") && r.family() == Some("memorydb_valkey7")
            })
            .then_output(|| CreateParameterGroupOutput::builder().build());
        let values = mock!(Client::describe_parameters)
            .sequence()
            .output(|| page("maxmemory-policy", "noeviction", Some("more")))
            .output(|| page("tcp-keepalive", "300", None))
            .build();
        let update = mock!(Client::update_parameter_group)
            .match_requests(|r| {
                let set = r.parameter_name_values();
                set.len() == 1
                    && set[0].parameter_name() == Some("tcp-keepalive")
                    && set[0].parameter_value() == Some("60")
            })
            .then_output(|| UpdateParameterGroupOutput::builder().build());
        let rules = vec![&describe, &create, &values, &update];
        let env = testing::env(Rules { memorydb: rules, ..Rules::default() });
        let spec: Spec = testing::spec(json!({
            "name": "Mine", "family": "memorydb_valkey7",
            "parameters": {"maxmemory-policy": "noeviction", "tcp-keepalive": "60"},
        }));
        let cx = testing::cx("parameters");
        let (prepared, _) = CreateParameterGroup::prepare(&env, &spec, &cx).await.unwrap();
        let done = CreateParameterGroup::execute(&env, &spec, &prepared, &cx).await.unwrap();
        assert!(matches!(done, Done::Changed(_)), "{done:?}");
        assert_eq!((create.num_calls(), values.num_calls(), update.num_calls()), (1, 2, 1));
    }
}
