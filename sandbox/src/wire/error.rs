//! Errors as the services send them: one kind inside, four forms on the wire.

use std::borrow::Cow;

use serde_json::json;

use super::query::Xml;
use super::reply::Reply;

/// An error of a service: the code on the wire, the message, the HTTP status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) code: Cow<'static, str>,
    pub(crate) message: String,
    pub(crate) status: u16,
}

impl ApiError {
    pub(crate) fn new(
        status: u16,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self { code: code.into(), message: message.into(), status }
    }

    /// HTTP 400 with this code.
    pub(crate) fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    /// HTTP 404 with this code.
    pub(crate) fn missing(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(404, code, message)
    }

    /// The operation is not one of this service, or not one the sandbox has.
    pub(crate) fn unknown_operation(operation: &str) -> Self {
        Self::new(400, "InvalidAction", format!("the sandbox does not offer {operation}"))
    }

    /// Whose fault it is, in the words of the Query protocol.
    fn fault(&self) -> &'static str {
        if self.status >= 500 { "Receiver" } else { "Sender" }
    }
}

/// The form of the AWS Query protocol.
pub(crate) fn query(error: &ApiError, namespace: &str, request_id: &str) -> Reply {
    let body = Xml::new("ErrorResponse")
        .child(
            Xml::new("Error")
                .text("Type", error.fault())
                .text("Code", error.code.as_ref())
                .text("Message", &error.message),
        )
        .text("RequestId", request_id)
        .render(Some(namespace));
    Reply::new(error.status, "text/xml", body).header("x-amzn-requestid", request_id)
}

/// The form of the AWS JSON 1.1 protocol.
pub(crate) fn json(error: &ApiError, request_id: &str) -> Reply {
    let body = json!({"__type": error.code, "message": error.message}).to_string();
    Reply::new(error.status, "application/x-amz-json-1.1", body)
        .header("x-amzn-requestid", request_id)
        .header("x-amzn-errortype", &error.code)
}

/// What a service that once spoke Query says beside an error in its newer protocols (Smithy, `awsQueryCompatible`).
pub(crate) fn as_in_query(reply: Reply, error: &ApiError) -> Reply {
    reply.header("x-amzn-query-error", &format!("{};{}", error.code, error.fault()))
}

/// The form of S3. An answer to HEAD has no body, so its code is lost, as on AWS.
pub(crate) fn s3(error: &ApiError, request_id: &str, head: bool) -> Reply {
    let body = Xml::new("Error")
        .text("Code", error.code.as_ref())
        .text("Message", &error.message)
        .text("RequestId", request_id)
        .render(None);
    let body = if head { String::new() } else { body };
    Reply::new(error.status, "application/xml", body).header("x-amz-request-id", request_id)
}

/// The form of Route 53.
pub(crate) fn route53(error: &ApiError, request_id: &str) -> Reply {
    query(error, "https://route53.amazonaws.com/doc/2013-04-01/", request_id)
}
