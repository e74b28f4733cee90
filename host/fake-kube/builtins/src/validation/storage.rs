//! Claims, persistent volumes and storage classes.

use std::cmp::Ordering;

use fake_kube_apimachinery::status::Cause;
use serde_json::Value;

use super::causes::{immutable, invalid, unsupported};
use super::{names, resources, selectors};
use crate::json::{Fields, copy, is_empty, set};

const MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

/// Validates the spec of a claim, or of a claim template.
pub(super) fn claim_spec(spec: &Value, path: &str, causes: &mut Vec<Cause>) {
    access_modes(spec, path, "at least 1 access mode is required", causes);
    selectors::label_selector(spec.at("selector"), &format!("{path}.selector"), causes);
    let size = spec.path(&["resources", "requests", "storage"]);
    let field = format!("{path}.resources[storage]");
    if size.is_null() {
        causes.push(Cause::required(field, ""));
    } else if resources::parse(size, &field, causes).is_some_and(|size| size.nanos() <= 0) {
        causes.push(invalid(field, &resources::text(size), "must be greater than zero"));
    }
    class_and_mode(spec, path, causes);
}

fn access_modes(spec: &Value, path: &str, missing: &str, causes: &mut Vec<Cause>) {
    let field = format!("{path}.accessModes");
    let modes: Vec<&str> = spec.list("accessModes").iter().filter_map(Value::as_str).collect();
    if modes.is_empty() {
        causes.push(Cause::required(field.clone(), missing));
    }
    for mode in modes.iter().filter(|mode| !MODES.contains(mode)) {
        causes.push(unsupported(field.clone(), mode, &MODES));
    }
    if modes.len() > 1 && modes.contains(&"ReadWriteOncePod") {
        causes.push(Cause::forbidden(field, "may not use ReadWriteOncePod with other access modes"));
    }
}

fn class_and_mode(spec: &Value, path: &str, causes: &mut Vec<Cause>) {
    let class = spec.text("storageClassName");
    if !class.is_empty() {
        let wrong = names::dns_subdomain(class);
        causes.extend(wrong.iter().map(|wrong| invalid(format!("{path}.storageClassName"), class, wrong)));
    }
    let mode = spec.text("volumeMode");
    if !matches!(mode, "" | "Block" | "Filesystem") {
        causes.push(unsupported(format!("{path}.volumeMode"), mode, &["Block", "Filesystem"]));
    }
}

/// A bound claim may grow and change its attributes class, an unbound one may get a volume and a
/// class. Nothing else of the spec may change.
pub(super) fn claim_update(new: &Value, old: &Value, causes: &mut Vec<Cause>) {
    let (new_spec, old_spec) = (new.at("spec"), old.at("spec"));
    let bound = old.at("status").text("phase") == "Bound";
    let mut same = new_spec.clone();
    if is_empty(old_spec.at("volumeName")) {
        copy(old_spec, &mut same, "volumeName");
    }
    if bound {
        let size = |spec: &Value| spec.path(&["resources", "requests", "storage"]).clone();
        if let Some(requests) = same.pointer_mut("/resources/requests") {
            set(requests, "storage", size(old_spec));
        }
        copy(old_spec, &mut same, "volumeAttributesClassName");
        let (now, before) = (size(new_spec), size(old_spec));
        let capacity = old.path(&["status", "capacity", "storage"]);
        if resources::compare(&now, &before) == Some(Ordering::Less)
            && resources::compare(&now, capacity) != Some(Ordering::Greater)
        {
            causes.push(Cause::forbidden(
                "spec.resources.requests.storage",
                "field can not be less than status.capacity",
            ));
        }
    } else if !old_spec.has("storageClassName") {
        copy(old_spec, &mut same, "storageClassName");
    }
    if &same != old_spec {
        causes.push(Cause::forbidden(
            "spec",
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
        ));
    }
}

pub(super) fn volume(object: &Value, causes: &mut Vec<Cause>) {
    let spec = object.at("spec");
    access_modes(spec, "spec", "", causes);
    let size = spec.path(&["capacity", "storage"]);
    if size.is_null() {
        causes.push(unsupported("spec.capacity".to_owned(), "", &["storage"]));
    } else {
        resources::not_negative(size, "spec.capacity[storage]", causes);
    }
    class_and_mode(spec, "spec", causes);
    let policy = spec.text("persistentVolumeReclaimPolicy");
    if !matches!(policy, "" | "Delete" | "Recycle" | "Retain") {
        let field = "spec.persistentVolumeReclaimPolicy".to_owned();
        causes.push(unsupported(field, policy, &["Delete", "Recycle", "Retain"]));
    }
}

pub(super) fn class(object: &Value, causes: &mut Vec<Cause>) {
    if object.text("provisioner").is_empty() {
        causes.push(Cause::required("provisioner", ""));
    }
    for (field, allowed) in [
        ("reclaimPolicy", ["Delete", "Retain"]),
        ("volumeBindingMode", ["Immediate", "WaitForFirstConsumer"]),
    ] {
        let value = object.text(field);
        if !value.is_empty() && !allowed.contains(&value) {
            causes.push(unsupported(field.to_owned(), value, &allowed));
        }
    }
}

pub(super) fn class_update(new: &Value, old: &Value, causes: &mut Vec<Cause>) {
    for field in ["parameters", "provisioner"] {
        if new.at(field) != old.at(field) {
            causes.push(Cause::forbidden(field, &format!("updates to {field} are forbidden.")));
        }
    }
    for field in ["reclaimPolicy", "volumeBindingMode"] {
        causes.extend(immutable(field, new.at(field), old.at(field)));
    }
}
