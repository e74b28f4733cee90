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

use crate::managed_fields::has_manager;
use crate::object::Key;
use crate::owner::controlling;
use crate::text::{ObjectText, member, members, string};
use orascache_contract::Kind;

/// Checks that both sides consent. `live` is the whole object, with managedFields.
///
/// # Errors
/// With the rest of a sentence about the live object.
pub(crate) fn check(
    live: &ObjectText<impl AsRef<str>>,
    planned: &ObjectText<impl AsRef<str>>,
    primary_kind: &Kind,
    primary: &Key,
    field_manager: &str,
) -> Result<(), String> {
    if let Some(owner) = controlling(live.metadata("ownerReferences")) {
        return Err(format!("is controlled by {} {}", owner.kind, owner.name));
    }
    if live.metadata("deletionTimestamp").is_some() {
        return Err("is controlled by nothing and is being deleted".to_owned());
    }
    let Some(key) = offered(planned, primary_kind.group(), &primary.name) else {
        return Err(format!("exists and is not controlled by {} {primary}", primary_kind.kind));
    };
    match live.metadata("annotations").and_then(|annotations| member(annotations, &key)) {
        Some(name) if is(name, &primary.name) => Ok(()),
        Some(name) => Err(format!("has the annotation {key}: {name}, which names another object")),
        None if live.metadata("managedFields").is_some_and(|entries| has_manager(entries, field_manager)) => {
            Ok(())
        }
        None => Err(format!("is controlled by nothing and has no annotation {key}: {}", primary.name)),
    }
}

/// The key of the annotation by which a planned object consents to being taken over.
fn offered(planned: &ObjectText<impl AsRef<str>>, group: &str, name: &str) -> Option<String> {
    let annotations = members(planned.metadata("annotations")?).into_iter();
    let mut consents = annotations.filter(|(_, value)| is(value, name)).map(|(key, _)| key.text());
    consents
        .find(|key| key.split_once('/').is_some_and(|(prefix, _)| prefix == group))
        .map(|key| key.into_owned())
}

/// Whether a value is that string.
fn is(value: &str, text: &str) -> bool {
    string(value).is_some_and(|found| found == text)
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::object::Key;
    use crate::text::ObjectText;
    use orascache_contract::Kind;
    use serde_json::{Value, json};

    const CONSENT: &str = "example.org/widget";

    fn check_metadata(live: Value, planned: Value) -> Result<(), String> {
        let kind = Kind::namespaced("example.org/v1", "Widget", "widgets");
        let object = |metadata: Value| ObjectText::new(json!({"metadata": metadata}).to_string());
        check(&object(live), &object(planned), &kind, &Key::new("n", "w"), "us")
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
