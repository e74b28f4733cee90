//! Validation of `metadata`.

use fake_kube_apimachinery::status::Cause;
use serde_json::Value;

use super::causes::{invalid, too_long};
use super::names;
use crate::json::Fields;

/// The size in bytes of the keys and values of all annotations (apimachinery
/// `TotalAnnotationSizeLimitB`).
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// Checks the format of a name, and returns what is wrong with it.
pub(super) type NameFormat = fn(&str) -> Vec<String>;

/// Validates the metadata of an object whose kind has no rules of its own about names, such as a
/// custom resource.
pub fn validate_metadata(namespaced: bool, object: &Value) -> Vec<Cause> {
    validate(namespaced, names::dns_subdomain, object.at("metadata"), "metadata")
}

/// Validates the metadata of a new object.
pub(super) fn validate(namespaced: bool, format: NameFormat, metadata: &Value, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    let prefix = metadata.text("generateName");
    if !prefix.is_empty() {
        let wrong = format(&names::mask_trailing_dash(prefix));
        causes.extend(wrong.iter().map(|wrong| invalid(format!("{path}.generateName"), prefix, wrong)));
    }
    let name = metadata.text("name");
    if name.is_empty() {
        causes.push(Cause::required(format!("{path}.name"), "name or generateName is required"));
    } else {
        causes.extend(format(name).iter().map(|wrong| invalid(format!("{path}.name"), name, wrong)));
    }
    let namespace = metadata.text("namespace");
    match (namespaced, namespace.is_empty()) {
        (true, true) => causes.push(Cause::required(format!("{path}.namespace"), "")),
        (true, false) => {
            let wrong = names::dns_label(namespace);
            causes.extend(wrong.iter().map(|wrong| invalid(format!("{path}.namespace"), namespace, wrong)));
        }
        (false, true) => {}
        (false, false) => {
            causes.push(Cause::forbidden(format!("{path}.namespace"), "not allowed on this type"));
        }
    }
    common(metadata, path, &mut causes);
    causes
}

/// Validates what an update may change.
pub(super) fn validate_update(metadata: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    common(metadata, "metadata", &mut causes);
    causes
}

fn common(metadata: &Value, path: &str, causes: &mut Vec<Cause>) {
    labels(metadata, "labels", &format!("{path}.labels"), causes);
    annotations(metadata, &format!("{path}.annotations"), causes);
    owners(metadata.at("ownerReferences"), &format!("{path}.ownerReferences"), causes);
    finalizers(metadata.list("finalizers"), &format!("{path}.finalizers"), causes);
}

/// Validates the labels in a field.
pub(super) fn labels(owner: &Value, key: &str, path: &str, causes: &mut Vec<Cause>) {
    for (name, value) in owner.entries(key) {
        let value = value.as_str().unwrap_or_default();
        causes.extend(names::qualified_name(name).iter().map(|wrong| invalid(path.to_owned(), name, wrong)));
        causes.extend(names::label_value(value).iter().map(|wrong| invalid(path.to_owned(), value, wrong)));
    }
}

/// Validates the annotations of metadata.
pub(super) fn annotations(metadata: &Value, path: &str, causes: &mut Vec<Cause>) {
    let mut size = 0;
    for (name, value) in metadata.entries("annotations") {
        size += name.len() + value.as_str().map_or(0, str::len);
        let wrong = names::qualified_name(&name.to_lowercase());
        causes.extend(wrong.iter().map(|wrong| invalid(path.to_owned(), name, wrong)));
    }
    if size > ANNOTATIONS_LIMIT {
        causes.push(too_long(path.to_owned(), ANNOTATIONS_LIMIT));
    }
}

fn owners(references: &Value, path: &str, causes: &mut Vec<Cause>) {
    let mut controller: Option<String> = None;
    for reference in references.as_array().into_iter().flatten() {
        let api_version = reference.text("apiVersion");
        // As `schema.ParseGroupVersion`: a text with two slashes has no version.
        if api_version.rsplit('/').next().unwrap_or_default().is_empty()
            || api_version.matches('/').count() > 1
        {
            causes.push(invalid(format!("{path}.apiVersion"), api_version, "version must not be empty"));
        }
        for field in ["kind", "name", "uid"] {
            if reference.text(field).is_empty() {
                causes.push(invalid(format!("{path}.{field}"), "", "must not be empty"));
            }
        }
        if api_version == "v1" && reference.text("kind") == "Event" {
            causes.push(Cause::invalid(path, reference, "/v1, Kind=Event is disallowed from being an owner"));
        }
        if reference.flag("controller") {
            let this = format!("{}/{}", reference.text("kind"), reference.text("name"));
            match &controller {
                Some(first) => causes.push(Cause::invalid(
                    path,
                    references,
                    &format!(
                        "Only one reference can have Controller set to true. Found \"true\" in references for \
                         {first} and {this}"
                    ),
                )),
                None => controller = Some(this),
            }
        }
    }
}

fn finalizers(finalizers: &[Value], path: &str, causes: &mut Vec<Cause>) {
    let names: Vec<&str> = finalizers.iter().filter_map(Value::as_str).collect();
    for name in &names {
        let wrong = names::qualified_name(name);
        causes.extend(wrong.iter().map(|wrong| invalid(path.to_owned(), name, wrong)));
    }
    if names.contains(&"orphan") && names.contains(&"foregroundDeletion") {
        causes.push(Cause::invalid(
            path,
            &finalizers.into(),
            "finalizer orphan and foregroundDeletion cannot be both set",
        ));
    }
}
