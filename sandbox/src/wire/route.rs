//! From a request to a service: which one it is for, whether it fails on order, who answers, what the log says.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http::request::Parts;
use serde_json::Value;

use super::error::{self, ApiError};
use super::query::{self, Params};
use super::reply::Reply;
use super::{admin, cbor, json};
use crate::context::{Core, Ctx, Effects, lock};
use crate::faults::FaultKind;
use crate::iam::{self, Asked, Permission};
use crate::log::{Call, Outcome};
use crate::record;
use crate::sandbox::Sandbox;
use crate::{
    cloudwatch, elasticache, kms, memorydb, route53, s3, secretsmanager, servicequotas, sns, ssm,
    sts,
};

/// The services, by protocol and signing name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    ElastiCache,
    MemoryDb,
    S3,
    Ssm,
    SecretsManager,
    Route53,
    Iam,
    Sts,
    Sns,
    Kms,
    Quotas,
    CloudWatch,
    /// CloudWatch in the protocol that the newer SDKs speak.
    CloudWatchCbor,
}

/// How long after a change a read may still not show it. AWS names no bound for its eventual consistency; a minute is more
/// than it is seen to take.
const STALE_WITHIN: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

const ELASTICACHE_NS: &str = "http://elasticache.amazonaws.com/doc/2015-02-02/";
const IAM_NS: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
const STS_NS: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
const SNS_NS: &str = "http://sns.amazonaws.com/doc/2010-03-31/";

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::ElastiCache => "elasticache",
            Self::MemoryDb => "memorydb",
            Self::S3 => "s3",
            Self::Ssm => "ssm",
            Self::SecretsManager => "secretsmanager",
            Self::Route53 => "route53",
            Self::Iam => "iam",
            Self::Sts => "sts",
            Self::Sns => "sns",
            Self::Kms => "kms",
            Self::Quotas => "servicequotas",
            Self::CloudWatch | Self::CloudWatchCbor => "monitoring",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        const ALL: [Service; 12] = [
            Service::ElastiCache,
            Service::MemoryDb,
            Service::S3,
            Service::Ssm,
            Service::SecretsManager,
            Service::Route53,
            Service::Iam,
            Service::Sts,
            Service::Sns,
            Service::Kms,
            Service::Quotas,
            Service::CloudWatch,
        ];
        ALL.into_iter().find(|service| service.name() == name)
    }

    /// The service of a request: by the scope of its signature, then `X-Amz-Target`, then the host, then the API version
    /// of a form body. What is none of these is S3, whose requests may be unsigned.
    fn of(parts: &Parts, body: &Bytes) -> Self {
        match Self::named(parts, body) {
            Self::CloudWatch if parts.headers.contains_key("smithy-protocol") => {
                Self::CloudWatchCbor
            }
            service => service,
        }
    }

    fn named(parts: &Parts, body: &Bytes) -> Self {
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let by_scope = header("authorization")
            .and_then(|auth| auth.split_once("Credential="))
            .and_then(|(_, scope)| scope.split(',').next()?.split('/').nth(3));
        if let Some(service) = by_scope.and_then(Self::from_name) {
            return service;
        }
        match header("x-amz-target").and_then(|target| target.split('.').next()) {
            Some("AmazonMemoryDB") => return Self::MemoryDb,
            Some("AmazonSSM") => return Self::Ssm,
            Some("secretsmanager") => return Self::SecretsManager,
            Some("TrentService") => return Self::Kms,
            Some("ServiceQuotasV20190624") => return Self::Quotas,
            Some("GraniteServiceVersion20100801") => return Self::CloudWatch,
            _ => {}
        }
        let host = header("host").or(parts.uri.host()).unwrap_or_default();
        match host.split('.').next().unwrap_or_default() {
            "memory-db" => return Self::MemoryDb,
            label => {
                if let Some(service) = Self::from_name(label) {
                    return service;
                }
            }
        }
        match Params::parse(body).get("Version") {
            Some("2015-02-02") => Self::ElastiCache,
            Some("2011-06-15") => Self::Sts,
            Some("2010-05-08") => Self::Iam,
            Some("2010-03-31") => Self::Sns,
            _ if parts.uri.path().starts_with("/2013-04-01/") => Self::Route53,
            _ => Self::S3,
        }
    }
}

/// A request that has been read as far as its operation.
#[derive(Debug)]
struct Incoming {
    service: Service,
    operation: String,
    resource: String,
    input: Input,
    parts: Parts,
    body: Bytes,
}

#[derive(Debug)]
enum Input {
    Form(Params),
    Json(Value),
    Rest,
}

impl Incoming {
    fn read(parts: Parts, body: Bytes) -> Result<Self, (Service, ApiError)> {
        let service = Service::of(&parts, &body);
        let (operation, resource, input) = match service {
            Service::ElastiCache | Service::Iam | Service::Sts | Service::Sns => {
                let params = Params::parse(&body);
                let operation = params.get("Action").unwrap_or_default().to_owned();
                let resource = form_resource(&params);
                (operation, resource, Input::Form(params))
            }
            Service::CloudWatchCbor => {
                // /service/GraniteServiceVersion20100801/operation/GetMetricData (Smithy RPC v2 CBOR)
                let operation = parts.uri.path().rsplit_once("/operation/").map(|(_, op)| op);
                let operation = operation.unwrap_or_default().to_owned();
                let input = cbor::parse(&body).map_err(|error| (service, error))?;
                (operation, json_resource(&input), Input::Json(input))
            }
            Service::MemoryDb
            | Service::Ssm
            | Service::SecretsManager
            | Service::Kms
            | Service::Quotas
            | Service::CloudWatch => {
                let target = parts.headers.get("x-amz-target").and_then(|t| t.to_str().ok());
                let operation = target.and_then(|t| t.split_once('.')).map(|(_, op)| op.to_owned());
                let input = json::parse(&body).map_err(|error| (service, error))?;
                (operation.unwrap_or_default(), json_resource(&input), Input::Json(input))
            }
            Service::S3 => {
                let (operation, resource) = s3::operation(&parts);
                (operation, resource, Input::Rest)
            }
            Service::Route53 => {
                let (operation, resource) = route53::operation(&parts);
                (operation, resource, Input::Rest)
            }
        };
        Ok(Self { service, operation, resource, input, parts, body })
    }

    fn needs(&self, ctx: &Ctx) -> Vec<Permission> {
        let (form, json) = match &self.input {
            Input::Form(params) => (Some(params), None),
            Input::Json(input) => (None, Some(input)),
            Input::Rest => (None, None),
        };
        let asked = Asked {
            service: self.service.name(),
            operation: &self.operation,
            resource: &self.resource,
            form,
            json,
            parts: &self.parts,
            body: &self.body,
        };
        iam::needs(ctx, &asked)
    }

    /// The bucket that a request to another service than S3 names.
    fn bucket(&self) -> Option<String> {
        let named = match &self.input {
            Input::Form(params) => {
                params.get("TargetBucket").or(params.get("S3BucketName")).or_else(|| {
                    let file = params.get("SnapshotArns.SnapshotArn.1")?;
                    file.strip_prefix("arn:aws:s3:::")?.split('/').next()
                })
            }
            Input::Json(input) => {
                let file = input["SnapshotArns"][0].as_str();
                let of_file =
                    file.and_then(|arn| arn.strip_prefix("arn:aws:s3:::")?.split('/').next());
                input["TargetBucket"].as_str().or(of_file)
            }
            Input::Rest => None,
        };
        named.map(str::to_owned)
    }

    fn mutating(&self) -> bool {
        const READS: [&str; 6] = ["Describe", "Get", "List", "Head", "Select", "Simulate"];
        !READS.iter().any(|prefix| self.operation.starts_with(prefix))
    }
}

/// The member that names what a form request is about: the created or changed thing before what it is made from.
fn form_resource(params: &Params) -> String {
    if params.get("Action") == Some("CreateReplicationGroup") {
        return params.get("ReplicationGroupId").unwrap_or_default().to_owned();
    }
    const NAMES: [&str; 12] = [
        "TopicArn",
        "TargetSnapshotName",
        "SnapshotName",
        "ServerlessCacheSnapshotName",
        "ServerlessCacheName",
        "ReplicationGroupId",
        "CacheClusterId",
        "UserGroupId",
        "UserId",
        "ResourceName",
        "SourceIdentifier",
        "SourceSnapshotName",
    ];
    NAMES.iter().find_map(|name| params.get(name)).unwrap_or_default().to_owned()
}

fn json_resource(input: &Value) -> String {
    const NAMES: [&str; 16] = [
        "AlarmName",
        "DashboardName",
        "TargetSnapshotName",
        "ClusterName",
        "SnapshotName",
        "ACLName",
        "UserName",
        "SubnetGroupName",
        "ParameterGroupName",
        "ResourceArn",
        "SecretId",
        "Name",
        "SourceName",
        "ResourceId",
        "KeyId",
        "ServiceCode",
    ];
    let metric = input["MetricData"][0]["MetricName"].as_str();
    if let (Some(namespace), Some(metric)) = (input["Namespace"].as_str(), metric) {
        return format!("{namespace}/{metric}");
    }
    let lists = ["AlarmNames", "DashboardNames"];
    let one = NAMES.iter().find_map(|name| input[name].as_str());
    let first = || lists.iter().find_map(|name| input[name][0].as_str());
    one.or_else(first).unwrap_or_default().to_owned()
}

/// Answers one request: settles what time has brought, decides the fault, lets the service answer, writes the log. Gives
/// the line of the log too, where the request was a call.
pub(crate) async fn dispatch(sandbox: &Sandbox, request: Request<Bytes>) -> (Reply, Option<Call>) {
    let core = sandbox.core();
    let (parts, body) = request.into_parts();
    if let Some(reply) = admin::answer(sandbox, &parts).await {
        return (reply, None);
    }
    let asked = core.recorder.as_ref().map(|_| record::Asked::of(&parts, &body));
    let note = |service: &str, operation: &str, reply: &Reply| {
        if let (Some(recorder), Some(asked)) = (&core.recorder, &asked) {
            recorder.note(service, operation, asked, reply);
        }
    };
    let incoming = match Incoming::read(parts, body) {
        Ok(incoming) => incoming,
        Err((service, error)) => {
            let ctx = Ctx::new(core, Effects::default());
            let reply = refuse(service, &error, &ctx, false);
            note(service.name(), "", &reply);
            return (reply, None);
        }
    };
    let (at, mutating) = (core.clock.now(), incoming.mutating());
    let limited = !lock(&core.limits).take(incoming.service.name(), at);
    // What is turned away uses up no fault.
    let fault = match limited {
        true => Some(FaultKind::Throttle),
        false => lock(&core.faults).decide(incoming.service.name(), &incoming.operation),
    };
    let (service, operation) = (incoming.service.name().to_owned(), incoming.operation.clone());
    let resource = incoming.resource.clone();
    let mut call = Call {
        at,
        service,
        operation,
        resource,
        mutating,
        outcome: Outcome::Lost,
        effect: false,
        fault: if limited { Some("rate_limit") } else { fault.as_ref().map(FaultKind::name) },
        request_id: String::new(),
        needs: Vec::new(),
    };
    let (reply, outcome) = answer(core, incoming, fault, &mut call).await;
    call.outcome = outcome;
    let Call { service, operation, resource, outcome, .. } = &call;
    tracing::debug!(service, operation, resource, ?outcome, "sandbox call");
    note(service, operation, &reply);
    lock(&core.calls).push(call.clone());
    (reply, Some(call))
}

async fn answer(
    core: &Arc<Core>,
    incoming: Incoming,
    fault: Option<FaultKind>,
    call: &mut Call,
) -> (Reply, Outcome) {
    let mut effects = Effects::default();
    match &fault {
        Some(FaultKind::TerminalState { state, reason }) => {
            effects.terminal = Some((state.clone(), reason.clone()));
        }
        Some(FaultKind::SlowTransition(factor)) => effects.slow = Some(*factor),
        Some(FaultKind::MissingObjects) => effects.missing_objects = true,
        _ => {}
    }
    let mut ctx = Ctx::new(core, effects);
    if let Some(elsewhere) = ctx.elsewhere() {
        elsewhere.settle(&ctx).await;
    }
    elasticache::settle(&ctx).await;
    memorydb::settle(&ctx).await;
    call.request_id.clone_from(&ctx.request_id);
    call.needs = incoming.needs(&ctx);
    let (service, head) = (incoming.service, incoming.parts.method == http::Method::HEAD);
    if let Some(error) = fault.as_ref().and_then(|fault| planned_error(&incoming, fault)) {
        let outcome = Outcome::Error(error.code.to_string());
        return (refuse(service, &error, &ctx, head), outcome);
    }
    if fault == Some(FaultKind::Timeout) {
        return (Reply::TimedOut, Outcome::Lost);
    }
    if let Some(error) = denial(&ctx, &incoming, &call.needs) {
        let outcome = Outcome::Error(error.code.to_string());
        return (refuse(service, &error, &ctx, head), outcome);
    }
    if incoming.mutating() {
        let before = ctx.world().clone();
        *lock(&core.before) = Some((ctx.now, before));
    } else if fault == Some(FaultKind::StaleRead)
        // S3 reads after writes (S3 user guide, data consistency model).
        && incoming.service != Service::S3
        // It reads nothing.
        && incoming.operation != "GetRandomPassword"
        && let Some((changed, before)) = lock(&core.before).clone()
        && ctx.now.duration_since(changed) <= STALE_WITHIN
    {
        ctx = ctx.with_state(before);
    }
    if let Some(error) = other_s3(&ctx, &incoming).await {
        let outcome = Outcome::Error(error.code.to_string());
        return (refuse(service, &error, &ctx, head), outcome);
    }
    let (reply, outcome) = carry_out(&ctx, incoming, head).await;
    call.effect = call.mutating && outcome == Outcome::Ok;
    match fault {
        Some(FaultKind::LostResponse) => (Reply::Lost, Outcome::Lost),
        Some(FaultKind::ServerErrorAfter) => {
            let error = server_error(service);
            (refuse(service, &error, &ctx, head), Outcome::Error(error.code.to_string()))
        }
        _ => (reply, outcome),
    }
}

/// Brings the bucket that a request names from the S3 of another server, if the sandbox uses one; the error if that
/// cannot be asked, or if the request is one for S3.
async fn other_s3(ctx: &Ctx, incoming: &Incoming) -> Option<ApiError> {
    let elsewhere = ctx.elsewhere()?;
    if incoming.service == Service::S3 {
        return Some(elsewhere.not_here());
    }
    let bucket = incoming.bucket()?;
    let unseen = elsewhere.bring(ctx, &bucket, &[]).await.err()?;
    Some(ApiError::new(503, "ServiceUnavailable", unseen))
}

/// The refusal of a caller who is held to policies that do not allow the call.
fn denial(ctx: &Ctx, incoming: &Incoming, needs: &[Permission]) -> Option<ApiError> {
    let caller = iam::caller_of(ctx, &incoming.parts)?;
    iam::refusal(ctx, &caller, incoming.service.name(), needs)
}

async fn carry_out(ctx: &Ctx, incoming: Incoming, head: bool) -> (Reply, Outcome) {
    let Incoming { service, operation, input, parts, body, .. } = incoming;
    let result = match (service, input) {
        (Service::ElastiCache, Input::Form(params)) => {
            elasticache::call(ctx, &operation, &params).await.map(|xml| {
                xml_reply(&query::respond(&operation, xml, ELASTICACHE_NS, &ctx.request_id), ctx)
            })
        }
        (Service::Iam, Input::Form(params)) => iam::call(ctx, &operation, &params)
            .map(|xml| xml_reply(&query::respond(&operation, xml, IAM_NS, &ctx.request_id), ctx)),
        (Service::Sts, Input::Form(params)) => sts::call(ctx, &operation, &params, &parts)
            .map(|xml| xml_reply(&query::respond(&operation, xml, STS_NS, &ctx.request_id), ctx)),
        (Service::Sns, Input::Form(params)) => sns::call(ctx, &operation, &params)
            .map(|xml| xml_reply(&query::respond(&operation, xml, SNS_NS, &ctx.request_id), ctx)),
        (Service::MemoryDb, Input::Json(input)) => {
            json_reply(memorydb::call(ctx, &operation, &input).await, ctx)
        }
        (Service::Ssm, Input::Json(input)) => {
            json_reply(ssm::call(ctx, &operation, &input).await, ctx)
        }
        (Service::SecretsManager, Input::Json(input)) => {
            json_reply(secretsmanager::call(ctx, &operation, &input).await, ctx)
        }
        (Service::Kms, Input::Json(input)) => json_reply(kms::call(ctx, &operation, &input), ctx),
        (Service::Quotas, Input::Json(input)) => {
            json_reply(servicequotas::call(ctx, &operation, &input), ctx)
        }
        (Service::CloudWatch, Input::Json(input)) => {
            json_reply(cloudwatch::call(ctx, &operation, &input).await, ctx)
        }
        (Service::CloudWatchCbor, Input::Json(input)) => {
            let output = cloudwatch::call(ctx, &operation, &input).await;
            output.map(|output| cbor::respond(&output, cloudwatch::TIMES, &ctx.request_id))
        }
        (Service::Route53, _) => route53::call(ctx, &parts, &body).await,
        (_, _) => Ok(s3::call(ctx, Request::from_parts(parts, body)).await),
    };
    match result {
        Ok(reply) => {
            let outcome = outcome_of(&reply);
            (reply, outcome)
        }
        Err(error) => (refuse(service, &error, ctx, head), Outcome::Error(error.code.to_string())),
    }
}

fn xml_reply(body: &str, ctx: &Ctx) -> Reply {
    Reply::new(200, "text/xml", body.to_owned()).header("x-amzn-requestid", &ctx.request_id)
}

fn json_reply(result: Result<Value, ApiError>, ctx: &Ctx) -> Result<Reply, ApiError> {
    result.map(|output| json::respond(&output, &ctx.request_id))
}

/// The outcome of an answer that a service wrote itself: S3 puts its own errors on the wire.
fn outcome_of(reply: &Reply) -> Outcome {
    let Reply::Response(response) = reply else { return Outcome::Lost };
    if !response.status().is_client_error() && !response.status().is_server_error() {
        return Outcome::Ok;
    }
    let body = String::from_utf8_lossy(response.body());
    let code = body.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    Outcome::Error(
        code.map_or_else(|| response.status().as_u16().to_string(), |(c, _)| c.to_owned()),
    )
}

fn refuse(service: Service, error: &ApiError, ctx: &Ctx, head: bool) -> Reply {
    match service {
        Service::ElastiCache => error::query(error, ELASTICACHE_NS, &ctx.request_id),
        Service::Iam => error::query(error, IAM_NS, &ctx.request_id),
        Service::Sts => error::query(error, STS_NS, &ctx.request_id),
        Service::Sns => error::query(error, SNS_NS, &ctx.request_id),
        Service::MemoryDb
        | Service::Ssm
        | Service::SecretsManager
        | Service::Kms
        | Service::Quotas => error::json(error, &ctx.request_id),
        Service::CloudWatch => error::as_in_query(error::json(error, &ctx.request_id), error),
        Service::CloudWatchCbor => error::as_in_query(cbor::error(error, &ctx.request_id), error),
        Service::S3 => error::s3(error, &ctx.request_id, head),
        Service::Route53 => error::route53(error, &ctx.request_id),
    }
}

/// The answer of a fault that keeps the call from happening, in the words of the service.
fn planned_error(incoming: &Incoming, fault: &FaultKind) -> Option<ApiError> {
    let service = incoming.service;
    use Service::{CloudWatch, CloudWatchCbor, Kms, MemoryDb, Quotas, S3, SecretsManager, Ssm};
    let json = matches!(
        service,
        MemoryDb | Ssm | SecretsManager | Kms | Quotas | CloudWatch | CloudWatchCbor
    );
    let error = match fault {
        FaultKind::Throttle if json => ApiError::bad("ThrottlingException", "Rate exceeded"),
        FaultKind::Throttle if service == S3 => {
            ApiError::new(503, "SlowDown", "Please reduce your request rate.")
        }
        // How Route 53 holds back changes of one zone that come too fast.
        FaultKind::Throttle if incoming.operation == "ChangeResourceRecordSets" => ApiError::bad(
            "PriorRequestNotComplete",
            "The request was rejected because Route 53 was still processing a prior request.",
        ),
        FaultKind::Throttle => ApiError::bad("Throttling", "Rate exceeded"),
        FaultKind::Denied if json => ApiError::bad(
            "AccessDeniedException",
            "User is not authorized to perform this action: the fault plan denies it",
        ),
        FaultKind::Denied => ApiError::new(
            403,
            // SNS has a word of its own (its API reference, the errors of each operation).
            if service == Service::Sns { "AuthorizationError" } else { "AccessDenied" },
            "User is not authorized to perform this action: the fault plan denies it",
        ),
        FaultKind::ExpiredCredentials if json => ApiError::bad(
            "ExpiredTokenException",
            "The security token included in the request is expired",
        ),
        FaultKind::ExpiredCredentials if service == S3 => {
            ApiError::bad("ExpiredToken", "The provided token has expired.")
        }
        FaultKind::ExpiredCredentials => ApiError::new(
            403,
            "ExpiredToken",
            "The security token included in the request is expired",
        ),
        FaultKind::ServerErrorBefore => server_error(service),
        FaultKind::NotFound => not_found(incoming),
        FaultKind::WriteConflict if service == S3 => ApiError::new(
            409,
            "ConditionalRequestConflict",
            "The conditional request cannot succeed due to a conflicting operation against this resource.",
        ),
        _ => return None,
    };
    Some(error)
}

fn server_error(service: Service) -> ApiError {
    let code = match service {
        Service::S3 | Service::Sns => "InternalError",
        Service::Ssm => "InternalServerError",
        Service::SecretsManager => "InternalServiceError",
        _ => "InternalFailure",
    };
    ApiError::new(500, code, "We encountered an internal error. Please try again.")
}

/// The not-found of the thing that the operation is about. ElastiCache drops the suffix `Fault` from some of its codes.
fn not_found(incoming: &Incoming) -> ApiError {
    let operation = incoming.operation.as_str();
    let about = |what: &str| operation.contains(what);
    let code = match incoming.service {
        Service::ElastiCache if about("DescribeSnapshot") || about("DeleteSnapshot") => {
            "SnapshotNotFoundFault"
        }
        Service::ElastiCache if about("CopySnapshot") => "SnapshotNotFoundFault",
        Service::ElastiCache
            if about("ServerlessCacheSnapshot") && operation != "CreateServerlessCacheSnapshot" =>
        {
            "ServerlessCacheSnapshotNotFoundFault"
        }
        Service::ElastiCache if about("ServerlessCache") => "ServerlessCacheNotFoundFault",
        Service::ElastiCache if about("CacheCluster") => "CacheClusterNotFound",
        Service::ElastiCache if about("UserGroup") => "UserGroupNotFound",
        Service::ElastiCache if about("User") => "UserNotFound",
        Service::ElastiCache => "ReplicationGroupNotFoundFault",
        Service::MemoryDb if operation != "CreateSnapshot" && about("Snapshot") => {
            "SnapshotNotFoundFault"
        }
        Service::MemoryDb if about("ACL") => "ACLNotFoundFault",
        Service::MemoryDb if about("User") => "UserNotFoundFault",
        Service::MemoryDb => "ClusterNotFoundFault",
        Service::S3 => "NoSuchKey",
        Service::Ssm => "ParameterNotFound",
        Service::SecretsManager => "ResourceNotFoundException",
        Service::Route53 => "NoSuchHostedZone",
        Service::Iam => "NoSuchEntity",
        Service::Sts => "InvalidAction",
        Service::Sns => "NotFound",
        Service::Kms => "NotFoundException",
        Service::Quotas => "NoSuchResourceException",
        Service::CloudWatch | Service::CloudWatchCbor => "ResourceNotFound",
    };
    let status = match incoming.service {
        Service::Ssm
        | Service::SecretsManager
        | Service::MemoryDb
        | Service::Kms
        | Service::Quotas => 400,
        _ => 404,
    };
    ApiError::new(status, code, format!("{} not found.", incoming.resource))
}
