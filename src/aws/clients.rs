//! The SDK clients. Built here and nowhere else.

use std::time::{Duration, SystemTime};

use aws_config::retry::RetryConfig;
use aws_config::timeout::{TimeoutConfig, TimeoutConfigBuilder};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep};
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_smithy_http_client::{Connector, tls};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use super::gate::Gates;
use super::pace::Pace;
use crate::engine::{Class, Clock, Failure};

/// One client for each service this program calls.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The region that calls go to.
    pub region: String,
    /// ElastiCache.
    pub elasticache: aws_sdk_elasticache::Client,
    /// MemoryDB.
    pub memorydb: aws_sdk_memorydb::Client,
    /// S3.
    pub s3: aws_sdk_s3::Client,
    /// Systems Manager: Parameter Store.
    pub ssm: aws_sdk_ssm::Client,
    /// Secrets Manager.
    pub secretsmanager: aws_sdk_secretsmanager::Client,
    /// Route 53.
    pub route53: aws_sdk_route53::Client,
    /// STS.
    pub sts: aws_sdk_sts::Client,
    /// IAM: the policy simulator.
    pub iam: aws_sdk_iam::Client,
    /// KMS: the state of keys.
    pub kms: aws_sdk_kms::Client,
    /// CloudWatch: how much memory a source uses.
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    /// Service Quotas.
    pub servicequotas: aws_sdk_servicequotas::Client,
    /// SNS: telling people.
    pub sns: aws_sdk_sns::Client,
    /// How fast the control planes are called; as fast as it goes without.
    pub pace: Option<Pace>,
    /// What every change passes before it leaves.
    pub gates: Gates,
}

/// How to connect.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The clock that signs requests and times them out.
    pub clock: Clock,
    /// The region, if the playbook or the command line names one.
    pub region: Option<String>,
    /// S3 by path instead of by host name, for endpoints that are not AWS's own (the sandbox, LocalStack).
    pub path_style: bool,
    /// An in-process service instead of AWS. Credentials are then made up: nothing leaves the process.
    pub in_process: Option<SharedHttpClient>,
    /// Whether calls to the control planes of ElastiCache and MemoryDB keep a pace. A service inside the process has no
    /// limits that it would share with others.
    pub paced: bool,
}

#[derive(Debug)]
struct SdkClock(Clock);

impl TimeSource for SdkClock {
    fn now(&self) -> SystemTime {
        self.0.now().into()
    }
}

impl AsyncSleep for SdkClock {
    fn sleep(&self, duration: Duration) -> Sleep {
        let clock = self.0.clone();
        Sleep::new(async move { clock.sleep(duration).await })
    }
}

/// Reads the standard AWS configuration (environment, profiles, `AWS_ENDPOINT_URL*`) and builds the clients.
///
/// The SDK's own retries are off: it would repeat a change whose answer was lost, and neither ElastiCache nor MemoryDB
/// has an idempotency token. The engine retries whole steps, which look before they act.
///
/// # Errors
/// `Fatal` if no region is set.
pub async fn connect(settings: &Settings) -> Result<Clients, Failure> {
    let pace = settings.paced.then(|| Pace::new(&settings.clock));
    let keeping = |http: SharedHttpClient| match &pace {
        Some(pace) => pace.http(http),
        None => http,
    };
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts())
        .time_source(SharedTimeSource::new(SdkClock(settings.clock.clone())))
        .sleep_impl(SharedAsyncSleep::new(SdkClock(settings.clock.clone())));
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    let config = match &settings.in_process {
        Some(http) => {
            let credentials = Credentials::new("SANDBOX", "sandbox", None, None, "sandbox");
            let region = settings.region.clone().unwrap_or_else(|| "us-east-1".to_owned());
            SdkConfig::builder()
                .behavior_version(BehaviorVersion::latest())
                .retry_config(RetryConfig::disabled())
                // A call inside the process cannot hang, and this clock may run many times too fast for a timeout.
                .timeout_config(TimeoutConfig::disabled())
                .time_source(SharedTimeSource::new(SdkClock(settings.clock.clone())))
                .sleep_impl(SharedAsyncSleep::new(SdkClock(settings.clock.clone())))
                .http_client(keeping(http.clone()))
                .credentials_provider(
                    aws_credential_types::provider::SharedCredentialsProvider::new(credentials),
                )
                .region(Region::new(region))
                .build()
        }
        None => loader.http_client(keeping(https())).load().await,
    };
    let region = config.region().map(ToString::to_string).ok_or_else(|| {
        Failure::new(Class::Fatal, "no AWS region is set")
            .mend("set AWS_REGION, or `guard: {region: …}` in the playbook")
    })?;
    if !is_region(&region) {
        return Err(Failure::new(
            Class::Fatal,
            format!("\"{region}\" is not the name of a region"),
        )
        .mend(
            "write it like us-east-1, in AWS_REGION, the AWS profile or the playbook's `guard`",
        ));
    }
    let path_style = settings.path_style || settings.in_process.is_some();
    Ok(clients(&config, region, path_style, pace))
}

fn clients(config: &SdkConfig, region: String, path_style: bool, pace: Option<Pace>) -> Clients {
    // A call that waits for its turn has not left: the pace says how long it may take after that.
    let mut held = config.clone().into_builder();
    if pace.is_some() {
        held = held.timeout_config(connecting().build());
    }
    let held = held.build();
    let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(path_style).build();
    Clients {
        region,
        elasticache: aws_sdk_elasticache::Client::new(&held),
        memorydb: aws_sdk_memorydb::Client::new(&held),
        s3: aws_sdk_s3::Client::from_conf(s3),
        ssm: aws_sdk_ssm::Client::new(config),
        secretsmanager: aws_sdk_secretsmanager::Client::new(config),
        route53: aws_sdk_route53::Client::new(config),
        sts: aws_sdk_sts::Client::new(config),
        iam: aws_sdk_iam::Client::new(config),
        kms: aws_sdk_kms::Client::new(config),
        cloudwatch: aws_sdk_cloudwatch::Client::new(config),
        servicequotas: aws_sdk_servicequotas::Client::new(config),
        sns: aws_sdk_sns::Client::new(config),
        pace,
        gates: Gates::default(),
    }
}

/// Whether a text can name a region: letters and a number, with hyphens between them. New regions need no new program, so
/// there is no list.
#[must_use]
pub fn is_region(text: &str) -> bool {
    let mut parts = text.split('-');
    let number = parts.next_back().unwrap_or_default();
    let words: Vec<&str> = parts.collect();
    let word = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    words.len() >= 2
        && words.iter().all(word)
        && (1..=2).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit())
}

/// The SDK has no operation timeout of its own, so that a lost answer would hang for ever.
fn timeouts() -> TimeoutConfig {
    connecting()
        .operation_attempt_timeout(Duration::from_secs(60))
        .operation_timeout(Duration::from_secs(60))
        .build()
}

fn connecting() -> TimeoutConfigBuilder {
    TimeoutConfig::builder().connect_timeout(Duration::from_secs(5))
}

fn https() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().tls_provider(stack()).build_https()
}

/// What carries a request to others than AWS, with the TLS stack of the clients.
pub(crate) fn connector() -> Connector {
    Connector::builder().tls_provider(stack()).build()
}

/// The one line that chooses the TLS stack.
fn stack() -> tls::Provider {
    tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc)
}
