//! The primary as the controller of what its plan applies.

use crate::object::Key;
use orascache_contract::Kind;
use serde_json::{Value, json};

/// Makes the primary the controller of an object that names none.
///
/// # Errors
/// With the rest of a sentence about the object, when it names another controller.
pub(crate) fn set_controller(
    object: &mut Value,
    kind: &Kind,
    primary: &Key,
    uid: &str,
) -> Result<(), String> {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
        return Err("has no metadata".to_owned());
    };
    let references = metadata.entry("ownerReferences").or_insert_with(|| json!([]));
    let Some(references) = references.as_array_mut() else {
        return Err("has ownerReferences that are no list".to_owned());
    };
    let is = |reference: &Value, member: &str, text: &str| {
        reference.get(member).and_then(Value::as_str) == Some(text)
    };
    let controllers =
        references.iter().filter(|reference| reference.get("controller") == Some(&Value::Bool(true)));
    let mut is_set = false;
    for reference in controllers {
        let is_primary = is(reference, "uid", uid)
            && is(reference, "name", &primary.name)
            && is(reference, "kind", &kind.kind)
            && is(reference, "apiVersion", &kind.api_version);
        if !is_primary {
            return Err(format!(
                "names another controller than {} {primary} in ownerReferences: leave that entry out, the \
                 host adds the right one",
                kind.kind
            ));
        }
        is_set = true;
    }
    if !is_set {
        // The API server refuses two entries with one UID.
        references.retain(|reference| !is(reference, "uid", uid));
        references.push(json!({
            "apiVersion": kind.api_version, "kind": kind.kind, "name": primary.name, "uid": uid,
            "controller": true, "blockOwnerDeletion": true,
        }));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::set_controller;
    use crate::object::Key;
    use crate::testing::kind;
    use serde_json::{Value, json};

    fn set(references: Value) -> Result<Value, String> {
        let mut object = json!({"metadata": {"ownerReferences": references}});
        set_controller(&mut object, &kind("P"), &Key::new("n", "p"), "U")?;
        Ok(object["metadata"]["ownerReferences"].take())
    }

    fn ours() -> Value {
        json!({
            "apiVersion": "v1", "kind": "P", "name": "p", "uid": "U", "controller": true,
            "blockOwnerDeletion": true,
        })
    }

    #[test]
    fn a_missing_controller_is_added_and_other_owners_stay() {
        let other = json!({"apiVersion": "v1", "kind": "Q", "name": "q", "uid": "Q"});
        assert_eq!(set(json!([other.clone()])), Ok(json!([other, ours()])));
        let mut weaker = ours();
        weaker["controller"] = json!(false);
        assert_eq!(set(json!([weaker])), Ok(json!([ours()])));
        let mut object = json!({"metadata": {}});
        set_controller(&mut object, &kind("P"), &Key::new("n", "p"), "U").expect("an owner");
        assert_eq!(object["metadata"]["ownerReferences"], json!([ours()]));
    }

    #[test]
    fn the_primary_as_it_was_named_stays() {
        let mut named = ours();
        named["blockOwnerDeletion"] = json!(false);
        assert_eq!(set(json!([named.clone()])), Ok(json!([named])));
    }

    #[test]
    fn another_controller_is_refused() {
        for (member, value) in [("uid", "V"), ("name", "q"), ("kind", "Q"), ("apiVersion", "v2")] {
            let mut other = ours();
            other[member] = json!(value);
            assert!(set(json!([other])).is_err(), "{member}");
        }
        assert!(set(json!({})).is_err());
    }
}
