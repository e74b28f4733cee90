//! The Kubewarden policy in a waPC host: it decides as the component does, and policy servers can
//! load it.

mod decisions;
mod lookups;
mod module;
mod requests;

use orascache_tests::KUBEWARDEN;
use orascache_tests::policy::{Cluster, Policy, compile};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use wasmtime::Module;

static MODULE: LazyLock<Module> = LazyLock::new(|| compile(KUBEWARDEN).expect("a core module"));

const PREFIX: &str = "oras.converged-computing.github.io/";

fn policy(cluster: &Arc<Cluster>) -> Policy {
    Policy::start(&MODULE, cluster).expect("a policy that starts")
}

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// An AdmissionRequest as the API server makes it.
fn request(object: &Value, old: &Value) -> Value {
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    json!({
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": group, "version": version, "kind": object["kind"]},
        "resource": {"group": group, "version": version, "resource": "of no importance"},
        "namespace": "lab", "name": object["metadata"]["name"],
        "operation": if old.is_null() { "CREATE" } else { "UPDATE" },
        "userInfo": {"username": "user"}, "object": object, "oldObject": old, "dryRun": false,
    })
}

fn pod(cache: &str, more: &[(&str, &str)]) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "step", "annotations": {format!("{PREFIX}oras-cache"): cache, format!("{PREFIX}input-uri"): "a:1"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "app", "image": "busybox", "command": ["id"], "workingDir": "/data"}]},
    });
    for (name, value) in more {
        pod["metadata"]["annotations"][format!("{PREFIX}{name}")] = json!(value);
    }
    pod
}
