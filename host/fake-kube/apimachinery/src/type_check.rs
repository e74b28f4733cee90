//! Checks the JSON types of fields of built-in kinds, like Go's decoder.

use crate::schema::{Schema, Type};
use crate::status::ApiError;
use crate::unknown_fields::join;
use serde_json::Value;

/// Checks that every known field has the type that its schema says.
///
/// # Errors
/// 400 with the message of Go's decoder for the first field that has another type.
pub fn decode(schema: &Schema, kind: &str, version: &str, object: &Value) -> Result<(), ApiError> {
    match first_mismatch(schema, object, "") {
        None => Ok(()),
        Some((path, found, wanted)) => {
            let (parent, field) = path.rsplit_once('.').unwrap_or(("", &path));
            let place = if parent.is_empty() {
                format!("{kind}.{field}")
            } else {
                format!("{kind}.{parent}.{field}")
            };
            Err(ApiError::bad_request(format!(
                "{kind} in version {version:?} cannot be handled as a {kind}: json: cannot unmarshal {found} into Go struct field {place} of type {wanted}"
            )))
        }
    }
}

fn first_mismatch(schema: &Schema, value: &Value, path: &str) -> Option<(String, &'static str, String)> {
    if value.is_null() {
        return None;
    }
    let found = json_type(value);
    let fits = match schema.kind {
        _ if schema.int_or_string => matches!(value, Value::Number(_) | Value::String(_)),
        Type::Any => true,
        Type::Object => value.is_object(),
        Type::Array => value.is_array(),
        Type::String => value.is_string(),
        Type::Integer if schema.bounds.format.as_deref() == Some("int32") => {
            value.as_i64().is_some_and(|number| i32::try_from(number).is_ok())
        }
        Type::Integer => value.is_i64() || value.is_u64(),
        Type::Number => value.is_number(),
        Type::Boolean => value.is_boolean(),
    };
    if !fits {
        return Some((path.to_owned(), found, go_type(schema)));
    }
    match value {
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            schema.member(name).and_then(|child| first_mismatch(child, member, &join(path, name)))
        }),
        Value::Array(items) => {
            let child = schema.items.as_ref()?;
            items.iter().find_map(|item| first_mismatch(child, item, path))
        }
        _ => None,
    }
}

/// The name of a value's type in messages of Go's decoder.
pub fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn go_type(schema: &Schema) -> String {
    match (schema.kind, schema.bounds.format.as_deref()) {
        (Type::Integer, Some(format)) => format.to_owned(),
        (Type::Integer, None) => "int".to_owned(),
        (Type::Number, _) => "float64".to_owned(),
        (Type::Boolean, _) => "bool".to_owned(),
        (Type::String, _) => "string".to_owned(),
        (Type::Array, _) => {
            let item = schema.items.as_deref().map_or_else(String::new, go_type);
            format!("[]{item}")
        }
        (Type::Object, _) => match &schema.additional {
            Some(child) => format!("map[string]{}", go_type(child)),
            None => "struct".to_owned(),
        },
        (Type::Any, _) => "interface{}".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::decode;
    use crate::builtin_schema;
    use serde_json::json;

    #[test]
    fn the_first_wrong_type_is_named() {
        let schema = builtin_schema::schema("apps", "v1", "StatefulSet").expect("known");
        let good = json!({"spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "c", "ports": [{"containerPort": 1}]}]}}}});
        assert!(decode(&schema, "StatefulSet", "v1", &good).is_ok());
        let error =
            decode(&schema, "StatefulSet", "v1", &json!({"spec": {"replicas": "two"}})).expect_err("refused");
        assert_eq!(
            error.message,
            "StatefulSet in version \"v1\" cannot be handled as a StatefulSet: json: cannot unmarshal string into Go struct field StatefulSet.spec.replicas of type int32"
        );
        assert_eq!(error.code, 400);
    }
}
