//! Digests by which states of an object are compared within this process.

use serde_json::Value;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A digest of an object without its status and resourceVersion: what an apply could change.
pub(crate) fn content(object: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    let Value::Object(members) = object else { return of(object) };
    for (name, value) in members.iter().filter(|(name, _)| *name != "status") {
        name.hash(&mut hasher);
        match value {
            Value::Object(metadata) if name == "metadata" => {
                for (name, value) in metadata.iter().filter(|(name, _)| *name != "resourceVersion") {
                    name.hash(&mut hasher);
                    value.hash(&mut hasher);
                }
            }
            _ => value.hash(&mut hasher),
        }
    }
    hasher.finish()
}

/// A digest of a value.
pub(crate) fn of(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::content;
    use serde_json::json;

    #[test]
    fn status_and_revision_are_no_content() {
        let object = json!({"metadata": {"resourceVersion": "1", "name": "n"}, "spec": 1, "status": 1});
        let later = json!({"metadata": {"resourceVersion": "2", "name": "n"}, "spec": 1});
        assert_eq!(content(&object), content(&later));
        assert_ne!(content(&object), content(&json!({"metadata": {"name": "n"}, "spec": 2})));
        assert_ne!(content(&object), content(&json!({"metadata": {"name": "m"}, "spec": 1})));
    }
}
