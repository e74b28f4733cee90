//! The form in which the API server would write what it was given: Go leaves out what is empty, and
//! quantities have one spelling.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fake_kube_apimachinery::quantity;
use serde_json::{Map, Value};

use crate::catalogue::Resource;
use crate::json::{Fields, ensure, existing, items, remove, set, set_default};

/// Brings an object into the form in which it is stored.
pub fn canonicalise(resource: &Resource, object: &mut Value) {
    if let Some(metadata) = existing(object, &["metadata"]) {
        omit_empty(metadata);
    }
    match resource.group_kind() {
        ("", "Secret") => {
            fold_string_data(object);
            omit_empty_maps(object);
        }
        ("", "ConfigMap") => omit_empty_maps(object),
        ("", "Event") | ("events.k8s.io", "Event") => event(object),
        ("apiextensions.k8s.io", _) => definition(object),
        ("apps", "ControllerRevision") => {}
        ("autoscaling", _) => {
            for metric in existing(object, &["spec"]).into_iter().flat_map(|spec| items(spec, "metrics")) {
                for source in metric.as_object_mut().into_iter().flat_map(|map| map.values_mut()) {
                    if let Some(value) = source.pointer_mut("/target/value") {
                        quantity(value);
                    }
                }
            }
            omit_and_unify(object);
        }
        _ => omit_and_unify(object),
    }
    let keeps_nulls = matches!(resource.group_kind(), (_, "ControllerRevision" | "CustomResourceDefinition"));
    if !keeps_nulls && let Some(map) = object.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
}

/// Leaves out empty fields and unifies quantities in all parts but metadata.
fn omit_and_unify(object: &mut Value) {
    if let Some(map) = object.as_object_mut() {
        for (_, part) in map.iter_mut().filter(|(key, _)| *key != "metadata") {
            omit_empty(part);
            quantities(part);
        }
    }
}

/// The names that are written in clear text become data, as the API server does it.
fn fold_string_data(object: &mut Value) {
    let Some(texts) = object.as_object_mut().and_then(|map| map.remove("stringData")) else { return };
    let Some(texts) = texts.as_object().filter(|texts| !texts.is_empty()) else { return };
    if let Some(data) = ensure(object, "data") {
        for (name, text) in texts {
            set(data, name, STANDARD.encode(text.as_str().unwrap_or_default()));
        }
    }
}

fn omit_empty_maps(object: &mut Value) {
    for field in ["data", "binaryData", "stringData"] {
        if object.at(field).as_object().is_some_and(Map::is_empty) {
            remove(object, field);
        }
    }
}

/// Fields of events that Go always writes.
fn event(object: &mut Value) {
    let core = object.has("involvedObject");
    if let Some(map) = object.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
    if core {
        set_default(object, "source", Map::new());
        set_default(object, "reportingComponent", "");
        set_default(object, "reportingInstance", "");
    }
}

fn definition(object: &mut Value) {
    if let Some(names) = existing(object, &["spec", "names"]) {
        omit_empty(names);
    }
    if let Some(spec) = existing(object, &["spec"]) {
        if spec.get("preserveUnknownFields").is_some_and(|value| value == &Value::Bool(false)) {
            remove(spec, "preserveUnknownFields");
        }
        for version in items(spec, "versions") {
            for list in ["additionalPrinterColumns", "selectableFields"] {
                if version.at(list).as_array().is_some_and(Vec::is_empty) {
                    remove(version, list);
                }
            }
        }
    }
}

// Lists that Go writes even when they are empty.
const WRITTEN_WHEN_EMPTY: [&str; 6] =
    ["containers", "endpoints", "conditions", "verbs", "webhooks", "versions"];

// Maps that Go leaves out when they are empty. Other empty objects are structs, which mean something.
const MAPS: [&str; 12] = [
    "labels",
    "annotations",
    "matchLabels",
    "nodeSelector",
    "limits",
    "requests",
    "overhead",
    "capacity",
    "parameters",
    "hard",
    "used",
    "allocatable",
];

// Texts that Go leaves out when they are empty.
const TEXTS: [&str; 22] = [
    "apiGroup",
    "clusterIP",
    "externalName",
    "fieldPath",
    "generateName",
    "hostname",
    "loadBalancerIP",
    "message",
    "mountPath",
    "nodeName",
    "priorityClassName",
    "reason",
    "restartPolicy",
    "schedulerName",
    "selfLink",
    "serviceAccount",
    "serviceAccountName",
    "serviceName",
    "subPath",
    "subdomain",
    "volumeName",
    "workingDir",
];

// Flags that Go leaves out when they are false.
const FLAGS: [&str; 9] = [
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "paused",
    "publishNotReadyAddresses",
    "readOnly",
    "stdin",
    "stdinOnce",
    "tty",
];

/// Removes nulls and what Go would leave out, at any depth.
fn omit_empty(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, value| match value {
                Value::Null => false,
                Value::Array(items) => !items.is_empty() || WRITTEN_WHEN_EMPTY.contains(&key.as_str()),
                Value::Object(entries) => !entries.is_empty() || !MAPS.contains(&key.as_str()),
                Value::String(text) => !text.is_empty() || !TEXTS.contains(&key.as_str()),
                Value::Bool(flag) => *flag || !FLAGS.contains(&key.as_str()),
                Value::Number(_) => true,
            });
            for (key, value) in map {
                // The keys of these maps are the author's.
                if !MAPS.contains(&key.as_str()) {
                    omit_empty(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(omit_empty),
        _ => {}
    }
}

// Maps from resource names to quantities.
const QUANTITY_MAPS: [&str; 11] = [
    "limits",
    "requests",
    "capacity",
    "allocatable",
    "hard",
    "used",
    "overhead",
    "default",
    "defaultRequest",
    "max",
    "min",
];

// Fields that hold one quantity.
const QUANTITIES: [&str; 3] = ["sizeLimit", "divisor", "averageValue"];

fn quantities(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if QUANTITIES.contains(&key.as_str()) {
                    quantity(value);
                } else if QUANTITY_MAPS.contains(&key.as_str()) && value.is_object() {
                    value.as_object_mut().into_iter().flatten().for_each(|(_, value)| quantity(value));
                } else if !matches!(key.as_str(), "metadata" | "matchLabels" | "nodeSelector" | "parameters")
                {
                    quantities(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(quantities),
        _ => {}
    }
}

/// What is not a quantity stays, for validation to complain about.
fn quantity(value: &mut Value) {
    let text = match &*value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return,
    };
    if let Some(canonical) = quantity::canonical(&text) {
        *value = canonical.into();
    }
}
