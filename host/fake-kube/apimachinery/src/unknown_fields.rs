//! Finds, reports and drops fields that a schema does not have.

use crate::builtin_schema;
use crate::schema::{Schema, Type};
use crate::status::ApiError;
use serde_json::Value;

/// How the API server says that a field is unknown.
pub fn problem(path: &str) -> String {
    format!("unknown field {path:?}")
}

/// The answer to a request with strict field validation whose object has unknown or duplicate
/// fields.
///
/// ```
/// use fake_kube_apimachinery::unknown_fields::{problem, strict_error};
///
/// let error = strict_error("Widget", "v1", &[problem("spec.size")]);
/// assert_eq!(
///     error.message,
///     r#"Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "spec.size""#
/// );
/// ```
pub fn strict_error(kind: &str, version: &str, problems: &[String]) -> ApiError {
    ApiError::bad_request(format!(
        "{kind} in version {version:?} cannot be handled as a {kind}: strict decoding error: {}",
        problems.join(", ")
    ))
}

/// Paths of unknown fields, for example `spec.extra` or `spec.list[0].extra`, in the order of the
/// document.
pub fn find(schema: &Schema, object: &Value) -> Vec<String> {
    prune(schema, &mut object.clone())
}

/// Drops unknown fields and returns their paths.
pub fn prune(schema: &Schema, object: &mut Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(schema, object, "", true, &mut found);
    found
}

fn walk(schema: &Schema, value: &mut Value, path: &str, is_resource: bool, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            let is_map = schema.additional.is_some();
            if !is_map
                && !schema.preserve_unknown
                && (schema.kind == Type::Object || !schema.properties.is_empty())
            {
                members.retain(|name, _| {
                    let known = schema.properties.contains_key(name) || (is_resource && is_type_meta(name));
                    if !known {
                        found.push(join(path, name));
                    }
                    known
                });
            }
            for (name, member) in members.iter_mut() {
                let below = join(path, name);
                if is_resource && name == "metadata" {
                    let meta = builtin_schema::object_meta();
                    walk(&meta, member, &below, false, found);
                } else if let Some(child) = schema.member(name) {
                    walk(child, member, &below, child.embedded_resource, found);
                }
            }
        }
        Value::Array(items) => {
            if let Some(child) = &schema.items {
                for (position, item) in items.iter_mut().enumerate() {
                    walk(child, item, &format!("{path}[{position}]"), child.embedded_resource, found);
                }
            }
        }
        _ => {}
    }
}

/// Members of every resource, whatever its schema says.
fn is_type_meta(name: &str) -> bool {
    matches!(name, "apiVersion" | "kind" | "metadata")
}

pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use super::{find, prune};
    use crate::schema::Schema;
    use serde_json::{Value, json};

    fn schema() -> Schema {
        Schema::from_openapi(&json!({"type": "object", "properties": {
            "spec": {"type": "object", "properties": {
                "image": {"type": "string"},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "list": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            }},
        }}))
        .expect("a schema")
    }

    #[test]
    fn unknown_fields_are_dropped_and_named() {
        let mut object = json!({
            "apiVersion": "v1", "kind": "K", "metadata": {"name": "n", "nonsense": 1},
            "spec": {"image": "i", "extra": 1, "labels": {"x": "y"}, "list": [{"a": "b", "c": 1}], "free": {"z": 1}},
            "other": {},
        });
        assert_eq!(find(&schema(), &object), ["other", "metadata.nonsense", "spec.extra", "spec.list[0].c"]);
        prune(&schema(), &mut object);
        assert_eq!(
            object,
            json!({"apiVersion": "v1", "kind": "K", "metadata": {"name": "n"},
                "spec": {"image": "i", "labels": {"x": "y"}, "list": [{"a": "b"}], "free": {"z": 1}}})
        );
        assert_eq!(prune(&schema(), &mut object), Vec::<String>::new());
    }

    #[test]
    fn managed_fields_are_not_pruned() {
        let object: Value =
            json!({"metadata": {"managedFields": [{"manager": "m", "fieldsV1": {"f:spec": {}}}]}});
        assert_eq!(find(&schema(), &object), Vec::<String>::new());
    }
}
