//! JSON Patches (RFC 6902) of plans.

use serde_json::{Value, json};

/// Why a patch is not sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// It is no JSON Patch; a phrase says why.
    Malformed(String),
    /// An operation on this path changes the owners of the object.
    ChangesOwner(String),
}

/// The patch with a test for the object's UID at its beginning: nothing happens to a later object
/// of the same name. Where the plan `may_release` the object, it may remove entries of the owner
/// references.
///
/// # Errors
/// When it is no JSON Patch, or changes the owner references in another way.
pub(crate) fn with_uid_test(patch: &str, uid: &str, may_release: bool) -> Result<Vec<u8>, Unusable> {
    let malformed = |problem: &str| Unusable::Malformed(problem.to_owned());
    let patch: Value = serde_json::from_str(patch).map_err(|error| malformed(&error.to_string()))?;
    let Value::Array(operations) = patch else {
        return Err(malformed("it is no list of operations"));
    };
    for operation in &operations {
        let member = |name: &str| operation.get(name).and_then(Value::as_str);
        let (Some(op), Some(path)) = (member("op"), member("path")) else {
            return Err(malformed("an operation has no \"op\" or no \"path\""));
        };
        if may_release && op == "remove" && is_owner(path) {
            continue;
        }
        // What is moved away is removed; what is copied or tested stays.
        let from = if op == "move" { member("from") } else { None };
        let changed = [Some(path).filter(|_| op != "test"), from];
        if let Some(path) = changed.into_iter().flatten().find(|path| reaches_owners(path)) {
            return Err(Unusable::ChangesOwner(path.to_owned()));
        }
    }
    let mut all = vec![json!({"op": "test", "path": "/metadata/uid", "value": uid})];
    all.extend(operations);
    serde_json::to_vec(&all).map_err(|error| malformed(&error.to_string()))
}

/// Whether a JSON pointer is that of one owner reference.
fn is_owner(path: &str) -> bool {
    let index = path.strip_prefix("/metadata/ownerReferences/");
    index.is_some_and(|index| !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a change at this JSON pointer can change the owner references.
fn reaches_owners(path: &str) -> bool {
    const OWNERS: &str = "/metadata/ownerReferences";
    // No member of this path has a character that pointers escape, so that it has no other
    // spelling.
    matches!(path, "" | "/metadata" | OWNERS)
        || path.strip_prefix(OWNERS).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::{Unusable, with_uid_test};
    use serde_json::{Value, json};

    fn checked(patch: &Value) -> Result<Value, Unusable> {
        let bytes = with_uid_test(&patch.to_string(), "U", false)?;
        Ok(serde_json::from_slice(&bytes).expect("JSON"))
    }

    #[test]
    fn who_may_release_an_object_may_remove_its_owners_and_add_none() {
        let releases = |operation: &Value| with_uid_test(&json!([operation]).to_string(), "U", true);
        let remove = json!({"op": "remove", "path": "/metadata/ownerReferences/0"});
        assert!(releases(&remove).is_ok());
        assert!(matches!(checked(&json!([remove])), Err(Unusable::ChangesOwner(_))));
        for operation in [
            json!({"op": "remove", "path": "/metadata/ownerReferences"}),
            json!({"op": "remove", "path": "/metadata/ownerReferences/0/uid"}),
            json!({"op": "remove", "path": "/metadata/ownerReferences/-"}),
            json!({"op": "replace", "path": "/metadata/ownerReferences/0", "value": {}}),
            json!({"op": "add", "path": "/metadata/ownerReferences/0", "value": {}}),
            json!({"op": "move", "from": "/metadata/ownerReferences/0", "path": "/spec/x"}),
            json!({"op": "remove", "path": "/metadata"}),
        ] {
            assert!(matches!(releases(&operation), Err(Unusable::ChangesOwner(_))), "{operation}");
        }
    }

    #[test]
    fn the_test_comes_first() {
        let add = json!({"op": "add", "path": "/metadata/labels/a", "value": "b"});
        let test = json!({"op": "test", "path": "/metadata/uid", "value": "U"});
        assert_eq!(checked(&json!([add])), Ok(json!([test, add])));
    }

    #[test]
    fn owners_are_not_changed_by_any_operation() {
        for operation in [
            json!({"op": "add", "path": "/metadata/ownerReferences/-", "value": {}}),
            json!({"op": "replace", "path": "/metadata/ownerReferences", "value": []}),
            json!({"op": "replace", "path": "/metadata", "value": {}}),
            json!({"op": "remove", "path": ""}),
            json!({"op": "move", "from": "/metadata/ownerReferences/0", "path": "/spec/x"}),
            json!({"op": "copy", "from": "/spec/x", "path": "/metadata/ownerReferences/0"}),
        ] {
            let refused = checked(&json!([operation]));
            assert!(matches!(refused, Err(Unusable::ChangesOwner(_))), "{operation}: {refused:?}");
        }
        for operation in [
            json!({"op": "test", "path": "/metadata/ownerReferences/0/uid", "value": "o"}),
            json!({"op": "copy", "from": "/metadata/ownerReferences/0/uid", "path": "/metadata/labels/a"}),
            json!({"op": "remove", "path": "/metadata/ownerReferencesX"}),
        ] {
            assert!(checked(&json!([operation])).is_ok(), "{operation}");
        }
    }

    #[test]
    fn what_is_no_json_patch_is_refused() {
        for patch in [json!({}), json!([{"op": "add"}]), json!([1])] {
            assert!(matches!(checked(&patch), Err(Unusable::Malformed(_))), "{patch}");
        }
        assert!(matches!(with_uid_test("[", "U", true), Err(Unusable::Malformed(_))));
    }
}
