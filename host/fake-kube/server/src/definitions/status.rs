//! The status of a CustomResourceDefinition: accepted names, stored versions and conditions.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::catalogue::Catalogue;

/// Keeps a definition until its objects are deleted (`apiextensions.InstanceDeletionFinalizer`).
pub const CLEANUP_FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Adds the condition `Terminating` to a definition that is being deleted. `now` is RFC 3339.
pub fn mark_terminating(definition: &mut Value, now: &str) {
    set_condition(
        definition,
        "Terminating",
        "True",
        "InstanceDeletionPending",
        "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
        now,
    );
}

/// Whether the names of a definition were accepted, so that its kinds can be served.
pub fn is_established(definition: &Value) -> bool {
    let status = condition(definition, "Established").and_then(|found| found.get("status"));
    status.and_then(Value::as_str) == Some("True")
}

/// The definition with accepted names, stored versions and conditions. `now` is RFC 3339.
pub fn settled(catalogue: &Catalogue, name: &str, definition: &Value, now: &str) -> Value {
    let mut settled = definition.clone();
    if !settled.get("status").is_some_and(Value::is_object)
        && let Some(map) = settled.as_object_mut()
    {
        map.insert("status".into(), json!({}));
    }
    match conflict(catalogue, name, definition) {
        Some(message) => {
            set_condition(&mut settled, "NamesAccepted", "False", "NameConflict", &message, now);
            let why = "not all names are accepted";
            set_condition(&mut settled, "Established", "False", "NotAccepted", why, now);
        }
        None => {
            let fine = "no conflicts found";
            set_condition(&mut settled, "NamesAccepted", "True", "NoConflicts", fine, now);
            let accepted = "the initial names have been accepted";
            set_condition(&mut settled, "Established", "True", "InitialNamesAccepted", accepted, now);
            let names = definition.pointer("/spec/names").cloned().unwrap_or_default();
            if let Some(status) = settled.get_mut("status").and_then(Value::as_object_mut) {
                status.insert("acceptedNames".into(), names);
            }
        }
    }
    add_stored_version(definition, &mut settled);
    settled
}

fn condition<'a>(definition: &'a Value, type_: &str) -> Option<&'a Value> {
    let conditions = definition.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|condition| condition.get("type").and_then(Value::as_str) == Some(type_))
}

/// Sets a condition, unless it has that status already: then its transition time stays.
fn set_condition(definition: &mut Value, type_: &str, status: &str, reason: &str, message: &str, now: &str) {
    let present = condition(definition, type_).and_then(|found| found.get("status"));
    if present.and_then(Value::as_str) == Some(status) {
        return;
    }
    let entry = json!({
        "type": type_, "status": status, "lastTransitionTime": now, "reason": reason, "message": message,
    });
    let Some(status) = definition.get_mut("status").and_then(Value::as_object_mut) else { return };
    let conditions = status.entry("conditions").or_insert_with(|| json!([]));
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let Some(conditions) = conditions.as_array_mut() else { return };
    conditions.retain(|condition| condition.get("type").and_then(Value::as_str) != Some(type_));
    conditions.push(entry);
}

/// Adds the storage version to `status.storedVersions`, which lists every version that was ever
/// stored.
fn add_stored_version(definition: &Value, settled: &mut Value) {
    let versions = definition.pointer("/spec/versions").and_then(Value::as_array);
    let stored = versions.map(Vec::as_slice).unwrap_or_default().iter().find_map(|version| {
        (version.get("storage").and_then(Value::as_bool) == Some(true))
            .then(|| version.get("name").cloned())?
    });
    let Some(status) = settled.get_mut("status").and_then(Value::as_object_mut) else { return };
    let list = status.entry("storedVersions").or_insert_with(|| json!([]));
    if let (Some(stored), Some(list)) = (stored, list.as_array_mut())
        && !list.contains(&stored)
    {
        list.push(stored);
    }
}

/// What to say when another definition of the group has taken the kind.
fn conflict(catalogue: &Catalogue, name: &str, definition: &Value) -> Option<String> {
    let text = |pointer: &str| definition.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (group, kind) = (text("/spec/group"), text("/spec/names/kind"));
    let own = catalogue.custom(name);
    let taken = catalogue.kinds().any(|other| {
        other.group == group && other.kind == kind && !own.iter().any(|mine| Arc::ptr_eq(mine, other))
    });
    taken.then(|| format!("{kind:?} is already in use"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{is_established, settled};
    use crate::catalogue::{Catalogue, kinds_of};

    #[test]
    fn a_kind_that_is_taken_is_not_accepted() {
        let definition = json!({"spec": {
            "group": "lab.example.com", "names": {"kind": "Cache", "plural": "caches"}, "scope": "Namespaced",
            "versions": [{"name": "v1", "served": true, "storage": true}],
        }});
        let mut catalogue = Catalogue::default();
        let first = settled(&catalogue, "first", &definition, "2026-01-01T00:00:00Z");
        assert!(is_established(&first));
        assert_eq!(first["status"]["storedVersions"], json!(["v1"]));
        catalogue.set_custom("first", kinds_of(&definition).unwrap());
        assert!(is_established(&settled(&catalogue, "first", &definition, "2026-01-01T00:00:00Z")));
        let second = settled(&catalogue, "second", &definition, "2026-01-01T00:00:00Z");
        assert!(!is_established(&second));
        assert_eq!(second["status"]["conditions"][0]["message"], "\"Cache\" is already in use");
    }
}
