//! The rules of a kind for new and changed objects: defaults, fields that are reset, validation.

use fake_kube_apimachinery::defaulting;
use fake_kube_apimachinery::status::Cause;
use serde_json::Value;

use super::metadata;
use crate::catalogue::{Kind, Origin};

/// Fills in defaults and canonical forms.
pub(crate) fn default(kind: &Kind, object: &mut Value) {
    match &kind.origin {
        Origin::Builtin(resource) => {
            fake_kube_builtins::canonicalise(resource, object);
            fake_kube_builtins::default(resource, object);
        }
        Origin::Custom(_) => defaulting::apply(&kind.schema, object),
    }
    metadata::normalise(object);
}

/// Whether writes through the main resource ignore `status`.
fn status_is_apart(kind: &Kind) -> bool {
    kind.has_subresource("status")
}

/// Removes the fields that a client may not set on a new object, before managers are tracked.
pub(super) fn strip_for_create(kind: &Kind, object: &mut Value) {
    if status_is_apart(kind)
        && let Some(map) = object.as_object_mut()
    {
        map.remove("status");
    }
}

/// Applies the default admission plugins to a new object.
pub(crate) fn admit_for_create(kind: &Kind, object: &mut Value) {
    if let Origin::Builtin(resource) = &kind.origin {
        fake_kube_builtins::admit_for_create(resource, object);
    }
}

/// Adds an empty status, which Go writes for a new object, so that webhooks see it. It is removed
/// afterwards.
pub(super) fn show_status(kind: &Kind, object: &mut Value) {
    if kind.custom().is_none()
        && status_is_apart(kind)
        && let Some(map) = object.as_object_mut()
    {
        map.entry("status").or_insert_with(|| Value::Object(serde_json::Map::new()));
    }
}

/// Sets the fields that the server sets on a new object, after managers are tracked.
pub(super) fn prepare_for_create(kind: &Kind, object: &mut Value) {
    if let Origin::Builtin(resource) = &kind.origin {
        fake_kube_builtins::prepare_for_create(resource, object);
    }
}

/// Resets all fields that cannot be changed through the (sub)resource.
pub(super) fn scope_update(kind: &Kind, subresource: Option<&str>, old: &Value, new: &mut Value) {
    match subresource {
        None | Some("scale") => {
            if status_is_apart(kind) {
                keep(old, new, "status");
            }
        }
        Some("status") => {
            let fields: Vec<String> = [old, &*new]
                .into_iter()
                .filter_map(Value::as_object)
                .flat_map(|map| map.keys().cloned())
                .filter(|field| !matches!(field.as_str(), "status" | "metadata"))
                .collect();
            fields.iter().for_each(|field| keep(old, new, field));
            if kind.custom().is_some() {
                keep_metadata(old, new);
            }
        }
        Some("ephemeralcontainers") => {
            let wanted = new.pointer("/spec/ephemeralContainers").cloned();
            for field in ["spec", "status"] {
                keep(old, new, field);
            }
            keep_metadata(old, new);
            if let Some(spec) = new.get_mut("spec").and_then(Value::as_object_mut) {
                match wanted {
                    Some(wanted) => spec.insert("ephemeralContainers".into(), wanted),
                    None => spec.remove("ephemeralContainers"),
                };
            }
        }
        Some("finalize") => {
            let finalizers = new.pointer("/spec/finalizers").cloned();
            *new = old.clone();
            if let Some(spec) = new.get_mut("spec").and_then(Value::as_object_mut) {
                match finalizers.filter(|list| list.as_array().is_some_and(|list| !list.is_empty())) {
                    Some(finalizers) => spec.insert("finalizers".into(), finalizers),
                    None => spec.remove("finalizers"),
                };
            }
        }
        Some(_) => {}
    }
}

/// Resets the fields that an update of the kind's main resource may not change.
pub(super) fn prepare_for_update(kind: &Kind, subresource: Option<&str>, new: &mut Value, old: &Value) {
    if let (Origin::Builtin(resource), None) = (&kind.origin, subresource) {
        fake_kube_builtins::prepare_for_update(resource, new, old);
    }
}

fn keep(old: &Value, new: &mut Value, field: &str) {
    let Some(map) = new.as_object_mut() else { return };
    match old.get(field) {
        Some(value) => map.insert(field.to_owned(), value.clone()),
        None => map.remove(field),
    };
}

/// Resets metadata but for `managedFields`.
fn keep_metadata(old: &Value, new: &mut Value) {
    let managed = new.pointer("/metadata/managedFields").cloned();
    keep(old, new, "metadata");
    if let (Some(managed), Some(metadata)) = (managed, metadata::of(new)) {
        metadata.insert("managedFields".into(), managed);
    }
}

/// Whether objects of the kind have `metadata.generation`.
pub(super) fn has_generation(kind: &Kind) -> bool {
    match &kind.origin {
        Origin::Builtin(resource) => resource.has_generation,
        Origin::Custom(_) => true,
    }
}

/// Whether an update increases `metadata.generation`.
pub(super) fn changes_generation(kind: &Kind, old: &Value, new: &Value) -> bool {
    match &kind.origin {
        Origin::Builtin(resource) => {
            // Webhook configurations have no spec.
            let differ = |field: &str| old.get(field) != new.get(field);
            resource.has_generation && (differ("spec") || differ("webhooks"))
        }
        Origin::Custom(_) => {
            let relevant = |object: &Value| {
                let mut map = object.as_object().cloned().unwrap_or_default();
                map.remove("metadata");
                if status_is_apart(kind) {
                    map.remove("status");
                }
                map
            };
            relevant(old) != relevant(new)
        }
    }
}

/// What is wrong with a new object.
pub(super) fn validate_create(kind: &Kind, object: &Value) -> Vec<Cause> {
    match &kind.origin {
        Origin::Builtin(resource) => {
            let mut causes = fake_kube_builtins::validate_create(resource, object);
            causes.extend(definition_schema(kind, object, &causes));
            causes
        }
        Origin::Custom(custom) => {
            let mut causes = fake_kube_builtins::validate_metadata(kind.namespaced, object);
            causes.extend(custom.validator.validate(object, None));
            causes
        }
    }
}

/// What is wrong with an object that was changed through a (sub)resource.
pub(super) fn validate_update(
    kind: &Kind,
    subresource: Option<&str>,
    new: &Value,
    old: &Value,
) -> Vec<Cause> {
    let mut causes = metadata::check_finalizers(old, new);
    match &kind.origin {
        Origin::Builtin(_) if subresource == Some("ephemeralcontainers") => {
            causes.extend(fake_kube_builtins::validate_ephemeral_containers_update(new, old));
        }
        Origin::Builtin(resource) => {
            causes.extend(fake_kube_builtins::validate_update(resource, new, old));
            causes.extend(definition_schema(kind, new, &causes));
        }
        Origin::Custom(custom) => {
            causes.extend(fake_kube_builtins::validate_metadata(kind.namespaced, new));
            causes.extend(custom.validator.validate(new, Some(old)));
        }
    }
    causes
}

/// What is wrong with the schemas of a CustomResourceDefinition. Causes that were found before take
/// precedence.
fn definition_schema(kind: &Kind, object: &Value, found: &[Cause]) -> Option<Cause> {
    if !kind.is("apiextensions.k8s.io", "customresourcedefinitions") || !found.is_empty() {
        return None;
    }
    let problem = crate::catalogue::kinds_of(object).err()?;
    Some(Cause {
        reason: "FieldValueInvalid",
        message: format!("Invalid value: the schema cannot be used: {problem}"),
        field: "spec.versions".to_owned(),
    })
}

/// Whether a PUT of a missing object creates it (`AllowCreateOnUpdate`).
pub(super) fn creates_on_update(kind: &Kind) -> bool {
    matches!(
        (kind.group.as_str(), kind.plural.as_str()),
        ("", "events" | "endpoints" | "services" | "limitranges")
            | ("events.k8s.io", "events")
            | ("coordination.k8s.io", "leases")
            | ("rbac.authorization.k8s.io", _)
    )
}

/// Whether a PUT may leave out `resourceVersion` (`AllowUnconditionalUpdate`).
pub(super) fn allows_unconditional_update(kind: &Kind) -> bool {
    kind.custom().is_none()
        && !kind.is("apiextensions.k8s.io", "customresourcedefinitions")
        && !kind.is("coordination.k8s.io", "leases")
}
