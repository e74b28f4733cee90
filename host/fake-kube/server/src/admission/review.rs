//! AdmissionReview of admission.k8s.io: the request to a webhook and its response
//! (`plugin/webhook/request`).

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use json_patch::Patch;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Attributes, Phase};
use crate::catalogue::Kind;

const V1: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// The `request` of a review, without its UID and objects. Match conditions see it like this.
pub fn request(attributes: &Attributes, kind: &Kind) -> Map<String, Value> {
    let asked = &attributes.request;
    let subresource = attributes.subresource();
    let versioned = |(group, version, name): (&str, &str, &str), what: &str| json!({"group": group, "version": version, what: name});
    let mut request = Map::new();
    request.insert("kind".into(), versioned(kind.body(subresource), "kind"));
    request.insert("resource".into(), versioned((&kind.group, &kind.version, &kind.plural), "resource"));
    let of_request =
        |named: &super::Versioned, what: &str| versioned((&named.group, &named.version, &named.name), what);
    request.insert("requestKind".into(), of_request(&asked.kind, "kind"));
    request.insert("requestResource".into(), of_request(&asked.resource, "resource"));
    for (field, text) in [
        ("subResource", subresource),
        ("requestSubResource", subresource),
        ("name", Some(asked.name.as_str())),
        ("namespace", asked.namespace.as_deref()),
    ] {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            request.insert(field.into(), text.into());
        }
    }
    request.insert("operation".into(), asked.operation.name().into());
    request.insert("userInfo".into(), json!({"username": asked.user.name, "groups": asked.user.groups}));
    request.insert("dryRun".into(), asked.dry_run.into());
    request.insert("options".into(), asked.options.clone());
    request
}

/// A whole review. Missing objects are null.
pub fn question(
    version: &str,
    uid: &str,
    attributes: &Attributes,
    kind: &Kind,
    object: Option<&Value>,
    old_object: Option<&Value>,
) -> Value {
    let mut request = request(attributes, kind);
    request.insert("uid".into(), uid.into());
    request.insert("object".into(), object.cloned().unwrap_or_default());
    request.insert("oldObject".into(), old_object.cloned().unwrap_or_default());
    json!({"kind": KIND, "apiVersion": version, "request": request})
}

/// The response of a webhook.
#[derive(Debug)]
pub struct Answer {
    /// Whether the request may go on.
    pub allowed: bool,
    /// The status of a refusal.
    pub status: Option<Value>,
    /// How the object is to be changed.
    pub patch: Option<Patch>,
    /// Sentences for the client.
    pub warnings: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    response: Option<Response>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    #[serde(default)]
    uid: String,
    #[serde(default)]
    allowed: bool,
    status: Option<Value>,
    patch: Option<String>,
    patch_type: Option<String>,
    // There is no audit log. Decoding them checks their type.
    #[serde(default, rename = "auditAnnotations")]
    _audit_annotations: Option<BTreeMap<String, String>>,
    warnings: Option<Vec<String>>,
}

/// Reads and checks the response to the review with the given version and UID.
///
/// # Errors
/// What is wrong with it, in the words of kube-apiserver.
pub fn answer(phase: Phase, version: &str, uid: &str, body: &[u8]) -> Result<Answer, String> {
    let review: Review =
        serde_json::from_slice(body).map_err(|error| format!("failed to call webhook: {error}"))?;
    let invalid = |why: String| format!("received invalid webhook response: {why}");
    let Some(response) = review.response else { return Err(invalid("webhook response was absent".into())) };
    let strict = version == V1;
    if strict && response.uid != uid {
        return Err(invalid(format!("expected response.uid={uid:?}, got {:?}", response.uid)));
    }
    if strict && (review.api_version != V1 || review.kind != KIND) {
        let (group, version) = review.api_version.split_once('/').unwrap_or(("", &review.api_version));
        return Err(invalid(format!(
            "expected webhook response of {V1}, Kind={KIND}, got {group}/{version}, Kind={}",
            review.kind
        )));
    }
    let patch = response.patch.filter(|patch| !patch.is_empty());
    if strict {
        check_patch(phase, patch.as_deref(), response.patch_type.as_deref())
            .map_err(|why| invalid(why.into()))?;
    }
    let patch_type = if strict { response.patch_type.unwrap_or_default() } else { "JSONPatch".to_owned() };
    let patch = match patch.filter(|_| phase == Phase::Mutating && response.allowed) {
        Some(patch) => Some(decode_patch(&patch, &patch_type)?),
        None => None,
    };
    Ok(Answer {
        allowed: response.allowed,
        status: response.status,
        patch: patch.filter(|patch| !patch.is_empty()),
        warnings: response.warnings.unwrap_or_default(),
    })
}

fn check_patch(phase: Phase, patch: Option<&str>, patch_type: Option<&str>) -> Result<(), &'static str> {
    match (phase, patch, patch_type) {
        (Phase::Validating, Some(_), _) => Err("validating webhook may not return response.patch"),
        (Phase::Validating, None, Some(_)) => Err("validating webhook may not return response.patchType"),
        (Phase::Mutating, Some(_), None) => Err("webhook returned response.patch but not response.patchType"),
        (Phase::Mutating, None, Some(_)) => Err("webhook returned response.patchType but not response.patch"),
        (Phase::Mutating, Some(_), Some("")) => Err("webhook returned invalid response.patchType of \"\""),
        _ => Ok(()),
    }
}

fn decode_patch(patch: &str, patch_type: &str) -> Result<Patch, String> {
    let bytes = STANDARD
        .decode(patch)
        .map_err(|error| format!("failed to call webhook: response.patch is no base64: {error}"))?;
    let decoded = serde_json::from_slice(&bytes)
        .map_err(|error| format!("received undecodable patch in webhook response: {error}"))?;
    match patch_type {
        "JSONPatch" => Ok(decoded),
        other => Err(format!("unsupported patch type {other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(phase: Phase, response: Value) -> Result<Answer, String> {
        let body = json!({"apiVersion": V1, "kind": KIND, "response": response}).to_string();
        answer(phase, V1, "u", body.as_bytes())
    }

    #[test]
    fn valid_responses_are_read() {
        let patch = STANDARD.encode(r#"[{"op":"add","path":"/a","value":1}]"#);
        let response = json!({
            "uid": "u", "allowed": true, "patch": patch, "patchType": "JSONPatch", "warnings": ["w"],
            "auditAnnotations": {"a": "b"},
        });
        let answer = check(Phase::Mutating, response).unwrap();
        assert!(answer.allowed);
        assert_eq!(answer.patch.unwrap().len(), 1);
        assert_eq!(answer.warnings, ["w"]);
        let refusal =
            check(Phase::Validating, json!({"uid": "u", "allowed": false, "status": {"code": 403}}));
        assert_eq!(refusal.unwrap().status, Some(json!({"code": 403})));
        let empty =
            json!({"uid": "u", "allowed": true, "patch": STANDARD.encode("[]"), "patchType": "JSONPatch"});
        assert!(check(Phase::Mutating, empty).unwrap().patch.is_none());
    }

    #[test]
    fn invalid_responses_are_refused() {
        let encoded = STANDARD.encode("[]");
        for (phase, response, expected) in [
            (
                Phase::Validating,
                json!(null),
                "received invalid webhook response: webhook response was absent",
            ),
            (
                Phase::Validating,
                json!({"uid": "v", "allowed": true}),
                "received invalid webhook response: expected response.uid=\"u\", got \"v\"",
            ),
            (
                Phase::Mutating,
                json!({"uid": "u", "allowed": true, "patch": encoded}),
                "received invalid webhook response: webhook returned response.patch but not response.patchType",
            ),
            (
                Phase::Mutating,
                json!({"uid": "u", "allowed": true, "patchType": "JSONPatch"}),
                "received invalid webhook response: webhook returned response.patchType but not response.patch",
            ),
            (
                Phase::Validating,
                json!({"uid": "u", "allowed": true, "patch": encoded, "patchType": "JSONPatch"}),
                "received invalid webhook response: validating webhook may not return response.patch",
            ),
            (
                Phase::Mutating,
                json!({"uid": "u", "allowed": true, "patch": encoded, "patchType": "MergePatch"}),
                "unsupported patch type \"MergePatch\"",
            ),
        ] {
            assert_eq!(check(phase, response).unwrap_err(), expected);
        }
        let undecodable = STANDARD.encode("{}");
        let response = json!({"uid": "u", "allowed": true, "patch": undecodable, "patchType": "JSONPatch"});
        let error = check(Phase::Mutating, response).unwrap_err();
        assert!(error.starts_with("received undecodable patch in webhook response: "), "{error}");
        let untyped = answer(Phase::Validating, V1, "u", br#"{"response": {"uid": "u", "allowed": true}}"#);
        assert_eq!(
            untyped.unwrap_err(),
            "received invalid webhook response: expected webhook response of admission.k8s.io/v1, \
             Kind=AdmissionReview, got /, Kind="
        );
        let error = answer(Phase::Validating, V1, "u", b"<html>").unwrap_err();
        assert!(error.starts_with("failed to call webhook: "), "{error}");
    }

    #[test]
    fn version_v1beta1_is_checked_less() {
        let body = br#"{"response": {"allowed": true}}"#;
        assert!(answer(Phase::Mutating, "admission.k8s.io/v1beta1", "u", body).unwrap().allowed);
    }
}
