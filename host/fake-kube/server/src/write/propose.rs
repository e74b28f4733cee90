//! The state that a request proposes: computed from the stored state and the body of a PUT or
//! PATCH.

use fake_kube_apimachinery::managed_fields::{self, Manager};
use fake_kube_apimachinery::patch;
use fake_kube_apimachinery::status::{ApiError, Cause, ResourceName};
use serde_json::{Map, Value, json};

use super::{Write, fields, metadata};
use crate::http::decode::{Decoded, unsupported};

/// How a body changes an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// PUT: the body is the new state.
    Replace,
    /// PATCH: the body is a patch.
    Patch(PatchType),
}

/// The four patch formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchType {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// Strategic merge patch; built-in kinds only.
    Strategic,
    /// Server-side apply.
    Apply {
        /// Whether to take over fields that other managers own.
        force: bool,
    },
}

impl PatchType {
    /// Reads the content type of a PATCH.
    pub fn of(content_type: Option<&str>, custom: bool, force: bool) -> Result<Self, ApiError> {
        let media = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
        let refuse = |media: &str| {
            let strategic = if custom { "" } else { ", application/strategic-merge-patch+json" };
            Err(unsupported(&format!(
                "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json{strategic}, application/apply-patch+yaml; got {media:?}"
            )))
        };
        match media {
            "application/json-patch+json" => Ok(Self::Json),
            "application/merge-patch+json" => Ok(Self::Merge),
            "application/strategic-merge-patch+json" if !custom => Ok(Self::Strategic),
            "application/apply-patch+yaml" | "application/apply-patch+json" => Ok(Self::Apply { force }),
            other => refuse(other),
        }
    }
}

/// Applies a JSON, merge or strategic merge patch.
pub(super) fn patched(
    write: &Write,
    old: &Value,
    kind_of_patch: PatchType,
    body: &Value,
) -> Result<Value, ApiError> {
    match kind_of_patch {
        PatchType::Json => patch::json_patch(old, body),
        PatchType::Strategic => patch::strategic_merge(&write.kind.schema, old, body),
        PatchType::Merge | PatchType::Apply { .. } if body.is_object() => Ok(patch::merge_patch(old, body)),
        PatchType::Merge | PatchType::Apply { .. } => {
            Err(ApiError::bad_request("error decoding patch: the patch must be a JSON object"))
        }
    }
}

/// Checks an apply body and returns the merged object, with its managers.
pub(super) fn applied(
    write: &mut Write,
    name: &str,
    live: Option<&Value>,
    body: &Decoded,
    force: bool,
) -> Result<Value, ApiError> {
    if write.manager.is_empty() {
        let cause = Cause::required("fieldManager", "is required for apply patch");
        return Err(ApiError::invalid(
            ResourceName { group: "meta.k8s.io", resource: "PatchOptions" },
            "",
            &[cause],
        ));
    }
    let mut object = body.value.clone();
    identify_applied(write, &mut object)?;
    if object.pointer("/metadata/managedFields").is_some_and(|fields| !fields.is_null()) {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    let given = metadata::text(&object, "name");
    if !given.is_empty() && given != name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({name})"
        )));
    }
    if let Some(fields) = metadata::of(&mut object) {
        fields.insert("name".into(), name.into());
    }
    metadata::settle_namespace(write, &mut object)?;
    strip_other_parts(write, &mut object);
    let api_version = write.kind.api_version();
    let manager = Manager {
        name: &write.manager,
        subresource: write.subresource.as_deref(),
        api_version: &api_version,
        time: &write.now,
    };
    managed_fields::apply(&write.kind.schema, live, &object, &manager, force)
}

/// Checks apiVersion and kind, which apply requires also for built-in kinds.
fn identify_applied(write: &Write, object: &mut Value) -> Result<(), ApiError> {
    for field in ["apiVersion", "kind"] {
        if object.get(field).and_then(Value::as_str).unwrap_or_default().is_empty() {
            return Err(ApiError::bad_request(format!(
                "error decoding patch: the applied configuration must have {field}: write {}",
                json!({"apiVersion": write.kind.api_version(), "kind": write.kind.kind})
            )));
        }
    }
    fields::identify(&write.kind, object)
}

/// Removes from an applied configuration the fields that cannot be set through its (sub)resource,
/// so that the manager does not come to own them.
fn strip_other_parts(write: &Write, object: &mut Value) {
    let Some(map) = object.as_object_mut() else { return };
    match write.subresource.as_deref() {
        Some("status") => {
            map.retain(|field, _| matches!(field.as_str(), "apiVersion" | "kind" | "metadata" | "status"));
            if write.kind.custom().is_some() {
                keep_only(map, "metadata", &IDENTITY);
            }
        }
        Some("ephemeralcontainers") => {
            map.retain(|field, _| matches!(field.as_str(), "apiVersion" | "kind" | "metadata" | "spec"));
            keep_only(map, "spec", &["ephemeralContainers"]);
            keep_only(map, "metadata", &IDENTITY);
        }
        _ if write.kind.has_subresource("status") => {
            map.remove("status");
        }
        _ => {}
    }
}

/// The fields of metadata that say which object is meant.
const IDENTITY: [&str; 4] = ["name", "namespace", "resourceVersion", "uid"];

fn keep_only(map: &mut Map<String, Value>, part: &str, fields: &[&str]) {
    if let Some(part) = map.get_mut(part).and_then(Value::as_object_mut) {
        part.retain(|field, _| fields.contains(&field.as_str()));
    }
}
