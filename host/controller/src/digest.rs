//! Digests by which states of an object are compared within this process.

use serde_json::Value;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A digest of an object without its status and resourceVersion: what an apply could change.
pub(crate) fn content(text: &str) -> u64 {
    let mut object: Value = serde_json::from_str(text).unwrap_or_default();
    if let Some(members) = object.as_object_mut() {
        members.remove("status");
        if let Some(metadata) = members.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("resourceVersion");
        }
    }
    of(&object)
}

/// A digest of a value.
pub(crate) fn of(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.to_string().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::content;

    #[test]
    fn status_and_revision_are_no_content() {
        let object = r#"{"metadata":{"resourceVersion":"1","name":"n"},"spec":1,"status":1}"#;
        let later = r#"{"metadata":{"resourceVersion":"2","name":"n"},"spec":1}"#;
        assert_eq!(content(object), content(later));
        assert_ne!(content(object), content(r#"{"metadata":{"name":"n"},"spec":2}"#));
    }
}
