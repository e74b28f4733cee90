//! The object that a created object is compared with.
//!
//! For custom resources it is empty. For built-in kinds it is the zero value of the Go type, as Go
//! writes it: fields that the zero value has are changed by the creation and not added, so that
//! nobody owns the enclosing object itself.

use crate::builtin_schema;
use crate::schema::{Schema, Type};
use serde_json::{Map, Value};

/// Fields whose Go type is a struct and not a pointer. Go writes them even when they are empty.
const STRUCTS: [&str; 11] = [
    "metadata",
    "spec",
    "status",
    "template",
    "strategy",
    "updateStrategy",
    "jobTemplate",
    "podSelector",
    "names",
    "acceptedNames",
    "loadBalancer",
];

pub(super) fn of(schema: &Schema, object: &Value) -> Value {
    let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    let (group, version) = text("apiVersion").rsplit_once('/').unwrap_or(("", text("apiVersion")));
    if builtin_schema::definition_name(group, version, text("kind")).is_none() {
        return Value::Object(Map::new());
    }
    let mut zero = zero_struct(schema);
    if let Value::Object(members) = &mut zero {
        // `resources` is a struct in PersistentVolumeClaimSpec. Elsewhere it occurs in list items
        // only.
        if text("kind") == "PersistentVolumeClaim"
            && let Some(Value::Object(spec)) = members.get_mut("spec")
        {
            spec.insert("resources".to_owned(), Value::Object(Map::new()));
        }
    }
    zero
}

fn zero_struct(schema: &Schema) -> Value {
    let mut members = Map::new();
    for (name, child) in &schema.properties {
        let required = schema.required.contains(name);
        let is_struct = STRUCTS.contains(&name.as_str()) && !child.properties.is_empty();
        if name == "metadata" {
            members.insert(name.clone(), Value::Object(Map::new()));
        } else if is_struct {
            members.insert(name.clone(), zero_struct(child));
        } else if required {
            let zero = match child.kind {
                Type::String => Value::from(""),
                Type::Integer | Type::Number => Value::from(0),
                Type::Boolean => Value::from(false),
                Type::Object if !child.properties.is_empty() && !child.atomic_map => zero_struct(child),
                _ => Value::Null,
            };
            members.insert(name.clone(), zero);
        }
    }
    Value::Object(members)
}
