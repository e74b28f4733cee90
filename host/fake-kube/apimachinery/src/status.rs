//! The API server's error answers: `Status` objects with causes.
//!
//! Shapes and messages follow `k8s.io/apimachinery/pkg/api/errors`, as recorded from a real server.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

/// One reason why an object was refused, about one field (`StatusCause` of meta/v1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Machine-readable, for example `FieldValueInvalid`, `FieldValueRequired`,
    /// `FieldManagerConflict`.
    pub reason: &'static str,
    /// Human-readable, for example `Required value`.
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
    /// Machine-readable reason, for example `NotFound`; empty when there is none.
    pub reason: Cow<'static, str>,
    /// The message.
    pub message: String,
    /// `details` of the Status; null when there are none.
    pub details: Value,
}

/// How error messages name a resource, for example (`apps`, `statefulsets`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceName<'a> {
    /// API group, empty for the core group.
    pub group: &'a str,
    /// The plural resource name. Some errors of the API server have the kind here.
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
    /// The error 400 with a message.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self { code: 400, reason: "BadRequest".into(), message: message.into(), details: Value::Null }
    }

    /// The error 404 for an object.
    pub fn not_found(resource: ResourceName<'_>, name: &str) -> Self {
        Self {
            code: 404,
            reason: "NotFound".into(),
            message: format!("{} {name:?} not found", resource.qualified()),
            details: Value::Object(resource.details(name)),
        }
    }

    /// The error 409 for a creation.
    pub fn already_exists(resource: ResourceName<'_>, name: &str) -> Self {
        Self {
            code: 409,
            reason: "AlreadyExists".into(),
            message: format!("{} {name:?} already exists", resource.qualified()),
            details: Value::Object(resource.details(name)),
        }
    }

    /// The error 409 for a resourceVersion or a precondition that does not match. `why` ends the
    /// message.
    pub fn conflict(resource: ResourceName<'_>, name: &str, why: &str) -> Self {
        Self {
            code: 409,
            reason: "Conflict".into(),
            message: format!("Operation cannot be fulfilled on {} {name:?}: {why}", resource.qualified()),
            details: Value::Object(resource.details(name)),
        }
    }

    /// The error 403. The name may be empty; `why` ends the message.
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

    /// The error 500. `why` ends the message.
    pub fn internal(why: &str) -> Self {
        Self {
            code: 500,
            reason: "InternalError".into(),
            message: format!("Internal error occurred: {why}"),
            details: json!({"causes": [{"message": why}]}),
        }
    }

    /// The error 422 with its causes. `resource.resource` is the kind, as in the API server.
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
    /// The cause of an invalid value, which the message shows as JSON.
    pub fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        Self {
            reason: "FieldValueInvalid",
            message: format!("Invalid value: {value}: {detail}"),
            field: field.into(),
        }
    }

    /// The cause of a missing value. `detail` may be empty.
    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        let message =
            if detail.is_empty() { "Required value".to_owned() } else { format!("Required value: {detail}") };
        Self { reason: "FieldValueRequired", message, field: field.into() }
    }

    /// The cause of a field or change that is not allowed.
    pub fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self { reason: "FieldValueForbidden", message: format!("Forbidden: {detail}"), field: field.into() }
    }

    fn to_json(&self) -> Value {
        json!({"reason": self.reason, "message": self.message, "field": self.field})
    }
}
