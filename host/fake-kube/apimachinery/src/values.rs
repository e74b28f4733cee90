//! Checks values against a schema, as kube-openapi does.

use crate::schema::{ListType, Schema, Type};
use crate::status::Cause;
use crate::unknown_fields::join;
use serde_json::{Value, json};

/// Adds everything that is wrong with a value, but for CEL rules. `path` is where the value is.
pub(crate) fn check(schema: &Schema, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    if value.is_null() && schema.nullable {
        return;
    }
    if !has_type(schema, value) {
        let found = json!(type_name(value));
        let wanted = if schema.int_or_string { "integer,string" } else { schema.kind.name() };
        causes.push(Cause {
            reason: "FieldValueTypeInvalid",
            message: format!("Invalid value: {found}: {path} in body must be of type {wanted}: {found}"),
            field: path.to_owned(),
        });
        return;
    }
    match value {
        Value::Object(members) => {
            for name in &schema.required {
                if !members.contains_key(name) {
                    causes.push(Cause::required(join(path, name), ""));
                }
            }
            check_size(schema, members.len(), path, causes);
            for (name, member) in members {
                if let Some(child) = schema.member(name) {
                    let below = if schema.properties.contains_key(name) {
                        join(path, name)
                    } else {
                        format!("{path}.{name}")
                    };
                    check(child, member, &below, causes);
                }
            }
        }
        Value::Array(items) => {
            check_items(schema, items, path, causes);
            if let Some(child) = &schema.items {
                for (position, item) in items.iter().enumerate() {
                    check(child, item, &format!("{path}[{position}]"), causes);
                }
            }
        }
        Value::String(text) => check_text(schema, text, path, causes),
        Value::Number(number) => {
            check_number(schema, number.as_f64().unwrap_or_default(), value, path, causes)
        }
        _ => {}
    }
    let allowed = &schema.bounds.one_of_values;
    if !allowed.is_empty() && !allowed.contains(value) {
        let names: Vec<String> = allowed.iter().map(Value::to_string).collect();
        causes.push(Cause {
            reason: "FieldValueNotSupported",
            message: format!("Unsupported value: {value}: supported values: {}", names.join(", ")),
            field: path.to_owned(),
        });
    }
    check_combinators(schema, value, path, causes);
}

fn check_combinators(schema: &Schema, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let combinators = &schema.combinators;
    for part in &combinators.all_of {
        check(part, value, path, causes);
    }
    let holds = |part: &Schema| {
        let mut found = Vec::new();
        check(part, value, path, &mut found);
        found.is_empty()
    };
    if !combinators.any_of.is_empty() && !combinators.any_of.iter().any(|part| holds(part)) {
        causes.push(invalid(path, &json!(""), format!("{path:?} must validate at least one schema (anyOf)")));
    }
    if !combinators.one_of.is_empty() && combinators.one_of.iter().filter(|part| holds(part)).count() != 1 {
        causes.push(invalid(
            path,
            &json!(""),
            format!("{path:?} must validate one and only one schema (oneOf)"),
        ));
    }
    if combinators.not.as_ref().is_some_and(|part| holds(part)) {
        causes.push(invalid(path, &json!(""), format!("{path:?} must not validate the schema (not)")));
    }
}

fn invalid(path: &str, value: &Value, detail: String) -> Cause {
    Cause::invalid(path, value, &detail)
}

fn has_type(schema: &Schema, value: &Value) -> bool {
    if schema.int_or_string {
        return value.is_string() || value.is_i64() || value.is_u64();
    }
    match schema.kind {
        Type::Any => true,
        Type::Object => value.is_object(),
        Type::Array => value.is_array(),
        Type::String => value.is_string(),
        Type::Integer => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        Type::Number => value.is_number(),
        Type::Boolean => value.is_boolean(),
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn check_text(schema: &Schema, text: &str, path: &str, causes: &mut Vec<Cause>) {
    let bounds = &schema.bounds;
    let length = text.chars().count() as u64;
    let shown = json!(text);
    if let Some(limit) = bounds.max_length.filter(|limit| length > *limit) {
        causes.push(Cause {
            reason: "FieldValueTooLong",
            message: format!("Too long: may not be more than {limit} bytes"),
            field: path.to_owned(),
        });
    }
    if let Some(limit) = bounds.min_length.filter(|limit| length < *limit) {
        causes.push(invalid(path, &shown, format!("{path} in body should be at least {limit} chars long")));
    }
    if let Some((pattern, regex)) = &bounds.pattern
        && !regex.is_match(text)
    {
        causes.push(invalid(path, &shown, format!("{path} in body should match '{pattern}'")));
    }
    if bounds.format.as_deref() == Some("date-time") && !is_date_time(text) {
        causes.push(invalid(path, &shown, format!("{path} in body must be of type date-time: {shown}")));
    }
}

/// Whether the text has the shape of RFC 3339. Whether the date exists is not checked.
fn is_date_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| {
        bytes.get(range).is_some_and(|part| part.iter().all(u8::is_ascii_digit))
    };
    let at = |position: usize, wanted: &[u8]| bytes.get(position).is_some_and(|byte| wanted.contains(byte));
    digits(0..4)
        && at(4, b"-")
        && digits(5..7)
        && at(7, b"-")
        && digits(8..10)
        && at(10, b"Tt ")
        && digits(11..13)
        && at(13, b":")
        && digits(14..16)
        && at(16, b":")
        && digits(17..19)
        && bytes.len() > 19
}

fn check_number(schema: &Schema, number: f64, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let bounds = &schema.bounds;
    if let Some((limit, exclusive)) = bounds.maximum
        && (number > limit || (exclusive && number >= limit))
    {
        let relation = if exclusive { "less than" } else { "less than or equal to" };
        causes.push(invalid(path, value, format!("{path} in body should be {relation} {limit}")));
    }
    if let Some((limit, exclusive)) = bounds.minimum
        && (number < limit || (exclusive && number <= limit))
    {
        let relation = if exclusive { "greater than" } else { "greater than or equal to" };
        causes.push(invalid(path, value, format!("{path} in body should be {relation} {limit}")));
    }
    if let Some(step) = bounds.multiple_of
        && (number / step).fract() != 0.0
    {
        causes.push(invalid(path, value, format!("{path} in body should be a multiple of {step}")));
    }
    if bounds.format.as_deref() == Some("int32") && i32::try_from(number as i64).is_err() {
        causes.push(invalid(path, value, format!("{path} in body must be of type int32: {value}")));
    }
}

fn check_items(schema: &Schema, items: &[Value], path: &str, causes: &mut Vec<Cause>) {
    let count = items.len() as u64;
    if let Some(limit) = schema.bounds.max_items.filter(|limit| count > *limit) {
        causes.push(Cause {
            reason: "FieldValueTooMany",
            message: format!("Too many: {count}: must have at most {limit} items"),
            field: path.to_owned(),
        });
    }
    if let Some(limit) = schema.bounds.min_items.filter(|limit| count < *limit) {
        causes.push(invalid(
            path,
            &json!(count),
            format!("{path} in body should have at least {limit} items"),
        ));
    }
    let identity = |item: &Value| match &schema.list_type {
        ListType::Atomic => None,
        ListType::Set => Some(item.clone()),
        ListType::Map(keys) => Some(
            keys.iter().filter_map(|key| item.get(key).map(|value| (key.clone(), value.clone()))).collect(),
        ),
    };
    let mut seen = Vec::new();
    for (position, item) in items.iter().enumerate() {
        let Some(identity) = identity(item) else { break };
        if seen.contains(&identity) {
            causes.push(Cause {
                reason: "FieldValueDuplicate",
                message: format!("Duplicate value: {identity}"),
                field: format!("{path}[{position}]"),
            });
        }
        seen.push(identity);
    }
}

fn check_size(schema: &Schema, count: usize, path: &str, causes: &mut Vec<Cause>) {
    let count = count as u64;
    if let Some(limit) = schema.bounds.max_properties.filter(|limit| count > *limit) {
        causes.push(Cause {
            reason: "FieldValueTooMany",
            message: format!("Too many: {count}: must have at most {limit} items"),
            field: path.to_owned(),
        });
    }
    if let Some(limit) = schema.bounds.min_properties.filter(|limit| count < *limit) {
        causes.push(invalid(
            path,
            &json!(count),
            format!("{path} in body should have at least {limit} properties"),
        ));
    }
}
