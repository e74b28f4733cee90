//! The objects that a migration makes.

use crate::copy::Copy;
use crate::names::{self, FROM_POD, HOLDS, TO_POD};
use crate::observed::{Observed, ReadyPod};
use orascache_api::names::{API_VERSION, HTTP_SECRET_KEY, KIND};
use orascache_api::steps::AGENT_PROGRAM;
use serde_json::{Map, Value, json};

/// Fields of the spec that a holding cache has in common with the cache: where its pod can run, and
/// what its storage is.
const SHARED: [&str; 11] = [
    "image",
    "flavor",
    "imagePullPolicy",
    "imagePullSecrets",
    "nodeSelector",
    "tolerations",
    "affinity",
    "resources",
    "networkPolicy",
    "priorityClassName",
    "serviceAccountName",
];
/// Fields of a new volume claim.
const CLAIM: [&str; 3] = ["size", "storageClassName", "accessModes"];
/// User and group of the copies: `nonroot` of distroless images.
const NON_ROOT_ID: i64 = 65_532;

/// An owner that does not control: what has it is deleted with it, and is no child.
fn owner(cache: &Value) -> Value {
    let text = |path: &str| cache.pointer(path).cloned().unwrap_or_default();
    json!([{
        "apiVersion": API_VERSION, "kind": KIND,
        "name": text("/metadata/name"), "uid": text("/metadata/uid"),
    }])
}

/// The cache that holds the artifacts meanwhile. It keeps them as safely as the cache will: on a
/// volume of its own where the cache has one.
pub(crate) fn holding(observed: &Observed) -> Value {
    let mut spec = Map::new();
    for field in SHARED {
        if let Some(value) = observed.spec(field) {
            spec.insert(field.to_owned(), value.clone());
        }
    }
    if let Some(storage) = observed.spec("storage").filter(|storage| storage.get("size").is_some()) {
        let claim =
            CLAIM.iter().filter_map(|field| Some(((*field).to_owned(), storage.get(*field)?.clone())));
        spec.insert("storage".to_owned(), Value::Object(claim.collect()));
    }
    json!({
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": names::holding(observed.name()),
            "namespace": observed.namespace(),
            "annotations": {HOLDS: observed.name()},
            "ownerReferences": owner(&observed.cache),
        },
        "spec": spec,
    })
}

/// The Job of a copy. It belongs to the holding cache, with which it is deleted, and satisfies Pod
/// Security `restricted`. The pods are named by their addresses, so that a copy cannot reach another
/// one that took a name.
pub(crate) fn job(
    observed: &Observed,
    holding: &Value,
    copy: Copy,
    from: ReadyPod<'_>,
    to: ReadyPod<'_>,
    image: &str,
) -> Value {
    let arguments =
        json!([AGENT_PROGRAM, "copy", "--all-tags", "--referrers", "--patience=600", from.url(), to.url(),]);
    let small = json!({"requests": {"cpu": "50m", "memory": "64Mi"}});
    let container = json!({
        "name": "agent",
        "image": image,
        "command": arguments,
        "resources": observed.spec("taskResources").filter(|value| **value != json!({})).unwrap_or(&small),
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": true,
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
    });
    let mut pod = json!({
        "automountServiceAccountToken": false,
        "containers": [container],
        "enableServiceLinks": false,
        "restartPolicy": "Never",
        "securityContext": {
            "runAsNonRoot": true, "runAsUser": NON_ROOT_ID, "runAsGroup": NON_ROOT_ID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    });
    for field in ["imagePullSecrets", "nodeSelector", "tolerations"] {
        if let (Some(value), Some(pod)) = (observed.spec(field), pod.as_object_mut()) {
            pod.insert(field.to_owned(), value.clone());
        }
    }
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": copy.job(&names::holding(observed.name())),
            "namespace": observed.namespace(),
            "annotations": {HOLDS: observed.name(), FROM_POD: from.uid, TO_POD: to.uid},
            "ownerReferences": owner(holding),
        },
        "spec": {"backoffLimit": 2, "template": {"spec": pod}},
    })
}

/// The Secret with the HTTP secret. It is deleted with the cache.
pub(crate) fn http_secret(observed: &Observed, value: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": names::http_secret(observed.name()),
            "namespace": observed.namespace(),
            "ownerReferences": owner(&observed.cache),
        },
        "type": "Opaque",
        "stringData": {HTTP_SECRET_KEY: value},
    })
}
