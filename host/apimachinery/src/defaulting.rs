//! Structural defaults (apiextensions-apiserver `pkg/apiserver/schema/defaulting`).

use crate::schema::Schema;
use serde_json::Value;

/// Sets absent fields that have a default, and drops nulls where null is no value.
///
/// A null in a field that has a default and is not nullable is treated as absent, as the API server does.
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
                        None if !child.preserve_unknown => {
                            // A null where the schema knows no null means "not given".
                            if members.get(name) == Some(&Value::Null) {
                                members.remove(name);
                            }
                        }
                        None => {}
                    }
                }
                if let Some(member) = members.get_mut(name) {
                    apply(child, member);
                }
            }
            if let Some(child) = &schema.additional {
                for (name, member) in members.iter_mut() {
                    if !schema.properties.contains_key(name) {
                        apply(child, member);
                    }
                }
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
    fn defaults_go_where_the_parent_is() {
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
}
