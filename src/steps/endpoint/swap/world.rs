//! A little of three services behind mocked clients: enough state that a switch can be seen, lost, denied and meddled
//! with.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use aws_sdk_route53::types::{
    AliasTarget, ChangeAction, ChangeInfo, ChangeStatus, HostedZone, ResourceRecord,
    ResourceRecordSet, RrType,
};
use aws_sdk_ssm::types::{Parameter, ParameterMetadata, ParameterTier, ParameterType};
use aws_smithy_mocks::{MockResponse, RuleMode, mock, mock_client};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::DateTime;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;

use crate::aws::Clients;
use crate::engine::{Class, Failure};
use crate::steps::Env;
use crate::steps::redis::{DataPlane, Store, Target};
use crate::steps::testing::{self, Rules};

pub(super) const ZONE: &str = "Z1";
pub(super) const NAME: &str = "redis.example.com";
pub(super) const SECRET: &str = "app/redis";

type Meddling = fn(&mut World);

#[derive(Clone)]
pub(super) struct Version {
    pub(super) text: String,
    pub(super) labels: BTreeSet<String>,
}

#[derive(Clone)]
pub(super) struct Cname {
    pub(super) kind: RrType,
    pub(super) value: String,
    pub(super) ttl: i64,
    pub(super) weight: Option<i64>,
    pub(super) alias: bool,
}

#[derive(Default)]
pub(super) struct World {
    /// Values by version, from 1.
    pub(super) parameters: BTreeMap<String, Vec<String>>,
    pub(super) encrypted: bool,
    pub(super) versions: BTreeMap<String, Version>,
    pub(super) record: Option<Cname>,
    /// Looks at a change before it is INSYNC.
    pub(super) pending: u32,
    /// Changes asked for, in order: "PutParameter /a".
    pub(super) log: Vec<String>,
    /// Changes refused with AccessDenied.
    pub(super) denied: BTreeSet<String>,
    /// Changes that happen, once, and whose answer is lost.
    pub(super) lost: BTreeSet<String>,
    /// What somebody else does right before a change, once.
    pub(super) meddlers: BTreeMap<String, Meddling>,
    /// Everything asked of PutParameter, for its shape.
    pub(super) puts: Vec<aws_sdk_ssm::operation::put_parameter::PutParameterInput>,
}

#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Mutex<World>>);

enum Verdict {
    Go,
    Denied,
    Lost,
}

impl World {
    fn asked(&mut self, key: &str) -> Verdict {
        self.log.push(key.to_owned());
        if let Some(meddle) = self.meddlers.remove(key) {
            meddle(self);
        }
        if self.denied.contains(key) {
            Verdict::Denied
        } else if self.lost.remove(key) {
            Verdict::Lost
        } else {
            Verdict::Go
        }
    }

    pub(super) fn parameter(&self, name: &str) -> &str {
        self.parameters[name].last().unwrap()
    }

    pub(super) fn labelled(&self, label: &str) -> Option<&str> {
        let found = self.versions.iter().find(|(_, v)| v.labels.contains(label));
        found.map(|(id, _)| id.as_str())
    }

    pub(super) fn move_label(&mut self, label: &str, from: Option<&str>, to: Option<&str>) -> bool {
        let holder = self.labelled(label).map(str::to_owned);
        if holder.as_deref() != from {
            return false;
        }
        let moves_current = label == "AWSCURRENT";
        for (id, version) in &mut self.versions {
            version.labels.remove(label);
            if moves_current {
                version.labels.remove("AWSPREVIOUS");
                if Some(id) == holder.as_ref() {
                    version.labels.insert("AWSPREVIOUS".to_owned());
                }
            }
        }
        if let Some(version) = to.and_then(|to| self.versions.get_mut(to)) {
            version.labels.insert(label.to_owned());
        }
        true
    }
}

fn json<O, E>(status: u16, code: &str, message: &str) -> MockResponse<O, E> {
    let body = serde_json::json!({"__type": code, "message": message}).to_string();
    MockResponse::Http(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body)))
}

fn xml<O, E>(status: u16, body: String) -> MockResponse<O, E> {
    MockResponse::Http(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body)))
}

fn refused<O, E>() -> MockResponse<O, E> {
    json(400, "AccessDeniedException", "not authorized")
}

fn lost<O, E>() -> MockResponse<O, E> {
    json(500, "InternalServerError", "try again")
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    fn clients(&self) -> Clients {
        Clients {
            ssm: self.ssm(),
            secretsmanager: self.secretsmanager(),
            route53: self.route53(),
            ..testing::env(Rules::default()).aws
        }
    }

    /// What steps act with in this world; the servers at these `host:port` are dead.
    pub(super) fn env(&self, dead: &[&str]) -> Env {
        let dead = dead.iter().map(|d| (*d).to_owned()).collect();
        Env {
            aws: self.clients(),
            data: Rc::new(Servers { dead }),
            ..testing::env(Rules::default())
        }
    }

    fn ssm(&self) -> aws_sdk_ssm::Client {
        use aws_sdk_ssm::operation::{
            describe_parameters::DescribeParametersOutput, get_parameter::GetParameterOutput,
            put_parameter::PutParameterOutput,
        };
        let world = self.clone();
        let get = mock!(aws_sdk_ssm::Client::get_parameter).then_compute_response(move |input| {
            let world = world.lock();
            let asked = input.name().unwrap();
            let (name, version) = match asked.rsplit_once(':') {
                Some((name, version)) => (name, version.parse().unwrap()),
                None => (asked, world.parameters.get(asked).map_or(0, Vec::len)),
            };
            let Some(text) = world.parameters.get(name).and_then(|v| v.get(version - 1)) else {
                return json(400, "ParameterNotFound", "");
            };
            let kind =
                if world.encrypted { ParameterType::SecureString } else { ParameterType::String };
            assert_eq!(input.with_decryption(), Some(true));
            let parameter = Parameter::builder().name(name).value(text).r#type(kind);
            let parameter = parameter.version(version as i64).data_type("text").build();
            MockResponse::Output(GetParameterOutput::builder().parameter(parameter).build())
        });
        let describe =
            mock!(aws_sdk_ssm::Client::describe_parameters).then_compute_output(|input| {
                let name = &input.parameter_filters()[0].values()[0];
                let meta = ParameterMetadata::builder().name(name).tier(ParameterTier::Advanced);
                let meta = meta.key_id("alias/mine").description("where redis is").build();
                DescribeParametersOutput::builder().parameters(meta).build()
            });
        let world = self.clone();
        let put = mock!(aws_sdk_ssm::Client::put_parameter).then_compute_response(move |input| {
            let mut world = world.lock();
            let name = input.name().unwrap();
            let overwrite = input.overwrite() == Some(true);
            let key = if overwrite { "PutParameter" } else { "Probe" };
            let verdict = world.asked(&format!("{key} {name}"));
            if matches!(verdict, Verdict::Denied) {
                return refused();
            }
            if !overwrite {
                return json(400, "ParameterAlreadyExists", "exists");
            }
            world.puts.push(input.clone());
            let versions = world.parameters.get_mut(name).unwrap();
            versions.push(input.value().unwrap().to_owned());
            let version = versions.len() as i64;
            if matches!(verdict, Verdict::Lost) {
                return lost();
            }
            MockResponse::Output(PutParameterOutput::builder().version(version).build())
        });
        mock_client!(aws_sdk_ssm, RuleMode::MatchAny, [&get, &describe, &put], |c| c
            .retry_config(RetryConfig::disabled()))
    }

    fn secretsmanager(&self) -> aws_sdk_secretsmanager::Client {
        use aws_sdk_secretsmanager::operation::{
            describe_secret::DescribeSecretOutput, get_secret_value::GetSecretValueOutput,
            put_secret_value::PutSecretValueOutput,
            update_secret_version_stage::UpdateSecretVersionStageOutput,
        };
        let world = self.clone();
        let describe =
            mock!(aws_sdk_secretsmanager::Client::describe_secret).then_compute_output(move |_| {
                let world = world.lock();
                let labelled = world.versions.iter().filter(|(_, v)| !v.labels.is_empty());
                labelled
                    .fold(DescribeSecretOutput::builder(), |output, (id, version)| {
                        output.version_ids_to_stages(id, version.labels.iter().cloned().collect())
                    })
                    .arn("arn:aws:secretsmanager:us-east-1:123456789012:secret:app/redis-a1b2c3")
                    .build()
            });
        let world = self.clone();
        let get =
            mock!(aws_sdk_secretsmanager::Client::get_secret_value).then_compute_output(move |i| {
                let text = world.lock().versions[i.version_id().unwrap()].text.clone();
                GetSecretValueOutput::builder().secret_string(text).build()
            });
        let world = self.clone();
        let put = mock!(aws_sdk_secretsmanager::Client::put_secret_value).then_compute_response(
            move |i| {
                let mut world = world.lock();
                let verdict = world.asked("PutSecretValue");
                if matches!(verdict, Verdict::Denied) {
                    return refused();
                }
                let id = i.client_request_token().unwrap().to_owned();
                assert!((32..=64).contains(&id.len()));
                assert!(!world.versions.contains_key(&id), "staged twice");
                let labels = i.version_stages().iter().cloned().collect();
                let text = i.secret_string().unwrap().to_owned();
                world.versions.insert(id.clone(), Version { text, labels });
                if matches!(verdict, Verdict::Lost) {
                    return lost();
                }
                MockResponse::Output(PutSecretValueOutput::builder().version_id(id).build())
            },
        );
        let world = self.clone();
        let stage = mock!(aws_sdk_secretsmanager::Client::update_secret_version_stage)
            .then_compute_response(move |i| {
                let mut world = world.lock();
                let label = i.version_stage().unwrap();
                let verdict = world.asked(&format!("Move {label}"));
                if matches!(verdict, Verdict::Denied) {
                    return refused();
                }
                if !world.move_label(label, i.remove_from_version_id(), i.move_to_version_id()) {
                    return json(
                        400,
                        "InvalidParameterException",
                        "RemoveFromVersionId isn't valid",
                    );
                }
                if matches!(verdict, Verdict::Lost) {
                    return lost();
                }
                MockResponse::Output(UpdateSecretVersionStageOutput::builder().build())
            });
        mock_client!(
            aws_sdk_secretsmanager,
            RuleMode::MatchAny,
            [&describe, &get, &put, &stage],
            |c| c.retry_config(RetryConfig::disabled())
        )
    }

    fn route53(&self) -> aws_sdk_route53::Client {
        use aws_sdk_route53::operation::{
            change_resource_record_sets::ChangeResourceRecordSetsOutput,
            get_change::GetChangeOutput, get_hosted_zone::GetHostedZoneOutput,
            list_resource_record_sets::ListResourceRecordSetsOutput,
        };
        let zone = mock!(aws_sdk_route53::Client::get_hosted_zone).then_output(|| {
            let zone = HostedZone::builder().id("/hostedzone/Z1").name("example.com.");
            let zone = zone.caller_reference("x").build().unwrap();
            GetHostedZoneOutput::builder().hosted_zone(zone).build()
        });
        let world = self.clone();
        let list = mock!(aws_sdk_route53::Client::list_resource_record_sets).then_compute_output(
            move |i| {
                assert_eq!(i.hosted_zone_id(), Some(ZONE));
                let world = world.lock();
                let set = |name: &str| ResourceRecordSet::builder().name(name);
                let mut sets = Vec::new();
                if let Some(cname) = &world.record {
                    let mut built = set("Redis.example.com.").r#type(cname.kind.clone());
                    if cname.alias {
                        let alias = AliasTarget::builder().hosted_zone_id("Z2").dns_name("lb.x.");
                        built = built
                            .alias_target(alias.evaluate_target_health(false).build().unwrap());
                    } else {
                        let value = ResourceRecord::builder().value(&cname.value).build().unwrap();
                        built = built.ttl(cname.ttl).resource_records(value);
                    }
                    sets.push(built.set_weight(cname.weight).build().unwrap());
                }
                sets.push(set("zzz.example.com.").r#type(RrType::A).ttl(1).build().unwrap());
                let output = ListResourceRecordSetsOutput::builder();
                let output = output.set_resource_record_sets(Some(sets)).is_truncated(false);
                output.max_items(100).build().unwrap()
            },
        );
        let world = self.clone();
        let change = mock!(aws_sdk_route53::Client::change_resource_record_sets)
            .then_compute_response(move |input| {
                let mut world = world.lock();
                let change = &input.change_batch().unwrap().changes()[0];
                let probe = change.action() == &ChangeAction::Create;
                let verdict = world.asked(if probe { "Probe record" } else { "Upsert" });
                if matches!(verdict, Verdict::Denied) {
                    return xml(
                        403,
                        "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>".to_owned(),
                    );
                }
                if probe {
                    return xml(
                        400,
                        "<InvalidChangeBatch xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Messages><Message>Tried to create resource record set [name='redis.example.com.', type='CNAME'] but it already exists</Message></Messages></InvalidChangeBatch>".to_owned(),
                    );
                }
                let set = change.resource_record_set().unwrap();
                assert_eq!(set.set_identifier(), None);
                let record = world.record.as_mut().unwrap();
                record.value = set.resource_records()[0].value().to_owned();
                record.ttl = set.ttl().unwrap();
                world.pending = 2;
                if matches!(verdict, Verdict::Lost) {
                    return xml(500, "<ErrorResponse/>".to_owned());
                }
                MockResponse::Output(
                    ChangeResourceRecordSetsOutput::builder()
                        .change_info(info(ChangeStatus::Pending))
                        .build(),
                )
            });
        let world = self.clone();
        let get = mock!(aws_sdk_route53::Client::get_change).then_compute_output(move |input| {
            assert_eq!(input.id(), Some("C1"));
            let mut world = world.lock();
            world.pending = world.pending.saturating_sub(1);
            let insync = world.pending == 0;
            let status = if insync { ChangeStatus::Insync } else { ChangeStatus::Pending };
            GetChangeOutput::builder().change_info(info(status)).build()
        });
        mock_client!(aws_sdk_route53, RuleMode::MatchAny, [&zone, &list, &change, &get], |c| c
            .retry_config(RetryConfig::disabled()))
    }
}

fn info(status: ChangeStatus) -> ChangeInfo {
    let info = ChangeInfo::builder().id("/change/C1").status(status);
    info.submitted_at(DateTime::from_secs(0)).build().unwrap()
}

struct Servers {
    dead: Vec<String>,
}

#[async_trait(?Send)]
impl DataPlane for Servers {
    async fn open(&self, target: &Target) -> Result<Box<dyn Store>, Failure> {
        Err(Failure::fatal(format!("no store at {} in this test", target.host)))
    }

    async fn answers(&self, host: &str, port: u16) -> Result<(), Failure> {
        if self.dead.contains(&format!("{host}:{port}")) {
            Err(Failure::new(Class::Transient, "connection refused"))
        } else {
            Ok(())
        }
    }
}
