//! How the call of a webhook can fail, and the answer that the client gets then.

use std::borrow::Cow;

use fake_kube_apimachinery::status::ApiError;
use serde_json::Value;

/// Why a webhook did not admit a request.
#[derive(Debug)]
pub enum Failure {
    /// The call failed, or its answer is invalid. The failure policy decides.
    Call(String),
    /// The request is refused whatever the failure policy says.
    Refused(ApiError),
}

/// The sentence about a failed call, for the log and for the client.
pub fn sentence(webhook: &str, why: &str) -> String {
    format!("failed calling webhook {webhook:?}: {why}")
}

/// A webhook with side effects cannot take part in a dry run.
pub fn no_dry_run(webhook: &str) -> ApiError {
    ApiError::bad_request(format!("admission webhook {webhook:?} does not support dry run"))
}

/// The request ran out of time while webhooks were called.
pub fn out_of_time() -> ApiError {
    ApiError {
        code: 504,
        reason: "Timeout".into(),
        message: "Timeout: request did not complete within requested timeout".to_owned(),
        details: Value::Object(serde_json::Map::new()),
    }
}

/// The error for a webhook's refusal, with the status that the webhook gave
/// (`webhookerrors.ToStatusErr`).
pub fn denied(webhook: &str, status: Option<&Value>) -> ApiError {
    let text = |field: &str| status.and_then(|status| status.get(field)).and_then(Value::as_str);
    let by = format!("admission webhook {webhook:?} denied the request");
    let given = |field: &str| text(field).filter(|text| !text.is_empty());
    let message = match given("message").or_else(|| given("reason")) {
        Some(why) => format!("{by}: {why}"),
        None => format!("{by} without explanation"),
    };
    let code = status.and_then(|status| status.get("code")).and_then(Value::as_u64).unwrap_or_default();
    let code = u16::try_from(code).unwrap_or(u16::MAX).max(400);
    let details = status.and_then(|status| status.get("details")).filter(|details| details.is_object());
    ApiError {
        code,
        reason: Cow::Owned(text("reason").unwrap_or_default().to_owned()),
        message,
        details: details.cloned().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::denied;

    #[test]
    fn the_message_names_the_webhook_and_its_reason() {
        let sentence = |status: Value| denied("w", Some(&status)).message;
        assert_eq!(
            denied("w", None).message,
            "admission webhook \"w\" denied the request without explanation"
        );
        assert_eq!(sentence(json!({})), "admission webhook \"w\" denied the request without explanation");
        assert_eq!(
            sentence(json!({"reason": "Forbidden"})),
            "admission webhook \"w\" denied the request: Forbidden"
        );
        assert_eq!(
            sentence(json!({"message": "no", "reason": "x"})),
            "admission webhook \"w\" denied the request: no"
        );
    }

    #[test]
    fn codes_below_400_become_400() {
        for (given, code) in [(json!(null), 400), (json!(0), 400), (json!(200), 400), (json!(422), 422)] {
            assert_eq!(denied("w", Some(&json!({"code": given}))).code, code);
        }
        let kept = denied("w", Some(&json!({"code": 403, "reason": "Mine", "details": {"kind": "x"}})));
        assert_eq!((kept.code, &*kept.reason), (403, "Mine"));
        assert_eq!(kept.to_status()["details"], json!({"kind": "x"}));
        assert_eq!(denied("w", None).to_status().get("reason"), None);
    }
}
