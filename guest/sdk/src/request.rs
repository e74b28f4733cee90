//! Requests to the API server, as a guest reviews them.

use crate::object::parse;
use orascache_contract::{Error, Operation, Outcome, Response};
use serde_json::Value;

/// HTTP status of refusals (RFC 9110, section 15.5.21): what the API server answers to an object that contradicts
/// itself.
const UNPROCESSABLE: u16 = 422;

/// The request of an AdmissionReview (admission.k8s.io/v1).
///
/// ```
/// use orascache_guest_sdk::{Outcome, Request};
///
/// let request = Request::parse(r#"{"request":{"uid":"1","object":{"spec":{"text":""}}}}"#)?;
/// assert_eq!(request.object()["spec"]["text"], "");
/// let Outcome::Decided(response) = request.refuse("spec.text is empty: write some") else { panic!() };
/// assert!(!response.is_allowed());
/// # Ok::<(), orascache_guest_sdk::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Request(Value);

impl Request {
    /// Reads an AdmissionReview.
    ///
    /// # Errors
    /// When it has no request.
    pub fn parse(review: &str) -> Result<Self, Error> {
        let mut review: Value = parse("the AdmissionReview", review)?;
        let request = Self(review["request"].take());
        if request.0["uid"].is_string() {
            Ok(request)
        } else {
            Err(Error::invalid_input("the AdmissionReview cannot be read: request.uid is missing"))
        }
    }

    /// What is asked for; none for `CONNECT`.
    pub fn operation(&self) -> Option<Operation> {
        match self.0["operation"].as_str()? {
            "CREATE" => Some(Operation::Create),
            "UPDATE" => Some(Operation::Update),
            "DELETE" => Some(Operation::Delete),
            _ => None,
        }
    }

    /// The object as it would be stored; null for deletions.
    pub fn object(&self) -> &Value {
        &self.0["object"]
    }

    /// The object as it is stored; null for creations.
    pub fn old_object(&self) -> &Value {
        &self.0["oldObject"]
    }

    /// Every other member of the request, such as `namespace` or `userInfo`; null where it is absent.
    pub fn get(&self, member: &str) -> &Value {
        &self.0[member]
    }

    fn uid(&self) -> &str {
        self.0["uid"].as_str().unwrap_or_default()
    }

    /// The request may go on.
    pub fn allow(&self) -> Outcome {
        Outcome::Decided(Response::allowed(self.uid()))
    }

    /// The request may go on with a change of the object: JSON Patch (RFC 6902).
    pub fn allow_with(&self, patch: &Value) -> Outcome {
        Outcome::Decided(Response::patched(self.uid(), patch.to_string()))
    }

    /// The request may not go on (422). `message` is a sentence for the client: what is wrong, and what to write
    /// instead.
    pub fn refuse(&self, message: &str) -> Outcome {
        Outcome::Decided(Response::refused(self.uid(), UNPROCESSABLE, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_without_a_request_is_an_error() {
        let sentence = Request::parse("{}").expect_err("no request").to_string();
        assert_eq!(sentence, "the AdmissionReview cannot be read: request.uid is missing");
    }

    #[test]
    fn an_answer_has_the_uid_of_its_request() {
        let request = Request::parse(r#"{"request":{"uid":"7","operation":"DELETE"}}"#).expect("a request");
        assert_eq!((request.operation(), request.object()), (Some(Operation::Delete), &Value::Null));
        for outcome in [request.allow(), request.refuse("no"), request.allow_with(&serde_json::json!([]))] {
            let Outcome::Decided(response) = outcome else { panic!("{outcome:?}") };
            assert_eq!(response.uid, "7");
        }
    }
}
