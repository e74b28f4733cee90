//! What the API server refuses, in its words.

mod causes;
mod metadata;
mod names;

use apimachinery::status::Cause;
use serde_json::Value;

use crate::catalogue::Resource;
use crate::json::Fields;

pub use metadata::validate_metadata;

/// What is wrong with a new object.
pub fn validate_create(resource: &Resource, object: &Value) -> Vec<Cause> {
    if resource.storage_version_hash.is_empty() {
        return Vec::new();
    }
    metadata::validate(resource.namespaced, name_format(resource), object.at("metadata"), "metadata")
}

/// What is wrong with a changed object.
pub fn validate_update(_resource: &Resource, new: &Value, _old: &Value) -> Vec<Cause> {
    metadata::validate_update(new.at("metadata"))
}

fn name_format(resource: &Resource) -> metadata::NameFormat {
    match resource.group_kind() {
        ("", "Namespace") => names::dns_label,
        ("", "Service") => names::dns_1035_label,
        ("rbac.authorization.k8s.io", _) => names::path_segment,
        _ => names::dns_subdomain,
    }
}

pub(crate) fn qos_class(_spec: &Value) -> &'static str {
    "BestEffort"
}
