//! The API server's error answers: `Status` objects with causes.
//!
//! Shapes and sentences follow `k8s.io/apimachinery/pkg/api/errors`, as recorded from a real server.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

/// One reason why an object was refused, about one field (`StatusCause` of meta/v1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Machine readable, for example `FieldValueInvalid`, `FieldValueRequired`, `FieldManagerConflict`.
    pub reason: &'static str,
    /// For people, for example `Required value`.
    pub message: String,
    /// Path of the field, for example `spec.containers[0].image`.
    pub field: String,
}

/// A refused request: becomes an HTTP status and a `Status` body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// HTTP status code.
    pub code: u16,
    /// Machine readable reason, for example `NotFound`; empty when there is none.
    pub reason: Cow<'static, str>,
    /// The sentence.
    pub message: String,
    /// `details` of the Status; null when there are none.
    pub details: Value,
}

/// Names a resource in error messages, for example (`apps`, `statefulsets`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceName<'a> {
    /// API group, empty for the core group.
    pub group: &'a str,
    /// Plural resource name, or the kind where the API server says the kind.
    pub resource: &'a str,
}

impl ResourceName<'_> {
    /// `statefulsets.apps`, or `pods` in the core group.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.resource.to_owned()
        } else {
            format!("{}.{}", self.resource, self.group)
        }
    }

    fn details(&self, name: &str) -> Map<String, Value> {
        let mut details = Map::new();
        if !name.is_empty() {
            details.insert("name".into(), name.into());
        }
        if !self.group.is_empty() {
            details.insert("group".into(), self.group.into());
        }
        details.insert("kind".into(), self.resource.into());
        details
    }
}

impl ApiError {
    /// 400 with a sentence of the caller's.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self { code: 400, reason: "BadRequest".into(), message: message.into(), details: Value::Null }
    }

    /// 404 of a named object.
    pub fn not_found(resource: ResourceName<'_>, name: &str) -> Self {
        Self {
            code: 404,
            reason: "NotFound".into(),
            message: format!("{} {name:?} not found", resource.qualified()),
            details: Value::Object(resource.details(name)),
        }
    }

    /// 409 of a create.
    pub fn already_exists(resource: ResourceName<'_>, name: &str) -> Self {
        Self {
            code: 409,
            reason: "AlreadyExists".into(),
            message: format!("{} {name:?} already exists", resource.qualified()),
            details: Value::Object(resource.details(name)),
        }
    }

    /// 409 of an optimistic lock or a precondition; `why` follows the colon.
    pub fn conflict(resource: ResourceName<'_>, name: &str, why: &str) -> Self {
        Self {
            code: 409,
            reason: "Conflict".into(),
            message: format!("Operation cannot be fulfilled on {} {name:?}: {why}", resource.qualified()),
            details: Value::Object(resource.details(name)),
        }
    }

    /// 403 with the reason after the colon. The name may be empty.
    pub fn forbidden(resource: ResourceName<'_>, name: &str, why: &str) -> Self {
        let subject = match (resource.qualified(), name) {
            (resource, "") => resource,
            (resource, name) => format!("{resource} {name:?}"),
        };
        Self {
            code: 403,
            reason: "Forbidden".into(),
            message: format!("{subject} is forbidden: {why}"),
            details: Value::Object(resource.details(name)),
        }
    }

    /// 500: the server could not do its part; `why` follows the colon.
    pub fn internal(why: &str) -> Self {
        Self {
            code: 500,
            reason: "InternalError".into(),
            message: format!("Internal error occurred: {why}"),
            details: json!({"causes": [{"message": why}]}),
        }
    }

    /// 422 with its causes. `resource.resource` is the kind here, as the API server has it.
    pub fn invalid(resource: ResourceName<'_>, name: &str, causes: &[Cause]) -> Self {
        let sentences: Vec<String> =
            causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        let all = match sentences.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let mut details = resource.details(name);
        details.insert("causes".into(), causes.iter().map(Cause::to_json).collect());
        Self {
            code: 422,
            reason: "Invalid".into(),
            message: format!("{} {name:?} is invalid: {all}", resource.qualified()),
            details: Value::Object(details),
        }
    }

    /// The `Status` object of meta/v1 that goes into the response body.
    pub fn to_status(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        });
        if let Value::Object(map) = &mut status {
            if !self.reason.is_empty() {
                map.insert("reason".into(), self.reason.clone().into());
            }
            if !self.details.is_null() {
                map.insert("details".into(), self.details.clone());
            }
            map.insert("code".into(), self.code.into());
        }
        status
    }
}

impl Cause {
    /// An invalid value; `value` is shown as the API server shows it (JSON).
    pub fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        Self {
            reason: "FieldValueInvalid",
            message: format!("Invalid value: {value}: {detail}"),
            field: field.into(),
        }
    }

    /// A missing value. `detail` may be empty.
    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        let message =
            if detail.is_empty() { "Required value".to_owned() } else { format!("Required value: {detail}") };
        Self { reason: "FieldValueRequired", message, field: field.into() }
    }

    /// A change or a field that is not allowed.
    pub fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self { reason: "FieldValueForbidden", message: format!("Forbidden: {detail}"), field: field.into() }
    }

    fn to_json(&self) -> Value {
        json!({"reason": self.reason, "message": self.message, "field": self.field})
    }
}
