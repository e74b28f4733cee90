//! Causes that `Cause` has no constructor for, in the API server's words.

use fake_kube_apimachinery::status::Cause;
use serde_json::Value;

/// A value that is not one of the allowed ones. The API server lists them sorted.
pub(super) fn unsupported(field: String, value: &str, supported: &[&str]) -> Cause {
    let mut supported: Vec<String> = supported.iter().map(|value| format!("{value:?}")).collect();
    supported.sort_unstable();
    Cause {
        reason: "FieldValueNotSupported",
        message: format!("Unsupported value: {value:?}: supported values: {}", supported.join(", ")),
        field,
    }
}

/// A value that must be unique and is not.
pub(super) fn duplicate(field: String, value: &Value) -> Cause {
    Cause { reason: "FieldValueDuplicate", message: format!("Duplicate value: {value}"), field }
}

/// A list of more than `limit` items.
pub(super) fn too_many(field: String, count: usize, limit: usize) -> Cause {
    Cause {
        reason: "FieldValueTooMany",
        message: format!("Too many: {count}: must have at most {limit} items"),
        field,
    }
}

/// A reference to something that does not exist.
pub(super) fn not_found(field: String, value: &str) -> Cause {
    Cause { reason: "FieldValueNotFound", message: format!("Not found: {value:?}"), field }
}

/// A text that is longer than `bytes`.
pub(super) fn too_long(field: String, bytes: usize) -> Cause {
    Cause {
        reason: "FieldValueTooLong",
        message: format!("Too long: may not be more than {bytes} bytes"),
        field,
    }
}

/// An invalid text.
pub(super) fn invalid(field: String, value: &str, detail: &str) -> Cause {
    Cause::invalid(field, &Value::from(value), detail)
}

/// A cause if an immutable field has changed.
pub(super) fn immutable(field: &str, new: &Value, old: &Value) -> Option<Cause> {
    (new != old).then(|| Cause::invalid(field, new, "field is immutable"))
}
