//! The operations of a policy: JSON in, JSON out.

use crate::context::{self, Host};
use crate::patch;
use orascache_core::admission;
use orascache_core::contract::{Context, Error, Outcome, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Answer to `protocol_version`.
pub const PROTOCOL_VERSION: &[u8] = br#""v1""#;

/// What `validate` gets.
#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow, default)]
    settings: Option<&'a RawValue>,
    #[serde(borrow, default)]
    request: Request<'a>,
}

/// Of the AdmissionRequest, what the core has no need to hand back.
#[derive(Default, Deserialize)]
struct Request<'a> {
    #[serde(borrow, default)]
    object: Option<&'a RawValue>,
}

#[derive(Debug, Default, Serialize)]
struct Response {
    accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mutated_object: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct SettingsResponse {
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// Answers `validate_settings`: whether the core takes them.
///
/// # Errors
/// A sentence, when the payload is no text.
pub fn validate_settings(payload: &[u8]) -> Result<Vec<u8>, String> {
    let settings = text(payload)?.trim();
    let message = admission::check_settings(if settings == "null" { "" } else { settings })
        .err()
        .map(|error| error.to_string());
    written(&SettingsResponse { valid: message.is_none(), message })
}

/// Answers `validate` as the core decides. What the core needs of the cluster is read through the host.
///
/// # Errors
/// A sentence, when the payload is not what Kubewarden sends.
pub fn validate(payload: &[u8], host: &impl Host) -> Result<Vec<u8>, String> {
    let payload = text(payload)?;
    let parts: Payload<'_> = serde_json::from_str(payload)
        .map_err(|error| format!("the request to validate cannot be read: {error}"))?;
    let settings = parts.settings.map(RawValue::get).unwrap_or_default();
    // The payload has the request where an AdmissionReview has it.
    written(&match decide(payload, settings, host) {
        Ok((verdict, warnings)) => response(verdict, warnings, parts.request.object)?,
        Err(refusal) => refusal,
    })
}

/// The verdict, with further warnings; or the answer where there is none.
fn decide(review: &str, settings: &str, host: &impl Host) -> Result<(Verdict, Vec<String>), Response> {
    // Nothing that is decided about a request depends on the time, which nobody tells here.
    let mut context = Context { objects: &[], complete: false, settings, now: 0 };
    let failed = |error: Error| {
        // Kubewarden checks settings before it uses them, so that the request is mostly to blame.
        let code = if admission::check_settings(settings).is_ok() { 400 } else { 500 };
        refusal(code, error.to_string())
    };
    let references = match admission::review(review, &context).map_err(failed)? {
        Outcome::Decided(verdict) => return Ok((verdict, Vec::new())),
        Outcome::Need(references) => references,
    };
    let found = context::find(&references, host).map_err(|sentence| refusal(500, sentence))?;
    context = Context { objects: &found.objects, complete: true, ..context };
    match admission::review(review, &context).map_err(failed)? {
        Outcome::Decided(verdict) => Ok((verdict, found.warnings)),
        Outcome::Need(_) => {
            Err(refusal(500, "the module asks again for what the cluster does not have".to_owned()))
        }
    }
}

fn response(verdict: Verdict, warnings: Vec<String>, object: Option<&RawValue>) -> Result<Response, String> {
    let mutated_object = match (verdict.patch, object) {
        (Some(patch), Some(object)) => {
            let text = patch::apply(object.get(), &patch)?;
            Some(RawValue::from_string(text).map_err(|error| error.to_string())?)
        }
        (Some(_), None) => return Err("there is a patch, but no object to apply it to".to_owned()),
        (None, _) => None,
    };
    Ok(Response {
        accepted: verdict.allowed,
        message: Some(verdict.message).filter(|message| !message.is_empty()),
        code: Some(verdict.code).filter(|code| *code != 0),
        mutated_object,
        audit_annotations: verdict.audit.into_iter().collect(),
        warnings: verdict.warnings.into_iter().chain(warnings).collect(),
    })
}

fn refusal(code: u16, message: String) -> Response {
    Response { code: Some(code), message: Some(message), ..Response::default() }
}

fn text(payload: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(payload).map_err(|error| format!("the payload is not UTF-8: {error}"))
}

fn written(response: &impl Serialize) -> Result<Vec<u8>, String> {
    serde_json::to_vec(response).map_err(|error| format!("the answer cannot be written: {error}"))
}
