//! Pods that ask for a step, for tests, and copies of such pods after they were rewritten.

use crate::reviewing;
use orascache_contract::{Context, Response};
use orascache_core::admission;
use serde_json::{Value, json};

/// Prefix of step annotations.
pub const PREFIX: &str = "oras.converged-computing.github.io/";

/// A pod with these step annotations, and with inputs and output.
pub fn pod(annotations: &[(&str, &str)]) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "step", "annotations": {}},
        "spec": {"restartPolicy": "Never", "containers": [
            {"name": "app", "image": "busybox", "command": ["sh"], "workingDir": "/data"},
        ]},
    });
    let usual = [
        ("oras-cache", "shared"),
        ("input-uri", "in:1"),
        ("output-uri", "out:1"),
        ("output-path", "/data/x"),
    ];
    for (name, value) in usual.iter().chain(annotations) {
        pod["metadata"]["annotations"][format!("{PREFIX}{name}")] = json!(value);
    }
    pod
}

pub fn review(object: &Value, settings: &str) -> Response {
    let context = Context {
        objects: vec![reviewing::cache("shared")],
        complete: true,
        settings: settings.to_owned(),
        ..Context::default()
    };
    reviewing::decided(admission::review(&reviewing::wrap(object, None), &context).expect("a review"))
}

pub fn refusal(object: &Value, settings: &str) -> String {
    review(object, settings).refusal().map(|refusal| refusal.message.clone()).unwrap_or_default()
}

/// A rewritten pod, as a copy of it would be created.
pub fn copy(annotations: &[(&str, &str)]) -> Value {
    let pod = pod(annotations);
    let response = review(&pod, "");
    assert!(response.patch().is_some(), "{response:?}");
    reviewing::patched(&pod, &response)
}

pub fn with_credentials() -> Value {
    copy(&[("registry", "ghcr.io"), ("oras-env", "mine")])
}
