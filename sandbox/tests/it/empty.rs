//! An empty sandbox, and SDK clients on it that see every answer.

use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use orchestrate_sandbox::{Sandbox, ServerPolicy, TokioClock};

/// A sandbox whose time is tokio's, which the test has paused.
pub(crate) fn sandbox() -> Sandbox {
    let start = "2026-11-23T00:00:00Z".parse().unwrap();
    Sandbox::builder()
        .clock(Arc::new(TokioClock::starting_at(start)))
        .servers(ServerPolicy::Off)
        .build()
        .unwrap()
}

/// What a client of the sandbox is configured with. It does not retry, so a test sees each answer.
pub(crate) fn config(sandbox: &Sandbox) -> SdkConfig {
    config_in(sandbox, "us-east-1")
}

/// As [`config`], for another region.
pub(crate) fn config_in(sandbox: &Sandbox, region: &'static str) -> SdkConfig {
    let credentials = Credentials::new("AKIDANY", "any secret at all", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(sandbox.http_client())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .retry_config(RetryConfig::disabled())
        .build()
}

/// The error code of a call that must have failed.
#[track_caller]
pub(crate) fn code<T: std::fmt::Debug, E: ProvideErrorMetadata>(result: Result<T, E>) -> String {
    result.expect_err("the call must fail").code().unwrap_or_default().to_owned()
}

/// The error code and message of a call that must have failed.
#[track_caller]
pub(crate) fn refusal<T: std::fmt::Debug, E: ProvideErrorMetadata>(
    result: Result<T, E>,
) -> (String, String) {
    let error = result.expect_err("the call must fail");
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    (text(error.code()), text(error.message()))
}
