//! What a created object is compared with: nothing for custom resources, and for built-in kinds the zero
//! value of the Go type as it serialises. Fields that are there in the zero value are changed by a create,
//! not added, so that the enclosing structure itself belongs to nobody.

use crate::builtin_schema;
use crate::schema::{Schema, Type};
use serde_json::{Map, Value};

/// Structs, not pointers, in the Go types: they serialise even when empty.
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
        // PersistentVolumeClaimSpec.resources is a struct; ResourceRequirements elsewhere too, but inside of list items.
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
