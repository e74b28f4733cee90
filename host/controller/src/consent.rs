//! Whether an object that nothing controls may become a child, as a pure function.
//!
//! The operator never adopts an object without consent. Both sides have to agree:
//!
//! - The planned object carries an annotation under the primary's group whose value is the primary's
//!   name. So a guest says, object by object, that it may be taken over.
//! - The live object has no controller. It carries the same annotation, which whoever made it put
//!   there; or our field manager set fields of it, so that we made it and somebody removed its owner
//!   reference.
//!
//! Annotations and managedFields can be written by everybody who may write the object. Such a person
//! can put anything into it anyway.

use crate::decoded::{controlling, has_manager};
use crate::object::Key;
use orascache_contract::Kind;
use serde_json::Value;

/// Checks that both sides consent. `live` is the whole object, with managedFields.
///
/// # Errors
/// With the rest of a sentence about the live object.
pub(crate) fn check(
    live: &Value,
    planned: &Value,
    primary_kind: &Kind,
    primary: &Key,
    field_manager: &str,
) -> Result<(), String> {
    let metadata = live.get("metadata");
    let member = |name: &str| metadata.and_then(|metadata| metadata.get(name));
    if let Some(owner) = controlling(member("ownerReferences")) {
        let text = |name: &str| owner.get(name).and_then(Value::as_str).unwrap_or_default();
        return Err(format!("is controlled by {} {}", text("kind"), text("name")));
    }
    if member("deletionTimestamp").is_some() {
        return Err("is controlled by nothing and is being deleted".to_owned());
    }
    let Some(key) = offered(planned, primary_kind.group(), &primary.name) else {
        return Err(format!("exists and is not controlled by {} {primary}", primary_kind.kind));
    };
    match member("annotations").and_then(|annotations| annotations.get(key)) {
        Some(name) if *name == *primary.name => Ok(()),
        Some(name) => Err(format!("has the annotation {key}: {name}, which names another object")),
        None if member("managedFields").is_some_and(|entries| has_manager(entries, field_manager)) => Ok(()),
        None => Err(format!("is controlled by nothing and has no annotation {key}: {}", primary.name)),
    }
}

/// The key of the annotation by which a planned object consents to being taken over.
fn offered<'p>(planned: &'p Value, group: &str, name: &str) -> Option<&'p str> {
    let annotations = planned.get("metadata")?.get("annotations")?.as_object()?;
    let is_consent = |key: &str| key.split_once('/').is_some_and(|(prefix, _)| prefix == group);
    let mut entries = annotations.iter();
    entries.find(|(key, value)| is_consent(key) && **value == *name).map(|(key, _)| key.as_str())
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::object::Key;
    use orascache_contract::Kind;
    use serde_json::{Value, json};

    const CONSENT: &str = "example.org/widget";

    fn check_metadata(live: Value, planned: Value) -> Result<(), String> {
        let kind = Kind::namespaced("example.org/v1", "Widget", "widgets");
        check(&json!({"metadata": live}), &json!({"metadata": planned}), &kind, &Key::new("n", "w"), "us")
    }

    fn consents() -> Value {
        json!({"annotations": {"other.org/x": "w", CONSENT: "w"}})
    }

    fn written_by(manager: &str, subresource: &str) -> Value {
        json!({"managedFields": [{"manager": manager, "operation": "Apply", "subresource": subresource}]})
    }

    #[test]
    fn the_same_annotation_on_both_sides_is_consent() {
        assert_eq!(check_metadata(consents(), consents()), Ok(()));
        for (live, planned, says) in [
            (consents(), json!({}), "is not controlled by Widget n/w"),
            (json!({}), consents(), "no annotation example.org/widget: w"),
            (json!({"annotations": {CONSENT: "v"}}), consents(), "names another object"),
            // The value is not the primary's name, or the key is not under its group.
            (
                json!({"annotations": {CONSENT: "v"}}),
                json!({"annotations": {CONSENT: "v"}}),
                "not controlled",
            ),
            (
                json!({"annotations": {"a.org/w": "w"}}),
                json!({"annotations": {"a.org/w": "w"}}),
                "not controlled",
            ),
            (json!({"annotations": {"w": "w"}}), json!({"annotations": {"w": "w"}}), "not controlled"),
        ] {
            let refused = check_metadata(live, planned).expect_err(says);
            assert!(refused.contains(says), "{refused}");
        }
    }

    #[test]
    fn what_our_field_manager_wrote_is_ours_where_the_plan_consents() {
        assert_eq!(check_metadata(written_by("us", ""), consents()), Ok(()));
        for (live, planned) in [
            (written_by("us", ""), json!({})),
            (written_by("kubectl", ""), consents()),
            (written_by("us", "status"), consents()),
        ] {
            assert!(check_metadata(live.clone(), planned).is_err(), "{live}");
        }
        // An annotation that names another primary counts more.
        let mut live = written_by("us", "");
        live["annotations"] = json!({CONSENT: "v"});
        assert!(check_metadata(live, consents()).is_err());
    }

    #[test]
    fn an_object_that_something_controls_is_never_taken() {
        let mut live = consents();
        live["ownerReferences"] = json!([{"kind": "Job", "name": "j", "controller": true}]);
        assert_eq!(check_metadata(live.clone(), consents()), Err("is controlled by Job j".to_owned()));
        live["ownerReferences"][0]["controller"] = json!(false);
        assert_eq!(check_metadata(live.clone(), consents()), Ok(()));
        live["deletionTimestamp"] = json!("2026-11-24T12:00:00Z");
        assert!(check_metadata(live, consents()).is_err());
    }
}
