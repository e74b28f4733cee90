//! meta/v1 tables: what `kubectl get` prints.

use fake_kube_apimachinery::jsonpath;
use serde_json::{Value, json};

use super::include::IncludeObject;
use crate::catalogue::{Kind, Origin, PrinterColumn};
use crate::store::Object;

const NAME_DESCRIPTION: &str = "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";
const AGE_DESCRIPTION: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

/// A table. `columns` is `None` in watch events after the first, which have no column definitions.
pub fn table(metadata: &Value, columns: Option<Value>, rows: Vec<Value>) -> Value {
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": columns,
        "rows": rows,
    })
}

/// The column definitions of a kind.
pub fn columns(kind: &Kind) -> Value {
    let definition = |name: &str, type_: &str, format: &str, description: &str, priority: i64| {
        json!({
            "name": name, "type": type_, "format": format, "description": description, "priority": priority,
        })
    };
    match &kind.origin {
        Origin::Builtin(resource) => fake_kube_builtins::columns(resource)
            .iter()
            .map(|column| {
                definition(
                    column.name,
                    column.type_,
                    column.format,
                    column.description,
                    i64::from(column.priority),
                )
            })
            .collect(),
        Origin::Custom(custom) => {
            let mut columns = vec![definition("Name", "string", "name", NAME_DESCRIPTION, 0)];
            if custom.columns.is_empty() {
                columns.push(definition("Age", "date", "", AGE_DESCRIPTION, 0));
            }
            columns.extend(custom.columns.iter().map(|column| {
                definition(&column.name, &column.type_, &column.format, &column.description, column.priority)
            }));
            columns.into()
        }
    }
}

/// The row of a stored object.
pub fn row(kind: &Kind, object: &Object, include: IncludeObject, now: &str) -> Value {
    row_of_value(kind, &kind.value(object), include, now)
}

/// The row of an object.
pub fn row_of_value(kind: &Kind, object: &Value, include: IncludeObject, now: &str) -> Value {
    let cells = match &kind.origin {
        Origin::Builtin(resource) => fake_kube_builtins::cells(resource, object, now),
        Origin::Custom(custom) => {
            let mut cells = vec![object.pointer("/metadata/name").cloned().unwrap_or_default()];
            if custom.columns.is_empty() {
                cells.push(age(object.pointer("/metadata/creationTimestamp"), now));
            }
            cells.extend(custom.columns.iter().map(|column| cell(column, object, now)));
            cells
        }
    };
    match include {
        IncludeObject::None => json!({"cells": cells, "object": null}),
        IncludeObject::Object => json!({"cells": cells, "object": object}),
        IncludeObject::Metadata => json!({
            "cells": cells,
            "object": {
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": object.get("metadata").cloned().unwrap_or_default(),
            },
        }),
    }
}

fn age(created: Option<&Value>, now: &str) -> Value {
    created
        .and_then(Value::as_str)
        .map_or_else(|| "<unknown>".into(), |created| fake_kube_builtins::age(created, now).into())
}

/// The cell of a printer column; null when there is no value or it has another type.
fn cell(column: &PrinterColumn, object: &Value, now: &str) -> Value {
    let found = jsonpath::find(&column.json_path, object);
    let Some(first) = found.first().copied().filter(|value| !value.is_null()) else { return Value::Null };
    match column.type_.as_str() {
        "date" => age(Some(first), now),
        "integer" => first
            .as_i64()
            .or_else(|| first.as_f64().map(|number| number as i64))
            .map_or(Value::Null, Value::from),
        "number" => first.as_f64().map_or(Value::Null, Value::from),
        "boolean" => first.as_bool().map_or(Value::Null, Value::from),
        _ => {
            let texts: Vec<String> = found.iter().map(|value| text(value)).collect();
            texts.join(",").into()
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
