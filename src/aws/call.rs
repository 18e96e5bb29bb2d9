//! One API call, its error turned into a failure that keeps operation, code, message and request id.

use std::future::Future;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;

use super::class::class_of;
use super::tally;
use crate::engine::{Answer, Class, Failure};

/// An API operation, and whether it can change anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op {
    /// The service as its documentation calls it.
    pub service: &'static str,
    /// The operation.
    pub name: &'static str,
    /// Whether an unknown outcome must be looked into before anything else.
    pub mutating: bool,
}

impl Op {
    /// An operation that only reads.
    #[must_use]
    pub const fn read(service: &'static str, name: &'static str) -> Self {
        Self { service, name, mutating: false }
    }

    /// An operation that changes something.
    #[must_use]
    pub(super) const fn change(service: &'static str, name: &'static str) -> Self {
        Self { service, name, mutating: true }
    }
}

/// Awaits one API call.
///
/// # Errors
/// A failure whose class follows from the code on the wire. A change that got no answer, or a server fault, is
/// `Ambiguous`: look before doing anything else.
pub async fn call<T, E>(
    op: Op,
    request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
) -> Result<T, Failure>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let answer = request.await.map_err(|error| failure(op, &error));
    let throttled = answer.as_ref().is_err_and(|failure| failure.class == Class::Throttled);
    tally::count(op.service, throttled);
    answer
}

/// An answer, or `None` where the service says that there is no such thing.
///
/// # Errors
/// Every other failure.
pub fn found<T>(answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(failure) if failure.class == Class::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn failure<E>(op: Op, error: &SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let mut answer = Answer {
        service: op.service.to_owned(),
        operation: op.name.to_owned(),
        ..Answer::default()
    };
    let unknown = if op.mutating { Class::Ambiguous } else { Class::Transient };
    match error {
        SdkError::ServiceError(context) => {
            let status = context.raw().status().as_u16();
            let meta = context.err().meta();
            let code = meta.code().unwrap_or("an error without a code");
            answer.code = Some(code.to_owned());
            answer.message = meta.message().map(str::to_owned);
            answer.request_id = error.request_id().or(meta.request_id()).map(str::to_owned);
            let class = class_of(code, Some(status), op.mutating);
            let mut failure = Failure::new(
                class,
                format!("{} refused {}: {code}{}", op.service, op.name, id(&answer)),
            );
            if let Some(message) = meta.message().filter(|m| !m.is_empty()) {
                failure = failure.because(message.to_owned());
            }
            if class == Class::Expired {
                failure = failure.mend(
                    "the credentials have expired: renew them (`aws sso login`, or a new session), then `orchestrate resume`",
                );
            }
            failure.answer = Some(answer);
            failure
        }
        SdkError::ConstructionFailure(_) => {
            let chain = chain(error);
            let mut failure =
                Failure::new(Class::Fatal, format!("could not build {} {}", op.service, op.name));
            if chain.iter().any(|cause| cause.contains("credential")) {
                failure.class = Class::Denied;
                failure = failure.mend(CREDENTIALS);
            }
            failure.causes = chain;
            failure
        }
        _ => {
            let chain = chain(error);
            let no_credentials = chain
                .iter()
                .any(|cause| cause.contains("credentials") || cause.contains("identity"));
            let mut failure =
                Failure::new(unknown, format!("no answer from {} to {}", op.service, op.name));
            if no_credentials {
                failure = Failure::new(
                    Class::Denied,
                    format!("no AWS credentials to call {} {}", op.service, op.name),
                )
                .mend(CREDENTIALS);
            }
            failure.causes = chain;
            failure.answer = Some(answer);
            failure
        }
    }
}

const CREDENTIALS: &str = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws sso login`; `aws sts get-caller-identity` must work";

fn id(answer: &Answer) -> String {
    answer.request_id.as_ref().map(|id| format!(" (request {id})")).unwrap_or_default()
}

/// Layers of the SDK that say nothing to a reader.
const HOLLOW: [&str; 7] = [
    "other",
    "io error",
    "service error",
    "dispatch failure",
    "client error (Connect)",
    "client error (SendRequest)",
    "unhandled error",
];

/// The causes of an error, outermost first, without repeats and hollow words.
fn chain(error: &dyn std::error::Error) -> Vec<String> {
    let mut causes: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let mut words = cause.to_string();
        // What follows is the request, as its types print themselves.
        if let Some(end) = words.find(" to request `Request {") {
            words.truncate(end);
        }
        if !HOLLOW.contains(&words.as_str()) && !causes.iter().any(|c| c.contains(&words)) {
            causes.push(words);
        }
        next = cause.source();
    }
    causes
}
