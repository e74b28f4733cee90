//! The scale subresource: shows the number of replicas as a `Scale` of autoscaling/v1.

use fake_kube_apimachinery::status::ApiError;
use serde_json::{Map, Value, json};

use super::{Change, Write, metadata, propose};
use crate::catalogue::{Kind, Origin};
use crate::http::decode::Decoded;

/// The `Scale` of an object.
///
/// # Errors
/// 400 when the kind has no scale subresource.
pub fn of(kind: &Kind, object: &Value) -> Result<Value, ApiError> {
    let (spec, status, selector) = match &kind.origin {
        Origin::Builtin(_) => (
            object.pointer("/spec/replicas").cloned(),
            object.pointer("/status/replicas").cloned(),
            builtin_selector(object),
        ),
        Origin::Custom(custom) => {
            let Some(paths) = &custom.scale else {
                return Err(ApiError::bad_request(format!("{} has no scale subresource", kind.plural)));
            };
            let at = |path: &str| dotted(path).and_then(|pointer| object.pointer(&pointer)).cloned();
            let selector = paths.label_selector.as_deref().and_then(at);
            (at(&paths.spec_replicas), at(&paths.status_replicas), selector)
        }
    };
    let mut metadata = Map::new();
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = object.pointer(&format!("/metadata/{field}")) {
            metadata.insert(field.to_owned(), value.clone());
        }
    }
    let mut spec_out = Map::new();
    if let Some(replicas) = spec.filter(|replicas| !replicas.is_null()) {
        spec_out.insert("replicas".into(), replicas);
    }
    let mut status_out = Map::new();
    status_out.insert("replicas".into(), status.filter(Value::is_number).unwrap_or_else(|| 0.into()));
    if let Some(selector) = selector {
        status_out.insert("selector".into(), selector);
    }
    Ok(json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": spec_out,
        "status": status_out,
    }))
}

/// The object with the number of replicas that a PUT or PATCH of its `Scale` asks for.
pub(super) fn proposed(
    write: &Write,
    old: &Value,
    change: Change,
    body: &Decoded,
) -> Result<Value, ApiError> {
    let before = of(&write.kind, old)?;
    let scale = match change {
        Change::Replace => body.value.clone(),
        Change::Patch(patch) => propose::patched(write, &before, patch, &body.value)?,
    };
    let mut new = applied(&write.kind, old.clone(), &scale)?;
    if let Some(fields) = metadata::of(&mut new) {
        for field in ["resourceVersion", "uid"] {
            if let Some(given) = scale.pointer(&format!("/metadata/{field}")) {
                fields.insert(field.to_owned(), given.clone());
            }
        }
    }
    Ok(new)
}

/// The object with the number of replicas of a `Scale`.
pub(super) fn applied(kind: &Kind, mut object: Value, scale: &Value) -> Result<Value, ApiError> {
    let replicas = scale.pointer("/spec/replicas").cloned().unwrap_or_else(|| 0.into());
    if replicas.as_i64().is_none_or(|replicas| replicas < 0) {
        return Err(ApiError::bad_request(format!(
            "Scale in version \"v1\" cannot be handled as a Scale: spec.replicas must be a whole number that is not negative, not {replicas}"
        )));
    }
    let path = match &kind.origin {
        Origin::Builtin(_) => ".spec.replicas",
        Origin::Custom(custom) => {
            custom.scale.as_ref().map_or(".spec.replicas", |paths| paths.spec_replicas.as_str())
        }
    };
    set(&mut object, path, replicas);
    Ok(object)
}

fn builtin_selector(object: &Value) -> Option<Value> {
    let selector = object.pointer("/spec/selector")?.as_object()?;
    let expressions = selector.get("matchExpressions").and_then(Value::as_array);
    let labels = match selector.get("matchLabels") {
        Some(labels) => labels.as_object(),
        // The selector of a ReplicationController is a plain map of labels.
        None if expressions.is_none() => Some(selector),
        None => None,
    };
    let mut terms: Vec<(String, String)> = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), format!("{key}={}", value.as_str().unwrap_or_default())))
        .collect();
    for expression in expressions.into_iter().flatten() {
        let key = expression.get("key").and_then(Value::as_str).unwrap_or_default();
        let values =
            expression.get("values").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let values = values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",");
        let term = match expression.get("operator").and_then(Value::as_str).unwrap_or_default() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            _ => continue,
        };
        terms.push((key.to_owned(), term));
    }
    terms.sort();
    Some(terms.into_iter().map(|(_, term)| term).collect::<Vec<_>>().join(",").into())
}

/// A dotted path such as `.spec.replicas` as a JSON pointer.
fn dotted(path: &str) -> Option<String> {
    path.strip_prefix('.').map(|rest| rest.split('.').map(|part| format!("/{part}")).collect())
}

fn set(object: &mut Value, path: &str, value: Value) {
    let mut place = object;
    for part in path.trim_start_matches('.').split('.') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Some(map) = place.as_object_mut() else { return };
        place = map.entry(part.to_owned()).or_insert(Value::Null);
    }
    *place = value;
}
