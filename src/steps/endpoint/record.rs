//! Route 53 CNAME records. A change is all or nothing and has no compare-and-swap: the record is read before and after
//! (ChangeResourceRecordSets, Route 53 API reference).

use std::time::Duration;

use aws_sdk_route53::operation::change_resource_record_sets::ChangeResourceRecordSetsError;
use aws_sdk_route53::types::{
    Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde::{Deserialize, Serialize};

use super::form::same_host;
use super::target::{Shows, Way};
use crate::aws::{Op, call};
use crate::engine::{Class, Cx, Failure, Seen, States, Wait};
use crate::steps::Env;

const SERVICE: &str = "Route 53";
/// "Changes generally propagate to all Route 53 name servers within 60 seconds" (ChangeResourceRecordSets).
const PROPAGATION: Duration = Duration::from_secs(60);
const CHANGE: States = States { pending: &["PENDING"], success: &["INSYNC"], terminal: &[] };

/// What a record was before the swap, and what it becomes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(super) zone: String,
    pub(super) name: String,
    pub(super) old_value: String,
    pub(super) new_value: String,
    pub(super) old_ttl: i64,
    new_ttl: i64,
    health_check: Option<String>,
}

impl Record {
    /// Reads the record and refuses all but a plain CNAME. Gives it with its value; the new value is still to be set.
    pub(super) async fn look(
        env: &Env,
        zone: &str,
        name: &str,
        ttl: Option<i64>,
    ) -> Result<(Self, String), Failure> {
        let get = env.aws.route53.get_hosted_zone().id(zone).send();
        let hosted = call(Op::read(SERVICE, "GetHostedZone"), get)
            .await
            .map_err(|failure| failure.context(format!("could not read hosted zone {zone}")))?;
        let apex = hosted.hosted_zone().map(|z| absolute(z.name())).unwrap_or_default();
        if absolute(name) == apex {
            return Err(Failure::fatal(format!(
                "\"{name}\" is the apex of hosted zone {zone}, where DNS allows no CNAME"
            ))
            .mend("let the applications read a name below the apex, or an SSM parameter"));
        }
        let found = list(env, zone, name).await?;
        let (old_value, old_ttl, health_check) = plain_cname(name, zone, &found)?;
        let record = Self {
            zone: zone.to_owned(),
            name: name.to_owned(),
            old_value: old_value.clone(),
            new_value: String::new(),
            old_ttl,
            new_ttl: ttl.unwrap_or(old_ttl),
            health_check,
        };
        Ok((record, old_value))
    }

    pub(super) fn is_there_already(&self) -> bool {
        same_host(&self.old_value, &self.new_value) && self.old_ttl == self.new_ttl
    }

    /// Asks for a change that cannot happen: a CREATE of the very record that exists is refused as existing, but only
    /// to those who may change the zone. The batch is all or nothing, so that nothing else can come of it.
    pub(super) async fn may_write(&self, env: &Env) -> Result<(), Failure> {
        let batch = self.batch(ChangeAction::Create, Way::Back)?;
        let change = env.aws.route53.change_resource_record_sets();
        let op = env.aws.permit(SERVICE, "ChangeResourceRecordSets").await?;
        let answer = change.hosted_zone_id(&self.zone).change_batch(batch).send().await;
        if answer.as_ref().err().is_some_and(says_it_exists) {
            return Ok(());
        }
        call(op, std::future::ready(answer)).await.map(|_| ())
    }

    pub(super) async fn shows(&self, env: &Env) -> Result<Shows, Failure> {
        let found = list(env, &self.zone, &self.name).await?;
        let (value, ttl, _) = match plain_cname(&self.name, &self.zone, &found) {
            Ok(record) => record,
            Err(failure) => return Ok(Shows::Other(format!("no plain CNAME: {failure}"))),
        };
        Ok(if same_host(&value, &self.new_value) && ttl == self.new_ttl {
            Shows::New
        } else if same_host(&value, &self.old_value) && ttl == self.old_ttl {
            Shows::Old
        } else {
            Shows::Other(format!("\"{value}\" with a TTL of {ttl} s"))
        })
    }

    /// Writes and waits until all of Route 53's servers have it.
    pub(super) async fn write(
        &self,
        env: &Env,
        cx: &Cx,
        way: Way,
    ) -> Result<Option<String>, Failure> {
        let batch = self.batch(ChangeAction::Upsert, way)?;
        let change = env.aws.route53.change_resource_record_sets();
        let send = change.hosted_zone_id(&self.zone).change_batch(batch).send();
        let done = env.aws.change(SERVICE, "ChangeResourceRecordSets", send).await?;
        let id = done.change_info().map(|c| c.id().trim_start_matches("/change/").to_owned());
        let Some(id) = id else { return Ok(None) };
        let wait = Wait {
            subject: format!("Route 53 change {id} of record \"{}\"", self.name),
            service: SERVICE,
            states: CHANGE,
            expected: PROPAGATION,
        };
        let look = || async {
            let get = env.aws.route53.get_change().id(&id).send();
            let answer = call(Op::read(SERVICE, "GetChange"), get).await?;
            Ok(Seen::state(answer.change_info().map_or("PENDING", |c| c.status().as_str())))
        };
        cx.wait(&wait, look, || async { None }).await?;
        Ok(Some(id))
    }

    fn batch(&self, action: ChangeAction, way: Way) -> Result<ChangeBatch, Failure> {
        let (value, ttl) = match way {
            Way::Forth => (&self.new_value, self.new_ttl),
            Way::Back => (&self.old_value, self.old_ttl),
        };
        let build = || {
            let record = ResourceRecord::builder().value(value).build()?;
            let set = ResourceRecordSet::builder()
                .name(&self.name)
                .r#type(RrType::Cname)
                .ttl(ttl)
                .resource_records(record)
                .set_health_check_id(self.health_check.clone())
                .build()?;
            let change = Change::builder().action(action).resource_record_set(set).build()?;
            ChangeBatch::builder().comment("endpoint swap by orchestrate").changes(change).build()
        };
        build().map_err(|e| Failure::fatal("could not build the change").because(e.to_string()))
    }
}

/// Value, TTL and health check of the one plain CNAME among the records of a name.
fn plain_cname(
    name: &str,
    zone: &str,
    found: &[ResourceRecordSet],
) -> Result<(String, i64, Option<String>), Failure> {
    let refuse = |why: &str| {
        Failure::fatal(format!("Route 53 record \"{name}\" cannot be swapped: {why}"))
            .mend("only a CNAME with one value and simple routing is swapped; use another target for this one")
    };
    let Some(record) = found.first() else {
        return Err(Failure::new(
            Class::NotFound,
            format!("hosted zone {zone} has no record \"{name}\""),
        )
        .mend("create the CNAME with the present host, or correct its name in the playbook"));
    };
    let routed = record.set_identifier().is_some()
        || record.weight().is_some()
        || record.region().is_some()
        || record.failover().is_some()
        || record.geo_location().is_some()
        || record.multi_value_answer().is_some()
        || record.cidr_routing_config().is_some()
        || record.geo_proximity_location().is_some()
        || record.traffic_policy_instance_id().is_some();
    if record.alias_target().is_some() {
        return Err(refuse("it is an alias, and an alias cannot lead to a cluster"));
    }
    if routed || found.iter().filter(|r| r.r#type() == &RrType::Cname).count() > 1 {
        return Err(refuse("it has a routing policy (weighted, latency, failover or the like)"));
    }
    if record.r#type() != &RrType::Cname {
        return Err(refuse(&format!("it is of type {}, not CNAME", record.r#type().as_str())));
    }
    let (Some(ttl), [only]) = (record.ttl(), record.resource_records()) else {
        return Err(refuse("it has more than one value, or no TTL"));
    };
    Ok((only.value().to_owned(), ttl, record.health_check_id().map(str::to_owned)))
}

/// All records of exactly that name. The answer reflects changes that are still under way (ListResourceRecordSets).
async fn list(env: &Env, zone: &str, name: &str) -> Result<Vec<ResourceRecordSet>, Failure> {
    let list = env.aws.route53.list_resource_record_sets();
    let list = list.hosted_zone_id(zone).start_record_name(name).max_items(100).send();
    let found = call(Op::read(SERVICE, "ListResourceRecordSets"), list)
        .await
        .map_err(|failure| failure.context(format!("could not read Route 53 record \"{name}\"")))?;
    let wanted = absolute(name);
    Ok(found.resource_record_sets.into_iter().filter(|r| absolute(r.name()) == wanted).collect())
}

/// Lower case, with the final dot, `*` unescaped: as two names are compared.
fn absolute(name: &str) -> String {
    let name = name.to_ascii_lowercase().replace("\\052", "*");
    if name.ends_with('.') { name } else { format!("{name}.") }
}

/// Route 53 answers InvalidChangeBatch in two XML forms, and the SDK reads the code from only one of them.
fn says_it_exists(error: &SdkError<ChangeResourceRecordSetsError, HttpResponse>) -> bool {
    let SdkError::ServiceError(context) = error else { return false };
    let body = context.raw().body().bytes().map(String::from_utf8_lossy).unwrap_or_default();
    let mut said = vec![body.to_string()];
    if let ChangeResourceRecordSetsError::InvalidChangeBatch(batch) = context.err() {
        said.extend(batch.messages().iter().cloned());
        said.extend(batch.message().map(str::to_owned));
        said.extend(batch.meta().message().map(str::to_owned));
    } else if !body.contains("InvalidChangeBatch") {
        return false;
    }
    said.iter().any(|words| words.contains("already exists"))
}
