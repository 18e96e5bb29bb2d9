//! What comes back for a request.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

/// What comes back for a request.
#[derive(Debug)]
pub enum Reply {
    /// An answer.
    Response(Response<Bytes>),
    /// The connection breaks without an answer.
    Lost,
    /// No answer in any time a caller would wait.
    TimedOut,
}

impl Reply {
    /// An answer with this status, content type and body.
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut reply = Self::empty(status);
        if let Self::Response(response) = &mut reply {
            *response.body_mut() = body.into();
            let content_type = HeaderValue::from_static(content_type);
            response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        }
        reply
    }

    /// An answer without body and content type.
    pub(crate) fn empty(status: u16) -> Self {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::Response(response)
    }

    /// The same answer with one more header; a value that HTTP cannot carry is left out.
    #[must_use]
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        if let (Self::Response(response), Ok(value)) = (&mut self, HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
        self
    }
}

impl From<Response<Bytes>> for Reply {
    fn from(response: Response<Bytes>) -> Self {
        Self::Response(response)
    }
}
