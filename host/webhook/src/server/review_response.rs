//! Responses as the API server reads them: `AdmissionReview` of `admission.k8s.io/v1`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use orascache_contract::{Response, Verdict};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::borrow::Cow;

/// Characters of a warning that the API server keeps when all are longer than
/// [`WARNINGS_CHARS`] (`k8s.io/apiserver/pkg/endpoints/filters/warning.go`).
const WARNING_CHARS: usize = 256;
/// Characters of all warnings that the API server keeps (same file).
const WARNINGS_CHARS: usize = 4 * 1024;
/// Status of a refusal whose code is not an HTTP error.
const FORBIDDEN: u16 = 403;
/// The ends of `response` and of the whole text. The patch is written before them.
const ENDS: &str = "}}";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: ReviewResponse<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReviewResponse<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "map")]
    audit_annotations: &'a [(String, String)],
}

#[derive(Serialize)]
struct Status<'a> {
    code: u16,
    message: &'a str,
    reason: &'static str,
}

/// Writes the body of the HTTP response.
pub(super) fn to_json(response: &Response) -> Result<Bytes, serde_json::Error> {
    let (status, patch) = match &response.verdict {
        Verdict::Allowed(patch) => (None, patch.as_deref()),
        Verdict::Refused(refusal) => {
            let code = if (400..600).contains(&refusal.code) { refusal.code } else { FORBIDDEN };
            (Some(Status { code, message: &refusal.message, reason: reason(code) }), None)
        }
    };
    let review = Review {
        api_version: "admission.k8s.io/v1",
        kind: "AdmissionReview",
        response: ReviewResponse {
            uid: &response.uid,
            allowed: response.is_allowed(),
            status,
            warnings: warnings(&response.warnings),
            audit_annotations: &response.audit,
        },
    };
    let mut text = serde_json::to_string(&review)?;
    if let Some(patch) = patch {
        // Base64 needs no escapes. Looking for them would take longer than the encoding.
        const BEGINNING: &str = r#","patchType":"JSONPatch","patch":""#;
        text.truncate(text.len() - ENDS.len());
        text.reserve(BEGINNING.len() + patch.len().div_ceil(3) * 4 + ENDS.len() + 1);
        text.push_str(BEGINNING);
        STANDARD.encode_string(patch, &mut text);
        text.push('"');
        text.push_str(ENDS);
    }
    Ok(Bytes::from(text))
}

/// The `metav1.StatusReason` of a code, after `k8s.io/apimachinery/pkg/api/errors`. Empty means
/// `Unknown` there.
fn reason(code: u16) -> &'static str {
    match code {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        405 => "MethodNotAllowed",
        406 => "NotAcceptable",
        409 => "Conflict",
        410 => "Gone",
        413 => "RequestEntityTooLarge",
        415 => "UnsupportedMediaType",
        422 => "Invalid",
        429 => "TooManyRequests",
        500 => "InternalError",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "",
    }
}

fn map<S: Serializer>(pairs: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(pairs.len()))?;
    for (key, value) in pairs {
        map.serialize_entry(key, value)?;
    }
    map.end()
}

/// Shortens warnings to what the API server keeps. It drops warnings with control characters, which
/// therefore become spaces.
fn warnings(all: &[String]) -> Vec<Cow<'_, str>> {
    let mut left = WARNINGS_CHARS;
    let mut kept = Vec::with_capacity(all.len());
    for warning in all {
        if left == 0 {
            break;
        }
        let warning = cut(warning, WARNING_CHARS.min(left));
        left = left.saturating_sub(warning.chars().count());
        kept.push(if warning.contains(char::is_control) {
            Cow::Owned(warning.replace(char::is_control, " "))
        } else {
            warning
        });
    }
    kept
}

/// At most `limit` characters of a text. If it is longer, the last one is an ellipsis.
fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    // Most texts have fewer bytes than `limit`, and then their characters need not be counted.
    if text.len() <= limit || text.chars().nth(limit).is_none() {
        return Cow::Borrowed(text);
    }
    let mut short: String = text.chars().take(limit.saturating_sub(1)).collect();
    short.push('…');
    Cow::Owned(short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn value(response: &Response) -> Value {
        serde_json::from_slice(&to_json(response).unwrap()).unwrap()
    }

    #[test]
    fn an_allowed_review_carries_patch_warnings_and_audit_annotations() {
        let patch = r#"[{"op": "add", "path": "/spec/replicas", "value": 3}]"#;
        let mut response = Response::patched("705ab4f5-6393-11e8-b7cc-42010a800002", patch.to_owned());
        response.warnings = vec!["old".to_owned()];
        response.audit = vec![("rewritten".to_owned(), "true".to_owned())];
        // Patch and base64 are the example of the Kubernetes documentation on admission webhooks.
        let expected = json!({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": {
                "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
                "allowed": true,
                "warnings": ["old"],
                "patchType": "JSONPatch",
                "patch": "W3sib3AiOiAiYWRkIiwgInBhdGgiOiAiL3NwZWMvcmVwbGljYXMiLCAidmFsdWUiOiAzfV0=",
                "auditAnnotations": {"rewritten": "true"},
            },
        });
        assert_eq!(value(&response), expected);
    }

    #[test]
    fn an_allowed_review_without_a_patch_is_short() {
        assert_eq!(
            to_json(&Response::allowed("u")).unwrap(),
            r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"u","allowed":true}}"#
        );
    }

    #[test]
    fn a_refusal_has_code_message_and_reason() {
        let response = Response::refused("u", 422, "say \"which\"");
        let status = json!({"code": 422, "message": "say \"which\"", "reason": "Invalid"});
        let expected = json!({"uid": "u", "allowed": false, "status": status});
        assert_eq!(value(&response)["response"], expected);
    }

    #[test]
    fn a_code_that_is_no_http_error_becomes_403() {
        for code in [0, 200, 399, 600, u16::MAX] {
            let status = &value(&Response::refused("u", code, "no"))["response"]["status"];
            assert_eq!((&status["code"], &status["reason"]), (&json!(403), &json!("Forbidden")));
        }
        for code in [400, 599] {
            let status = &value(&Response::refused("u", code, "no"))["response"]["status"];
            assert_eq!(status["code"], code);
        }
    }

    #[test]
    fn long_warnings_are_cut_between_characters() {
        let exact = "ä".repeat(256);
        let long = "ä".repeat(257);
        let given = [exact.clone(), long];
        let kept = warnings(&given);
        assert_eq!(kept, [exact, format!("{}…", "ä".repeat(255))]);
    }

    #[test]
    fn control_characters_become_spaces() {
        assert_eq!(warnings(&["two\nlines\t!".to_owned()]), ["two lines !"]);
    }

    proptest! {
        #[test]
        fn warnings_fit(all in prop::collection::vec(".{0,600}", 0..40)) {
            let kept = warnings(&all);
            prop_assert!(kept.iter().all(|warning| warning.chars().count() <= 256));
            prop_assert!(kept.iter().map(|warning| warning.chars().count()).sum::<usize>() <= 4096);
            prop_assert!(kept.len() <= all.len());
        }
    }
}
