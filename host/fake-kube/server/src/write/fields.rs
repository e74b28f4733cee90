//! Decodes a body as an object of its kind: types of fields, unknown and duplicate fields, times.

use fake_kube_apimachinery::status::ApiError;
use fake_kube_apimachinery::{builtin_schema, times, type_check, unknown_fields};
use serde_json::Value;

use super::Write;
use crate::catalogue::{Kind, Origin};
use crate::http::query::FieldValidation;

/// Checks `apiVersion` and `kind`. For built-in kinds missing ones are filled in.
pub(super) fn identify(kind: &Kind, object: &mut Value) -> Result<(), ApiError> {
    let Some(map) = object.as_object_mut() else {
        return Err(ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): the body must be a JSON object",
            kind.kind
        )));
    };
    let api_version = kind.api_version();
    for (field, expected) in [("apiVersion", api_version.as_str()), ("kind", &kind.kind)] {
        match map.get(field).and_then(Value::as_str).unwrap_or_default() {
            "" if kind.custom().is_none() => {
                map.insert(field.to_owned(), expected.into());
            }
            "" => {
                let title = if field == "kind" { "Kind" } else { "apiVersion" };
                return Err(ApiError::bad_request(format!(
                    "Object '{title}' is missing in '{}'",
                    Value::Object(map.clone())
                )));
            }
            given if given == expected => {}
            given if field == "apiVersion" => {
                return Err(ApiError::bad_request(format!(
                    "the API version in the data ({given}) does not match the expected API version ({expected})"
                )));
            }
            given => {
                return Err(ApiError::bad_request(format!(
                    "the kind in the data ({given}) does not match the expected kind ({expected})"
                )));
            }
        }
    }
    Ok(())
}

/// Checks the types of fields and drops unknown ones, with warnings or an error as the request
/// asks.
pub(super) fn check(write: &mut Write, object: &mut Value, duplicates: &[String]) -> Result<(), ApiError> {
    let problems = clean(&write.kind, object, duplicates)?;
    if problems.is_empty() {
        return Ok(());
    }
    match write.validation {
        FieldValidation::Ignore => Ok(()),
        FieldValidation::Warn => {
            write.warnings.extend(problems);
            Ok(())
        }
        FieldValidation::Strict => {
            Err(unknown_fields::strict_error(&write.kind.kind, &write.kind.version, &problems))
        }
    }
}

/// Like [`check`] for the result of a patch, for which the API server words its errors differently.
pub(super) fn check_patched(
    write: &mut Write,
    object: &mut Value,
    patch: &Value,
    duplicates: &[String],
) -> Result<(), ApiError> {
    use fake_kube_apimachinery::status::{Cause, ResourceName};

    let strict = write.validation == FieldValidation::Strict;
    let problems = clean(&write.kind, object, duplicates)?;
    if strict && !problems.is_empty() {
        let cause = Cause::invalid(
            "patch",
            &Value::String(patch.to_string()),
            &format!("strict decoding error: {}", problems.join(", ")),
        );
        return Err(ApiError::invalid(ResourceName { group: "", resource: "" }, "", &[cause]));
    }
    if write.validation == FieldValidation::Warn {
        write.warnings.extend(problems);
    }
    Ok(())
}

/// Decodes an object that a webhook has changed. Unknown fields are dropped without a warning.
pub(crate) fn decode_again(kind: &Kind, object: &mut Value) -> Result<(), ApiError> {
    identify(kind, object)?;
    clean(kind, object, &[]).map(drop)
}

fn clean(kind: &Kind, object: &mut Value, duplicates: &[String]) -> Result<Vec<String>, ApiError> {
    check_metadata_types(object)?;
    if let Origin::Builtin(resource) = &kind.origin {
        drop_nulls(object);
        type_check::decode(&kind.schema, resource.kind, resource.version, object)?;
    }
    match (&kind.origin, object.get_mut("metadata")) {
        (Origin::Builtin(_), _) => times::normalise(&kind.schema, &kind.kind, &kind.version, object)?,
        // Custom resources keep the times of their own fields as they were written.
        (Origin::Custom(_), Some(metadata)) => {
            times::normalise(&builtin_schema::object_meta(), &kind.kind, &kind.version, metadata)?;
        }
        (Origin::Custom(_), None) => {}
    }
    let mut problems = duplicates.to_vec();
    let unknown = unknown_fields::prune(&kind.schema, object);
    problems.extend(unknown.iter().map(|path| unknown_fields::problem(path)));
    Ok(problems)
}

/// Checks the types of metadata, which are the same for all kinds.
fn check_metadata_types(object: &Value) -> Result<(), ApiError> {
    let wrong = |path: &str, value: &Value, go_type: &str| {
        let json_type = type_check::json_type(value);
        Err(ApiError::bad_request(format!(
            "json: cannot unmarshal {json_type} into Go struct field ObjectMeta.{path} of type {go_type}"
        )))
    };
    let metadata = match object.get("metadata") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Object(metadata)) => metadata,
        Some(other) => return wrong("metadata", other, "v1.ObjectMeta"),
    };
    for field in ["name", "namespace", "generateName", "uid", "resourceVersion"] {
        match metadata.get(field) {
            None | Some(Value::Null | Value::String(_)) => {}
            Some(other) => return wrong(&format!("metadata.{field}"), other, "string"),
        }
    }
    for field in ["labels", "annotations"] {
        match metadata.get(field) {
            None | Some(Value::Null) => {}
            Some(Value::Object(entries)) => {
                if let Some(value) = entries.values().find(|value| !value.is_string() && !value.is_null()) {
                    return wrong(&format!("metadata.{field}"), value, "string");
                }
            }
            Some(other) => return wrong(&format!("metadata.{field}"), other, "map[string]string"),
        }
    }
    for (field, go_type) in [
        ("finalizers", "[]string"),
        ("ownerReferences", "[]v1.OwnerReference"),
        ("managedFields", "[]v1.ManagedFieldsEntry"),
    ] {
        match metadata.get(field) {
            None | Some(Value::Null | Value::Array(_)) => {}
            Some(other) => return wrong(&format!("metadata.{field}"), other, go_type),
        }
    }
    Ok(())
}

/// Removes nulls: in a built-in object a null means that the field is absent.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
