//! Requests as the API server sends them, and what their answers mean for the object.

use super::makers::NO_UID;
use orascache_contract::{Needs, Response};
use serde_json::{Value, json};

/// The AdmissionReview about the creation of an object that has apiVersion and kind.
pub(super) fn creation(object: &Value, namespace: &str) -> Value {
    let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    let api_version = text("apiVersion");
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let object = in_namespace(object.clone(), namespace);
    let metadata = |name: &str| object.pointer(&format!("/metadata/{name}")).cloned().unwrap_or_default();
    let name = match metadata("name") {
        Value::Null => metadata("generateName"),
        name => name,
    };
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": NO_UID,
            "kind": {"group": group, "version": version, "kind": text("kind")},
            "name": name,
            "namespace": metadata("namespace"),
            "operation": "CREATE",
            "userInfo": {},
            "dryRun": true,
            "object": object,
        },
    })
}

/// The object, in that namespace if it names none.
pub(super) fn in_namespace(mut object: Value, namespace: &str) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.entry("namespace").or_insert_with(|| json!(namespace));
    }
    object
}

/// The patch of a response, and the object after it.
pub(super) fn patched(object: &Value, response: &Response) -> anyhow::Result<(Option<Value>, Value)> {
    let mut object = object.clone();
    let Some(text) = response.patch() else { return Ok((None, object)) };
    let patch: json_patch::Patch = serde_json::from_str(text)?;
    json_patch::patch(&mut object, &patch)?;
    Ok((Some(serde_json::from_str(text)?), object))
}

/// Names the objects that a review needs and that cannot be read without a cluster.
pub(super) fn missing(needs: &Needs) -> String {
    let objects = needs.objects.iter().map(|wanted| match &wanted.namespace {
        Some(namespace) => format!("{} {} of namespace {namespace}", wanted.kind.kind, wanted.name),
        None => format!("{} {}", wanted.kind.kind, wanted.name),
    });
    let objects: Vec<String> = objects.collect();
    if objects.is_empty() {
        return "this depends on artifacts in registries, which this command does not look into: give --context FILE to review without them".to_owned();
    }
    format!(
        "this depends on {}, which is not known here: give it with --context FILE, and an empty FILE if there is none",
        objects.join(", ")
    )
}
