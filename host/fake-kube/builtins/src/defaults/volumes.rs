//! Defaults of volumes, claims and persistent volumes.

use serde_json::{Value, json};

use super::image::pull_policy;
use crate::json::{Fields, ensure, existing, items, set_default};

/// A file mode of 0644.
const DEFAULT_MODE: i64 = 420;

/// One entry of a pod's `volumes`.
pub(super) fn pod_volume(volume: &mut Value) {
    let has_source = volume
        .as_object()
        .is_some_and(|map| map.iter().any(|(key, value)| key != "name" && !value.is_null()));
    if !has_source {
        set_default(volume, "emptyDir", json!({}));
    }
    for source in ["configMap", "secret", "downwardAPI", "projected"] {
        if let Some(source) = existing(volume, &[source]) {
            set_default(source, "defaultMode", DEFAULT_MODE);
        }
    }
    if let Some(source) = existing(volume, &["downwardAPI"]) {
        downward_files(source);
    }
    if let Some(projected) = existing(volume, &["projected"]) {
        for source in items(projected, "sources") {
            if let Some(token) = existing(source, &["serviceAccountToken"]) {
                set_default(token, "expirationSeconds", 3600);
            }
            if let Some(source) = existing(source, &["downwardAPI"]) {
                downward_files(source);
            }
        }
    }
    if let Some(path) = existing(volume, &["hostPath"]) {
        set_default(path, "type", "");
    }
    if let Some(image) = existing(volume, &["image"]) {
        let policy = pull_policy(image.text("reference"));
        set_default(image, "pullPolicy", policy);
    }
    if let Some(spec) = existing(volume, &["ephemeral", "volumeClaimTemplate", "spec"]) {
        set_default(spec, "volumeMode", "Filesystem");
        set_default(spec, "resources", json!({}));
    }
}

fn downward_files(source: &mut Value) {
    for item in items(source, "items") {
        references(item);
    }
}

/// Defaults in the field and resource references of environment variables and downward API files.
pub(super) fn references(owner: &mut Value) {
    if let Some(field) = existing(owner, &["fieldRef"]) {
        set_default(field, "apiVersion", "v1");
    }
    if let Some(resource) = existing(owner, &["resourceFieldRef"]) {
        set_default(resource, "divisor", "0");
    }
}

/// A claim, or a claim template of a stateful set.
pub(super) fn claim(object: &mut Value) {
    if let Some(spec) = ensure(object, "spec") {
        set_default(spec, "volumeMode", "Filesystem");
        set_default(spec, "resources", json!({}));
    }
    if let Some(status) = ensure(object, "status") {
        set_default(status, "phase", "Pending");
    }
}

/// A persistent volume.
pub(super) fn volume_resource(object: &mut Value) {
    if let Some(spec) = ensure(object, "spec") {
        set_default(spec, "persistentVolumeReclaimPolicy", "Retain");
        set_default(spec, "volumeMode", "Filesystem");
        if let Some(path) = existing(spec, &["hostPath"]) {
            set_default(path, "type", "");
        }
    }
    if let Some(status) = ensure(object, "status") {
        set_default(status, "phase", "Pending");
    }
}
