//! The fields of `metadata` that the server sets.

use fake_kube_apimachinery::status::{ApiError, Cause};
use serde_json::{Map, Value};

use super::Write;
use crate::identity;

/// Server-owned fields that an update cannot change.
const KEPT: [&str; 7] = [
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
];

/// The metadata of an object. It is created when it is missing.
pub(super) fn of(object: &mut Value) -> Option<&mut Map<String, Value>> {
    let map = object.as_object_mut()?;
    let metadata = map.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    if !metadata.is_object() {
        *metadata = Value::Object(Map::new());
    }
    metadata.as_object_mut()
}

/// A text field of metadata; empty when it is missing.
pub(crate) fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object
        .get("metadata")
        .and_then(|metadata| metadata.get(field))
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn set(metadata: &mut Map<String, Value>, field: &str, value: &str) {
    metadata.insert(field.to_owned(), value.into());
}

/// Sets the namespace of the path, or refuses an object that names another one.
pub(super) fn settle_namespace(write: &Write, object: &mut Value) -> Result<(), ApiError> {
    let given = text(object, "namespace").to_owned();
    let Some(metadata) = of(object) else { return Ok(()) };
    match write.namespace.as_deref() {
        Some(namespace) if given.is_empty() || given == namespace => {
            set(metadata, "namespace", namespace);
            Ok(())
        }
        None if given.is_empty() => {
            metadata.remove("namespace");
            Ok(())
        }
        _ => Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        )),
    }
}

/// The name of a new object; generated when the object has `generateName` only.
pub(super) fn settle_name(write: &Write, object: &mut Value) -> Result<String, ApiError> {
    let name = text(object, "name").to_owned();
    if !name.is_empty() {
        return Ok(name);
    }
    let prefix = text(object, "generateName").to_owned();
    if prefix.is_empty() {
        let cause = Cause::required("metadata.name", "name or generateName is required");
        return Err(ApiError::invalid(write.kind.kind_name(), "", &[cause]));
    }
    let name = identity::generate_name(&prefix);
    if let Some(metadata) = of(object) {
        set(metadata, "name", &name);
    }
    Ok(name)
}

/// Removes the fields that only the server may set on a new object.
pub(super) fn remove_server_fields(object: &mut Value) {
    let Some(metadata) = of(object) else { return };
    for field in [
        "uid",
        "creationTimestamp",
        "resourceVersion",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "generation",
    ] {
        metadata.remove(field);
    }
}

/// Sets UID, creation time and generation of a new object.
pub(super) fn set_server_fields(write: &Write, object: &mut Value, has_generation: bool) {
    remove_server_fields(object);
    let Some(metadata) = of(object) else { return };
    set(metadata, "uid", &identity::new_uid());
    set(metadata, "creationTimestamp", &write.now);
    if has_generation {
        metadata.insert("generation".into(), 1.into());
    }
}

/// Drops empty fields, which Go does not write.
pub(super) fn normalise(object: &mut Value) {
    let Some(metadata) = of(object) else { return };
    metadata.remove("selfLink");
    for field in ["labels", "annotations"] {
        if let Some(Value::Object(entries)) = metadata.get_mut(field) {
            // Go decodes a null into an empty string.
            entries.values_mut().filter(|value| value.is_null()).for_each(|value| *value = "".into());
        }
    }
    metadata.retain(|_, value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
        _ => true,
    });
}

/// Copies the fields that an update cannot change from the old object.
pub(super) fn carry_over(old: &Value, new: &mut Value) {
    let old = old.get("metadata");
    let Some(metadata) = of(new) else { return };
    for field in KEPT {
        match old.and_then(|old| old.get(field)) {
            Some(value) => metadata.insert(field.to_owned(), value.clone()),
            None => metadata.remove(field),
        };
    }
}

/// Refuses an update that names another object, or a resourceVersion that is not the stored one.
pub(super) fn check_identity(write: &Write, old: &Value, new: &Value) -> Result<(), ApiError> {
    let name = text(old, "name");
    let given = text(new, "name");
    if given != name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({name})"
        )));
    }
    let (uid, given) = (text(old, "uid"), text(new, "uid"));
    if !given.is_empty() && given != uid {
        let why = format!("Precondition failed: UID in precondition: {given}, UID in object meta: {uid}");
        return Err(ApiError::conflict(write.kind.resource_name(), name, &why));
    }
    let version = text(new, "resourceVersion");
    if !version.is_empty() && version != text(old, "resourceVersion") {
        return Err(modified(write, name));
    }
    Ok(())
}

/// 409: the object was changed meanwhile.
pub(super) fn modified(write: &Write, name: &str) -> ApiError {
    ApiError::conflict(
        write.kind.resource_name(),
        name,
        "the object has been modified; please apply your changes to the latest version and try again",
    )
}

/// Refuses new finalizers on an object that is being deleted.
pub(super) fn check_finalizers(old: &Value, new: &Value) -> Vec<Cause> {
    if text(old, "deletionTimestamp").is_empty() {
        return Vec::new();
    }
    let before = finalizers(old);
    let added: Vec<String> = finalizers(new)
        .into_iter()
        .filter(|one| !before.contains(one))
        .map(|one| format!("{one:?}"))
        .collect();
    if added.is_empty() {
        return Vec::new();
    }
    let detail = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
        added.join(", ")
    );
    vec![Cause::forbidden("metadata.finalizers", &detail)]
}

/// The finalizers of an object.
pub(super) fn finalizers(object: &Value) -> Vec<&str> {
    let items = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    items.map(Vec::as_slice).unwrap_or_default().iter().filter_map(Value::as_str).collect()
}

/// Increases the generation by one.
pub(super) fn next_generation(object: &mut Value) {
    let Some(metadata) = of(object) else { return };
    let generation = metadata.get("generation").and_then(Value::as_i64).unwrap_or(0);
    metadata.insert("generation".into(), (generation + 1).into());
}

/// Sets managed fields as the request asks: a single empty entry resets them, no entry keeps the
/// old ones.
pub(super) fn settle_managed_fields(old: &Value, new: &mut Value, subresource: bool) {
    let before = old.pointer("/metadata/managedFields");
    let Some(metadata) = of(new) else { return };
    let given =
        metadata.get("managedFields").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let reset = matches!(given, [Value::Object(entry)] if entry.is_empty());
    if reset && !subresource {
        metadata.remove("managedFields");
    } else if given.is_empty() || reset || subresource {
        match before {
            Some(before) => metadata.insert("managedFields".into(), before.clone()),
            None => metadata.remove("managedFields"),
        };
    }
}

/// Whether two states are equal apart from the times of managed fields and the resourceVersion.
pub(super) fn same_apart_from_times(old: &Value, new: &Value) -> bool {
    fn without_times(object: &Value) -> Vec<Value> {
        let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
        let mut entries = entries.cloned().unwrap_or_default();
        for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
            entry.remove("time");
        }
        entries
    }
    let fields = |object: &Value| -> Map<String, Value> {
        let mut map = object.as_object().cloned().unwrap_or_default();
        if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
            metadata.remove("resourceVersion");
        }
        map
    };
    fields(old) == fields(new) && without_times(old) == without_times(new)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_of_managed_fields_are_not_compared() {
        let state = |time: &str, image: &str| json!({"metadata": {"name": "a", "resourceVersion": time, "managedFields": [{"manager": "m", "time": time}]}, "spec": {"image": image}});
        assert!(same_apart_from_times(&state("1", "i"), &state("2", "i")));
        assert!(!same_apart_from_times(&state("1", "i"), &state("1", "j")));
    }

    #[test]
    fn finalizers_cannot_be_added_while_deleting() {
        let old = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a/b"]}});
        let new = json!({"metadata": {"finalizers": ["a/b", "c/d"]}});
        assert_eq!(
            check_finalizers(&old, &new)[0].message,
            "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"c/d\"}"
        );
        assert!(check_finalizers(&new, &new).is_empty());
    }

    #[test]
    fn managed_fields_are_kept_unless_reset() {
        let old = json!({"metadata": {"managedFields": [{"manager": "m"}]}});
        let mut new = json!({"metadata": {}});
        settle_managed_fields(&old, &mut new, false);
        assert_eq!(new, old);
        let mut reset = json!({"metadata": {"managedFields": [{}]}});
        settle_managed_fields(&old, &mut reset, false);
        assert_eq!(reset, json!({"metadata": {}}));
    }
}
