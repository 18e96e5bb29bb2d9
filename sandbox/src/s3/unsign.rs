//! Takes the signature and the aws-chunked framing off a request.

use bytes::{Buf, Bytes};
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use s3s::{S3Result, s3_error};

/// Gives the request as an anonymous client would have sent it: no `Authorization`, no presigning
/// in the query, the body without chunk framing, and checksums from the trailer as headers.
///
/// `s3s` unframes a body only while it checks the signature, and the sandbox checks none.
pub(super) fn unsign(request: Request<Bytes>) -> S3Result<Request<Bytes>> {
    let (mut parts, mut body) = request.into_parts();
    parts.headers.remove(AUTHORIZATION);
    // In process nothing has turned the address into a Host header yet.
    if let Some(authority) = parts.uri.authority()
        && !parts.headers.contains_key(HOST)
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        parts.headers.insert(HOST, host);
    }
    let payload = parts.headers.remove("x-amz-content-sha256");
    if payload.is_some_and(|value| value.as_bytes().starts_with(b"STREAMING-")) {
        let declared = parts.headers.remove("x-amz-decoded-content-length");
        parts.headers.remove("x-amz-trailer");
        body = unframe(body, &mut parts.headers)
            .ok_or_else(|| s3_error!(IncompleteBody, "the aws-chunked body is cut or malformed"))?;
        if declared.is_some_and(|length| length != body.len().to_string()) {
            return Err(s3_error!(
                IncompleteBody,
                "You did not provide the number of bytes specified by the \
                 x-amz-decoded-content-length HTTP header"
            ));
        }
        drop_chunked_encoding(&mut parts.headers);
    }
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    if let Some(uri) = without_presigning(&parts.uri) {
        parts.uri = uri;
    }
    Ok(Request::from_parts(parts, body))
}

/// Reads `size[;extensions] CRLF data CRLF … 0 CRLF trailers CRLF`; trailers become headers.
fn unframe(mut framed: Bytes, headers: &mut HeaderMap) -> Option<Bytes> {
    let mut body = Vec::with_capacity(framed.len());
    loop {
        let line = take_line(&mut framed)?;
        let size = std::str::from_utf8(&line).ok()?.split(';').next()?.trim().to_owned();
        let size = usize::from_str_radix(&size, 16).ok()?;
        if size == 0 {
            break;
        }
        if framed.len() < size + 2 || &framed[size..size + 2] != b"\r\n" {
            return None;
        }
        body.extend_from_slice(&framed.split_to(size));
        framed.advance(2);
    }
    while let Some(line) = take_line(&mut framed).filter(|line| !line.is_empty()) {
        let (name, value) = std::str::from_utf8(&line).ok()?.split_once(':')?;
        let name = HeaderName::try_from(name.trim()).ok()?;
        headers.insert(name, HeaderValue::from_str(value.trim()).ok()?);
    }
    Some(body.into())
}

fn take_line(framed: &mut Bytes) -> Option<Bytes> {
    let end = framed.windows(2).position(|pair| pair == b"\r\n")?;
    let line = framed.split_to(end);
    framed.advance(2);
    Some(line)
}

/// `aws-chunked` describes the transfer, not the object; any other encoding stays.
fn drop_chunked_encoding(headers: &mut HeaderMap) {
    let Some(encoding) = headers.remove(CONTENT_ENCODING) else { return };
    let kept: Vec<_> = encoding
        .to_str()
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|name| !name.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    if let Ok(value) = HeaderValue::from_str(&kept.join(","))
        && !value.is_empty()
    {
        headers.insert(CONTENT_ENCODING, value);
    }
}

/// The address without the query parameters of a presigned request, when it had any.
fn without_presigning(uri: &Uri) -> Option<Uri> {
    let query = uri.query().filter(|query| query.contains("X-Amz-Signature="))?;
    let kept: Vec<_> =
        query.split('&').filter(|pair| !pair.to_lowercase().starts_with("x-amz-")).collect();
    let path_and_query = if kept.is_empty() {
        uri.path().to_owned()
    } else {
        format!("{}?{}", uri.path(), kept.join("&"))
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path_and_query.parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(body: &'static str) -> S3Result<Request<Bytes>> {
        let request = Request::put("/b/k")
            .header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            .header("x-amz-decoded-content-length", "11")
            .header("content-encoding", "gzip, aws-chunked")
            .body(Bytes::from(body))
            .unwrap();
        unsign(request)
    }

    #[test]
    fn a_chunked_body_loses_its_frame_and_its_trailer_becomes_a_header() {
        let plain = framed("5\r\nhello\r\n6;chunk-signature=ab\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n").unwrap();
        assert_eq!(plain.body(), "hello world");
        assert_eq!(plain.headers()["content-length"], "11");
        assert_eq!(plain.headers()["content-encoding"], "gzip");
        assert_eq!(plain.headers()["x-amz-checksum-crc32"], "DUoRhQ==");
    }

    #[test]
    fn a_cut_body_is_refused() {
        for body in ["5\r\nhel", "5\r\nhello\r\n0\r\n\r\n", "zz\r\n", ""] {
            assert_eq!(framed(body).unwrap_err().code().as_str(), "IncompleteBody", "{body:?}");
        }
    }

    #[test]
    fn presigning_leaves_the_other_parameters() {
        let uri: Uri = "http://h/b/k?versionId=3&X-Amz-Signature=ab&X-Amz-Date=x".parse().unwrap();
        assert_eq!(without_presigning(&uri).unwrap(), "http://h/b/k?versionId=3");
    }
}
