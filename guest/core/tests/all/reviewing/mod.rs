//! Reviews for tests: objects wrapped as the API server wraps them, and patches applied.

use orascache_contract::{Outcome, Response};
use serde_json::{Value, json};

/// An AdmissionReview about an object.
pub fn wrap(object: &Value, old: Option<&Value>) -> String {
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": group, "version": version, "kind": object["kind"]},
            "namespace": "lab", "name": object["metadata"]["name"],
            "operation": if old.is_some() { "UPDATE" } else { "CREATE" },
            "userInfo": {"username": "user"},
            "object": object, "oldObject": old,
        },
    })
    .to_string()
}

/// A cache that has a registry.
pub fn cache(name: &str) -> String {
    json!({
        "apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache",
        "metadata": {"name": name, "namespace": "lab"}, "spec": {},
    })
    .to_string()
}

/// The response of a review that needs nothing more.
pub fn decided(outcome: Outcome) -> Response {
    match outcome {
        Outcome::Decided(response) => response,
        Outcome::Need(needs) => panic!("needs {needs:?}"),
    }
}

/// The object after the patch.
pub fn patched(object: &Value, response: &Response) -> Value {
    let mut object = object.clone();
    if let Some(patch) = response.patch() {
        let patch: json_patch::Patch = serde_json::from_str(patch).expect("a patch");
        json_patch::patch(&mut object, &patch).expect("a patch that applies");
    }
    object
}
