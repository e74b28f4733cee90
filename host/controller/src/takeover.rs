//! Takes fields of a creation over into our applies.
//!
//! A child is created by a POST, which costs one request. The API server counts its fields as
//! updated, and not as applied: a later apply could add and change fields, but it would not remove
//! one that the plan does not have any more. So before the first apply, our entries of managedFields
//! are rewritten into one entry of an apply. client-go does the same for objects that `kubectl
//! apply` made before server-side apply existed (k8s.io/client-go/util/csaupgrade).

use serde_json::{Map, Value, json};

/// A JSON Patch that makes all our fields applied ones; `None` when they are already, or when the
/// object has no managedFields or resourceVersion. It fails with a conflict when the object changed.
pub(crate) fn patch(live: &Value, field_manager: &str) -> Option<Value> {
    let metadata = live.get("metadata")?;
    let managed = metadata.get("managedFields")?.as_array()?;
    let (created, mut kept): (Vec<&Value>, Vec<&Value>) =
        managed.iter().partition(|entry| is_created(entry, field_manager));
    let (last, others) = created.split_last()?;
    let applied = kept.iter().position(|entry| is_ours(entry, field_manager, "Apply"));
    let mut ours = match applied {
        Some(index) => kept.remove(index).clone(),
        None => (*last).clone(),
    };
    let added = if applied.is_some() { created.as_slice() } else { others };
    for entry in added {
        if let (Some(to), Some(from)) = (fields_mut(&mut ours), fields(entry)) {
            unite(to, from);
        }
    }
    ours.as_object_mut()?.insert("operation".to_owned(), "Apply".into());
    let mut entries: Vec<Value> = kept.into_iter().cloned().collect();
    entries.push(ours);
    Some(json!([
        {"op": "replace", "path": "/metadata/managedFields", "value": entries},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": metadata.get("resourceVersion")?},
    ]))
}

fn is_created(entry: &Value, field_manager: &str) -> bool {
    is_ours(entry, field_manager, "Update")
}

fn is_ours(entry: &Value, field_manager: &str, operation: &str) -> bool {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    text("manager") == field_manager && text("operation") == operation && text("subresource").is_empty()
}

fn fields(entry: &Value) -> Option<&Map<String, Value>> {
    entry.get("fieldsV1")?.as_object()
}

fn fields_mut(entry: &mut Value) -> Option<&mut Map<String, Value>> {
    entry.get_mut("fieldsV1")?.as_object_mut()
}

/// The union of two sets of fields.
fn unite(to: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (name, below) in from {
        match (to.get_mut(name).and_then(Value::as_object_mut), below.as_object()) {
            (Some(to), Some(below)) => unite(to, below),
            _ => {
                to.insert(name.clone(), below.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::patch;
    use serde_json::{Value, json};

    fn entry(manager: &str, operation: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": operation, "fieldsV1": fields})
    }

    fn live(entries: &[Value]) -> Value {
        json!({"metadata": {"resourceVersion": "7", "managedFields": entries}})
    }

    #[test]
    fn fields_of_a_creation_become_applied_ones() {
        let theirs = entry("kubectl-edit", "Update", json!({"f:spec": {}}));
        let ours = |operation: &str| entry("us", operation, json!({"f:data": {"f:a": {}}}));
        let found = live(&[ours("Update"), theirs.clone()]);
        let patched = patch(&found, "us").expect("a patch");
        assert_eq!(patched[0]["value"], json!([theirs, ours("Apply")]));
        assert_eq!(patched[1]["value"], "7");
    }

    #[test]
    fn fields_of_a_creation_are_united_with_applied_ones() {
        let found = live(&[
            entry("us", "Update", json!({"f:data": {"f:a": {}, "f:b": {".": {}, "f:c": {}}}})),
            entry("us", "Apply", json!({"f:data": {"f:b": {"f:d": {}}}, "f:spec": {}})),
        ]);
        let united = json!({"f:data": {"f:a": {}, "f:b": {".": {}, "f:c": {}, "f:d": {}}}, "f:spec": {}});
        assert_eq!(patch(&found, "us").expect("a patch")[0]["value"], json!([entry("us", "Apply", united)]));
    }

    #[test]
    fn applied_fields_and_those_of_others_and_of_a_status_need_no_takeover() {
        let mut status = entry("us", "Update", json!({"f:status": {}}));
        status["subresource"] = "status".into();
        let found = live(&[entry("us", "Apply", json!({})), entry("kubectl", "Update", json!({})), status]);
        assert_eq!(patch(&found, "us"), None);
        assert_eq!(patch(&json!({}), "us"), None);
    }
}
