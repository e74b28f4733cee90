//! Answers, and their conversion to HTTP responses.

use bytes::Bytes;
use fake_kube_apimachinery::status::ApiError;
use futures::StreamExt;
use futures::stream::BoxStream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WARNING};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use serde_json::Value;
use std::io;

/// The body type of all answers.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// The body of an answer.
pub enum Content {
    /// A whole document.
    Bytes(Bytes),
    /// The lines of a watch. An error cuts the connection.
    Stream(BoxStream<'static, io::Result<Bytes>>),
}

/// One answer.
pub struct Reply {
    /// HTTP status.
    pub status: StatusCode,
    /// The media type.
    pub content_type: &'static str,
    /// The body.
    pub content: Content,
    /// Texts of `Warning` headers.
    pub warnings: Vec<String>,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u32>,
    /// `ETag`.
    pub etag: Option<String>,
}

const JSON: &str = "application/json";

impl Reply {
    /// JSON bytes.
    pub fn bytes(status: StatusCode, bytes: impl Into<Bytes>) -> Self {
        Self {
            status,
            content_type: JSON,
            content: Content::Bytes(bytes.into()),
            warnings: Vec::new(),
            retry_after: None,
            etag: None,
        }
    }

    /// A JSON value.
    pub fn json(status: StatusCode, value: &Value) -> Self {
        Self::bytes(status, value.to_string())
    }

    /// A stream of JSON lines.
    pub fn stream(lines: BoxStream<'static, io::Result<Bytes>>) -> Self {
        Self { content: Content::Stream(lines), ..Self::bytes(StatusCode::OK, Bytes::new()) }
    }

    /// Plain text.
    pub fn text(status: StatusCode, text: impl Into<String>) -> Self {
        Self { content_type: "text/plain; charset=utf-8", ..Self::bytes(status, text.into()) }
    }

    /// The answer of the API server for paths that it does not serve.
    pub fn page_not_found() -> Self {
        Self::text(StatusCode::NOT_FOUND, "404 page not found\n")
    }

    /// An error as a `Status`.
    pub fn error(error: &ApiError) -> Self {
        let status = StatusCode::from_u16(error.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut body = error.to_status();
        // The continue token of an expired page is part of the metadata of the Status.
        let token =
            body.get_mut("details").and_then(Value::as_object_mut).and_then(|map| map.remove("continue"));
        if let (Some(token), Some(map)) = (token, body.as_object_mut()) {
            map.remove("details");
            map.insert("metadata".into(), serde_json::json!({"continue": token}));
        }
        let pause = error.details.get("retryAfterSeconds").and_then(Value::as_u64);
        let retry_after =
            pause.filter(|seconds| *seconds > 0).and_then(|seconds| u32::try_from(seconds).ok());
        Self { retry_after, ..Self::json(status, &body) }
    }

    /// Adds warnings. Each text occurs once.
    pub fn with_warnings(mut self, warnings: Vec<String>) -> Self {
        for warning in warnings {
            if !warning.is_empty() && !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
        self
    }

    /// Indents a JSON document.
    pub fn pretty(mut self) -> Self {
        if self.content_type.starts_with(JSON)
            && let Content::Bytes(bytes) = &self.content
            && let Ok(value) = serde_json::from_slice::<Value>(bytes)
            && let Ok(text) = serde_json::to_string_pretty(&value)
        {
            self.content = Content::Bytes((text + "\n").into());
        }
        self
    }

    /// The HTTP response.
    pub fn into_response(self) -> Response<Body> {
        let body = match self.content {
            Content::Bytes(bytes) => Full::new(bytes).map_err(|never| match never {}).boxed_unsync(),
            Content::Stream(lines) => StreamBody::new(lines.map(|line| line.map(Frame::data))).boxed_unsync(),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
        for warning in self.warnings {
            if let Ok(value) = HeaderValue::from_str(&warning_header(&warning)) {
                headers.append(WARNING, value);
            }
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if let Some(etag) = self.etag.and_then(|etag| HeaderValue::from_str(&etag).ok()) {
            headers.insert(http::header::ETAG, etag);
        }
        response
    }
}

/// `299 - "text"` of RFC 7234, with quotes and backslashes escaped and control characters replaced.
fn warning_header(text: &str) -> String {
    let mut header = String::from("299 - \"");
    for character in text.chars() {
        match character {
            '"' | '\\' => header.extend(['\\', character]),
            character if character.is_control() || !character.is_ascii() => header.push(' '),
            character => header.push(character),
        }
    }
    header + "\""
}

#[cfg(test)]
mod tests {
    #[test]
    fn warnings_are_quoted() {
        assert_eq!(
            super::warning_header("unknown field \"spec.extra\""),
            r#"299 - "unknown field \"spec.extra\"""#
        );
    }
}
