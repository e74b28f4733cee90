//! The CEL rules of CRDs (`x-kubernetes-validations`), evaluated by `kube-cel`.

use crate::ratcheting;
use crate::schema::Schema;
use crate::status::Cause;
use kube_cel::{CompiledSchema, ErrorKind, Validator};
use serde_json::Value;

/// The compiled rules of a schema.
pub struct Rules(CompiledSchema);

impl std::fmt::Debug for Rules {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Rules")
    }
}

impl Rules {
    /// Compiles the rules of an OpenAPI schema and of all schemas below it.
    ///
    /// A rule that does not compile is an error of every evaluation.
    pub fn compile(openapi: &Value) -> Self {
        Self(kube_cel::compile_schema(openapi))
    }

    /// Evaluates all rules against `new`, and returns one cause per rule that does not hold.
    ///
    /// Transition rules (those that use `oldSelf`) are evaluated only when there is an old object,
    /// and the rules of a field only when its value is not null and not that of the old object.
    /// `schema` is the schema that the rules were compiled from.
    pub fn evaluate(&self, schema: &Schema, new: &Value, old: Option<&Value>) -> Vec<Cause> {
        let found = Validator::new().validate_compiled(&self.0, new, old);
        let errors = found.err().map(kube_cel::ValidationErrors::into_vec).unwrap_or_default();
        let errors = errors.into_iter().filter(|error| {
            let path = path_of_rule(schema, error);
            let is_null = scalar_at(new, path).is_some_and(Value::is_null);
            // A rule that compares with the old object is about the change itself.
            let stays = !error.rule.contains("oldSelf")
                && old.is_some_and(|old| ratcheting::is_unchanged(new, old, path));
            !is_null && !stays
        });
        errors.map(|error| cause(schema, new, &error)).collect()
    }
}

fn cause(schema: &Schema, new: &Value, error: &kube_cel::ValidationError) -> Cause {
    let reason = match error.reason.as_deref() {
        Some("FieldValueForbidden") => "FieldValueForbidden",
        Some("FieldValueRequired") => "FieldValueRequired",
        Some("FieldValueDuplicate") => "FieldValueDuplicate",
        _ => "FieldValueInvalid",
    };
    let label = match reason {
        "FieldValueForbidden" => "Forbidden",
        "FieldValueRequired" => "Required value",
        "FieldValueDuplicate" => "Duplicate value",
        _ => "Invalid value",
    };
    let detail = match error.kind {
        ErrorKind::ValidationFailure => error.message.clone(),
        _ => format!("rule {:?} cannot be evaluated: {}", error.rule, error.message),
    };
    // The API server does not show the values of objects, and a rule with a `fieldPath` is a rule
    // of an object.
    let value = match field_path_of_rule(schema, &error.rule) {
        Some(_) => None,
        None => scalar_at(new, &error.field_path),
    };
    let message = match value {
        Some(value) if matches!(reason, "FieldValueInvalid" | "FieldValueDuplicate") => {
            format!("{label}: {value}: {detail}")
        }
        _ => format!("{label}: {detail}"),
    };
    let field = if error.field_path.is_empty() { "<nil>".to_owned() } else { error.field_path.clone() };
    Cause { reason, message, field }
}

/// The path of the field that the rule belongs to, which need not be the one that it blames.
fn path_of_rule<'e>(schema: &Schema, error: &'e kube_cel::ValidationError) -> &'e str {
    let blamed =
        field_path_of_rule(schema, &error.rule).map(|path| format!(".{}", path.trim_start_matches('.')));
    blamed.and_then(|blamed| error.field_path.strip_suffix(&blamed)).unwrap_or(&error.field_path)
}

/// The field that a rule blames instead of its own.
fn field_path_of_rule<'s>(schema: &'s Schema, text: &str) -> Option<&'s str> {
    let own = schema.rules.iter().find(|rule| rule.rule == text).and_then(|rule| rule.field_path.as_deref());
    let mut below = schema.properties.values().chain(&schema.items).chain(&schema.additional);
    own.or_else(|| below.find_map(|child| field_path_of_rule(child, text)))
}

fn scalar_at<'v>(object: &'v Value, path: &str) -> Option<&'v Value> {
    let mut place = object;
    for part in path.split('.') {
        let (name, indices) = part.split_once('[').unwrap_or((part, ""));
        if !name.is_empty() {
            place = place.get(name)?;
        }
        for index in indices.split('[').filter(|index| !index.is_empty()) {
            place = place.get(index.trim_end_matches(']').parse::<usize>().ok()?)?;
        }
    }
    (!place.is_object() && !place.is_array()).then_some(place)
}
