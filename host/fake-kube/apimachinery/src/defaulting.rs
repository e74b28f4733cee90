//! Structural defaults (apiextensions-apiserver `pkg/apiserver/schema/defaulting`).

use crate::schema::Schema;
use serde_json::Value;

/// Sets absent fields to their defaults, and drops nulls from fields that are not nullable.
///
/// A null in a field that is not nullable counts as absent, as in the API server.
pub fn apply(schema: &Schema, value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, child) in &schema.properties {
                let absent = match members.get(name) {
                    None => true,
                    Some(Value::Null) => !child.nullable,
                    Some(_) => false,
                };
                if absent {
                    match &child.default {
                        Some(default) => {
                            members.insert(name.clone(), default.clone());
                        }
                        // The field is not nullable and has no default: null means that it is
                        // absent.
                        None if !child.preserve_unknown && members.get(name) == Some(&Value::Null) => {
                            members.remove(name);
                        }
                        None => {}
                    }
                }
                if let Some(member) = members.get_mut(name) {
                    apply(child, member);
                }
            }
            if let Some(child) = &schema.additional {
                members.retain(|name, member| {
                    if schema.properties.contains_key(name) {
                        return true;
                    }
                    if member.is_null() && !child.nullable {
                        match &child.default {
                            Some(default) => *member = default.clone(),
                            None if !child.preserve_unknown => return false,
                            None => {}
                        }
                    }
                    apply(child, member);
                    true
                });
            }
        }
        Value::Array(items) => {
            if let Some(child) = &schema.items {
                for item in items {
                    if item.is_null()
                        && !child.nullable
                        && let Some(default) = &child.default
                    {
                        *item = default.clone();
                    }
                    apply(child, item);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::apply;
    use crate::schema::Schema;
    use serde_json::json;

    #[test]
    fn defaults_are_set_in_objects_that_exist() {
        let schema = Schema::from_openapi(&json!({"type": "object", "properties": {
            "spec": {"type": "object", "properties": {
                "image": {"type": "string", "default": "i"},
                "note": {"type": "string", "nullable": true, "default": "n"},
                "plain": {"type": "string"},
                "inner": {"type": "object", "default": {}, "properties": {"size": {"type": "integer", "default": 3}}},
            }},
        }}))
        .expect("a schema");
        let mut object = json!({"spec": {"note": null, "plain": null, "image": null}});
        apply(&schema, &mut object);
        assert_eq!(object, json!({"spec": {"image": "i", "note": null, "inner": {"size": 3}}}));
        let mut without = json!({});
        apply(&schema, &mut without);
        assert_eq!(without, json!({}));
    }

    #[test]
    fn nulls_in_maps_are_dropped_unless_nullable() {
        let map = |value: serde_json::Value| json!({"type": "object", "additionalProperties": value});
        let schema = Schema::from_openapi(&json!({"type": "object", "properties": {
            "plain": map(json!({"type": "string"})),
            "nullable": map(json!({"type": "string", "nullable": true})),
            "defaulted": map(json!({"type": "string", "default": "d"})),
            "anything": map(json!(true)),
        }}))
        .expect("a schema");
        let entries = json!({"a": null, "b": "c"});
        let mut object =
            json!({"plain": entries, "nullable": entries, "defaulted": entries, "anything": entries});
        apply(&schema, &mut object);
        let defaulted = json!({"a": "d", "b": "c"});
        assert_eq!(
            object,
            json!({"plain": {"b": "c"}, "nullable": entries, "defaulted": defaulted, "anything": entries})
        );
    }
}
