//! The operations of a policy: JSON in, JSON out.

use crate::context;
use crate::lookup::Host;
use crate::patch;
use orascache_contract::{Context, Error, Outcome, Response, Verdict};
use orascache_core::admission;
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

/// The AdmissionRequest, as far as the core's answer does not repeat it.
#[derive(Default, Deserialize)]
struct Request<'a> {
    #[serde(borrow, default)]
    object: Option<&'a RawValue>,
}

/// Kubewarden's ValidationResponse (docs.kubewarden.io, writing policies, "spec").
#[derive(Debug, Default, Serialize)]
struct ValidationResponse {
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

/// Kubewarden's SettingsValidationResponse.
#[derive(Serialize)]
struct SettingsResponse {
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// Answers `validate_settings`: whether the core accepts them.
///
/// # Errors
/// A sentence, when the payload is not UTF-8.
pub fn validate_settings(payload: &[u8]) -> Result<Vec<u8>, String> {
    let settings = text(payload)?.trim();
    let message = admission::check_settings(if settings == "null" { "" } else { settings })
        .err()
        .map(|error| error.to_string());
    written(&SettingsResponse { valid: message.is_none(), message })
}

/// Answers `validate` as the core decides. What the core needs to know of the cluster is read
/// through the host.
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
        Ok((response, warnings)) => validation_response(response, warnings, parts.request.object)?,
        Err(refusal) => refusal,
    })
}

/// The core's response with further warnings; or Kubewarden's response where the core has none.
fn decide(
    review: &str,
    settings: &str,
    host: &impl Host,
) -> Result<(Response, Vec<String>), ValidationResponse> {
    // No decision about a request depends on the time, and the host tells none.
    let context = Context::<String> { settings: settings.to_owned(), ..Context::default() };
    let failed = |error: Error| {
        // Kubewarden checks settings before it uses them, so that the request is mostly to blame.
        let code = if admission::check_settings(settings).is_ok() { 400 } else { 500 };
        refusal(code, error.to_string())
    };
    let needs = match admission::review(review, &context).map_err(failed)? {
        Outcome::Decided(response) => return Ok((response, Vec::new())),
        Outcome::Need(needs) => needs,
    };
    let found = context::find(needs, settings, host).map_err(|sentence| refusal(500, sentence))?;
    match admission::review(review, &found.context).map_err(failed)? {
        Outcome::Decided(response) => Ok((response, found.warnings)),
        Outcome::Need(_) => {
            Err(refusal(500, "the policy asks again for what the cluster does not have".to_owned()))
        }
    }
}

fn validation_response(
    response: Response,
    warnings: Vec<String>,
    object: Option<&RawValue>,
) -> Result<ValidationResponse, String> {
    let mut answer = match response.verdict {
        Verdict::Allowed(patch) => ValidationResponse {
            accepted: true,
            mutated_object: patch.map(|patch| patched(object, &patch)).transpose()?,
            ..ValidationResponse::default()
        },
        Verdict::Refused(refused) => refusal(refused.code, refused.message),
    };
    answer.audit_annotations = response.audit.into_iter().collect();
    answer.warnings = response.warnings.into_iter().chain(warnings).collect();
    Ok(answer)
}

fn patched(object: Option<&RawValue>, patch: &str) -> Result<Box<RawValue>, String> {
    let object = object.ok_or("there is a patch, but no object to apply it to")?;
    let text = patch::apply(object.get(), patch)?;
    RawValue::from_string(text).map_err(|error| error.to_string())
}

fn refusal(code: u16, message: String) -> ValidationResponse {
    ValidationResponse { code: Some(code), message: Some(message), ..ValidationResponse::default() }
}

fn text(payload: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(payload).map_err(|error| format!("the payload is not UTF-8: {error}"))
}

fn written(response: &impl Serialize) -> Result<Vec<u8>, String> {
    serde_json::to_vec(response).map_err(|error| format!("the answer cannot be written: {error}"))
}
