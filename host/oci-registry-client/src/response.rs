//! What the answer of a registry means.

use std::time::Duration;

use hyper::HeaderMap;
use hyper::StatusCode;
use hyper::header::{DATE, HeaderName, RETRY_AFTER};
use serde::Deserialize;

use crate::error::Error;

/// Header in which the credential proxy repeats the reason of a failure, since answers to HEAD have
/// no body.
pub const REASON: HeaderName = HeaderName::from_static("orascache-reason");

/// What somebody who is refused access can do about it.
pub(crate) enum Identity {
    /// The credential proxy adds credentials.
    Proxy,
    /// There are credentials.
    Given,
    /// There are none.
    Anonymous,
}

impl Identity {
    fn hint(&self) -> &'static str {
        match self {
            Identity::Proxy => "check the Secret with ORAS_USER, ORAS_PULL_PASS and ORAS_PUSH_PASS",
            Identity::Given => "check the credentials and what they may do",
            Identity::Anonymous => "it wants credentials, and none were given",
        }
    }
}

/// For how long the registry asks to stay away (RFC 9110, 10.2.3): a number of seconds, or a date,
/// which is compared with the registry's own one, so that no clock of this machine counts.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let asked = header(headers, RETRY_AFTER)?.trim();
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(asked).ok()?;
    let now = httpdate::parse_http_date(header(headers, DATE)?.trim()).ok()?;
    Some(until.duration_since(now).unwrap_or_default())
}

/// The error that a status other than a success means. `body` is what the registry says about it,
/// and `reason` what the credential proxy says in a header.
pub(crate) fn failure(
    what: &str,
    status: StatusCode,
    after: Option<Duration>,
    body: &[u8],
    reason: Option<&str>,
    identity: &Identity,
) -> Error {
    let (codes, mut detail) = read_errors(body);
    if detail.is_empty()
        && let Some(reason) = reason
    {
        detail = shortened(reason);
    }
    let what = what.to_owned();
    match status.as_u16() {
        408 | 429 | 500 | 502 | 503 | 504 => Error::Busy { what, status, detail: spaced(&detail), after },
        // Whoever says when to ask again takes the request then (RFC 9110, 10.2.3): a registry that is
        // read-only while its garbage is collected. One that never takes it says nothing.
        405 if after.is_some() => {
            let detail = if detail.is_empty() { READ_ONLY } else { &detail };
            Error::Busy { what, status, detail: spaced(detail), after }
        }
        401 | 403 => {
            let hint = identity.hint();
            Error::Denied { what, status, detail: spaced(&detail), hint }
        }
        _ if codes.iter().any(|code| code == BLOBS_UNKNOWN) => Error::BlobsUnknown { what },
        404 => {
            let says_no_more = codes.iter().all(|code| UNKNOWN.contains(&code.as_str()));
            let detail = if says_no_more { String::new() } else { format!(" ({detail})") };
            Error::NotFound { what, detail }
        }
        _ => Error::Refused { what, status, detail: spaced(&detail) },
    }
}

/// What a registry means that takes no writes for some time.
const READ_ONLY: &str = "(it takes no writes at the moment)";
/// A manifest names blobs that the registry does not have (distribution-spec, "Error Codes").
const BLOBS_UNKNOWN: &str = "MANIFEST_BLOB_UNKNOWN";
/// Codes that say no more than the status 404 (distribution-spec, "Error Codes"; the last one is
/// Harbor's).
const UNKNOWN: [&str; 5] =
    ["MANIFEST_UNKNOWN", "BLOB_UNKNOWN", "NAME_UNKNOWN", "BLOB_UPLOAD_UNKNOWN", "NOT_FOUND"];

fn spaced(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(" {detail}") }
}

/// The codes and the text of an error (distribution-spec, "Error Codes"). Anything else, such as a
/// page of HTML, is empty.
fn read_errors(body: &[u8]) -> (Vec<String>, String) {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<Item>,
    }
    #[derive(Deserialize)]
    struct Item {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let Ok(Errors { errors }) = serde_json::from_slice(body) else { return Default::default() };
    let sentences: Vec<String> = errors
        .iter()
        .map(|item| [item.code.as_str(), item.message.as_str()].into_iter().filter(|text| !text.is_empty()))
        .map(|texts| texts.collect::<Vec<_>>().join(": "))
        .filter(|text| !text.is_empty())
        .collect();
    let text = shortened(&sentences.join("; "));
    (errors.into_iter().map(|item| item.code).collect(), text)
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_DETAIL).collect()
}

/// Longest text of a registry that goes into a message, in characters.
const MAX_DETAIL: usize = 500;

/// The value of a header, where it is text.
pub(crate) fn header(headers: &HeaderMap, name: hyper::header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(status: u16, body: &[u8]) -> String {
        let status = StatusCode::from_u16(status).unwrap();
        failure("a:1", status, None, body, None, &Identity::Anonymous).to_string()
    }

    #[test]
    fn the_text_of_the_registry_becomes_a_part_of_the_sentence() {
        let body = br#"{"errors":[{"code":"TAG_INVALID","message":"no such tag","detail":{"Tag":"x"}},{"code":"X"}]}"#;
        assert_eq!(
            sentence(400, body),
            "a:1: the registry answered 400 Bad Request TAG_INVALID: no such tag; X"
        );
        assert_eq!(sentence(502, b"<html>502</html>"), "a:1: the registry answered 502 Bad Gateway");
        assert_eq!(sentence(400, br#"{"errors":[]}"#), "a:1: the registry answered 400 Bad Request");
    }

    #[test]
    fn a_registry_that_is_read_only_for_some_time_is_busy() {
        let answer =
            |after| failure("a:1", StatusCode::METHOD_NOT_ALLOWED, after, b"", None, &Identity::Anonymous);
        let busy = answer(Some(Duration::from_secs(5)));
        assert!(busy.is_transient() && busy.is_read_only());
        assert!(!answer(None).is_transient(), "it never takes writes");
    }

    #[test]
    fn nothing_is_said_twice() {
        let body = br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
        assert_eq!(sentence(404, body), "a:1 is not in the registry");
        assert_eq!(sentence(404, b""), "a:1 is not in the registry");
        let body = br#"{"errors":[{"code":"NOT_FOUND","message":"artifact a:1 not found"}]}"#;
        assert_eq!(sentence(404, body), "a:1 is not in the registry");
        let body = br#"{"errors":[{"code":"X","message":"moved to b"}]}"#;
        assert_eq!(sentence(404, body), "a:1 is not in the registry (X: moved to b)");
    }

    #[test]
    fn the_reason_of_the_proxy_replaces_a_missing_body() {
        let sentence = |body: &[u8]| {
            let status = StatusCode::BAD_REQUEST;
            failure("a:1", status, None, body, Some("the certificate is unknown"), &Identity::Proxy)
                .to_string()
        };
        assert!(sentence(b"").ends_with("400 Bad Request the certificate is unknown"));
        assert!(sentence(br#"{"errors":[{"code":"X","message":"no"}]}"#).ends_with("X: no"));
    }

    #[test]
    fn a_time_to_come_back_is_a_number_of_seconds_or_a_date() {
        let asked = |after: &str, date: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, after.parse().unwrap());
            date.map(|date| headers.insert(DATE, date.parse().unwrap()));
            retry_after(&headers).map(|after| after.as_secs())
        };
        let (date, later) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:51:07 GMT");
        assert_eq!(asked(" 7", None), Some(7));
        assert_eq!(asked(later, Some(date)), Some(90));
        assert_eq!(asked(date, Some(later)), Some(0), "a date that is over");
        assert_eq!((asked(later, None), asked("soon", Some(date)), asked("-1", None)), (None, None, None));
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn a_registry_that_lost_blobs_is_recognised() {
        let body = br#"{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown"}]}"#;
        for status in [400, 404] {
            assert!(sentence(status, body).contains("does not have all blobs"), "{status}");
        }
    }
}
