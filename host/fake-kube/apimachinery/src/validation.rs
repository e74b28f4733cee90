//! Validation of custom resources: first values, as kube-openapi checks them, then CEL rules.

use crate::cel::Rules;
use crate::ratcheting;
use crate::schema::{Schema, SchemaError};
use crate::status::Cause;
use crate::values::check;
use serde_json::Value;
use std::sync::{Arc, OnceLock};

/// A schema together with its compiled CEL rules.
///
/// ```
/// use fake_kube_apimachinery::validation::Validator;
/// use serde_json::json;
///
/// let validator = Validator::from_openapi(&json!({"type": "object", "properties": {
///     "size": {"type": "integer", "x-kubernetes-validations": [
///         {"rule": "self >= oldSelf", "message": "size cannot shrink"},
///     ]},
/// }}))?;
/// let causes = validator.validate(&json!({"size": 1}), Some(&json!({"size": 2})));
/// assert_eq!(causes[0].message, "Invalid value: 1: size cannot shrink");
/// # Ok::<(), fake_kube_apimachinery::schema::SchemaError>(())
/// ```
#[derive(Debug)]
pub struct Validator {
    schema: Arc<Schema>,
    openapi: Value,
    /// Compiled by the first validation that needs them: most definitions are stored more often
    /// than used.
    rules: OnceLock<Rules>,
}

impl Validator {
    /// Reads an OpenAPI v3 schema as CRDs contain it (`openAPIV3Schema`).
    ///
    /// # Errors
    /// When a part has the wrong type or a pattern does not compile.
    pub fn from_openapi(openapi: &Value) -> Result<Self, SchemaError> {
        let schema = Arc::new(Schema::from_openapi(openapi)?);
        Ok(Self { schema, openapi: openapi.clone(), rules: OnceLock::new() })
    }

    /// The schema.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The OpenAPI schema that this validator was made from.
    pub fn openapi(&self) -> &Value {
        &self.openapi
    }

    /// Returns everything that is wrong with `new`, in the order and the words of the API server.
    /// `old` is the object that `new` replaces: what is wrong with a value that it has already is not
    /// returned.
    pub fn validate(&self, new: &Value, old: Option<&Value>) -> Vec<Cause> {
        let schema = &*self.schema;
        let mut causes = Vec::new();
        check(schema, new, "", &mut causes);
        if let Some(old) = old {
            causes.retain(|cause| !ratcheting::is_old(cause, new, old));
        }
        if !schema.has_rules() {
            return causes;
        }
        if causes.iter().any(is_blocking) {
            // CEL assumes that types and bounds hold.
            causes.push(Cause {
                reason: "FieldValueInvalid",
                message:
                    "Invalid value: null: some validation rules were not checked because the object was \
                          invalid; correct the existing errors to complete validation"
                        .to_owned(),
                field: "<nil>".to_owned(),
            });
        } else {
            let rules = self.rules.get_or_init(|| Rules::compile(&self.openapi));
            causes.extend(rules.evaluate(schema, new, old));
        }
        causes
    }
}

/// Whether the API server skips CEL rules after this cause.
fn is_blocking(cause: &Cause) -> bool {
    matches!(
        cause.reason,
        "FieldValueNotSupported"
            | "FieldValueRequired"
            | "FieldValueTooLong"
            | "FieldValueTooMany"
            | "FieldValueTypeInvalid"
    )
}

#[cfg(test)]
mod tests {
    use super::Validator;
    use serde_json::{Value, json};

    /// The schema of the recorded exchanges 12 to 21.
    fn validator() -> Validator {
        Validator::from_openapi(&json!({"type": "object", "required": ["spec"], "properties": {"spec": {
            "type": "object",
            "x-kubernetes-validations": [{"rule": "self.replicas == 1 || has(self.shared)", "message": "several replicas need shared storage"}],
            "properties": {
                "image": {"type": "string", "minLength": 1},
                "replicas": {"type": "integer", "format": "int32", "minimum": 0},
                "shared": {"type": "boolean"},
                "fixed": {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "fixed is immutable"}]},
            },
        }}}))
        .expect("a schema")
    }

    fn messages(new: Value, old: Option<Value>) -> Vec<String> {
        let causes = validator().validate(&new, old.as_ref());
        causes.into_iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
    }

    #[test]
    fn messages_about_bounds_and_rules_are_the_recorded_ones() {
        assert_eq!(
            messages(json!({"spec": {"image": "", "replicas": -1}}), None),
            [
                r#"spec.image: Invalid value: "": spec.image in body should be at least 1 chars long"#,
                "spec.replicas: Invalid value: -1: spec.replicas in body should be greater than or equal to 0",
                "spec: Invalid value: several replicas need shared storage",
            ]
        );
        assert_eq!(messages(json!({"spec": {"image": "i", "replicas": 1}}), None), Vec::<String>::new());
    }

    #[test]
    fn rules_are_skipped_when_types_are_wrong() {
        assert_eq!(
            messages(json!({"spec": {"image": 3, "replicas": "two"}}), None),
            [
                r#"spec.image: Invalid value: "integer": spec.image in body must be of type string: "integer""#,
                r#"spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string""#,
                "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
            ]
        );
    }

    #[test]
    fn transition_rules_need_an_old_object() {
        let object = |fixed: &str| json!({"spec": {"image": "i", "replicas": 1, "fixed": fixed}});
        assert_eq!(messages(object("f"), None), Vec::<String>::new());
        assert_eq!(
            messages(object("g"), Some(object("f"))),
            [r#"spec.fixed: Invalid value: "g": fixed is immutable"#]
        );
    }

    #[test]
    fn an_update_need_not_correct_what_it_leaves_as_it_is() {
        let object = |image: &str, replicas: i64, fixed: &str| json!({"spec": {"image": image, "replicas": replicas, "fixed": fixed}});
        let old = object("", 2, "f");
        // Another field of the object whose rule does not hold, and not the one with the bound.
        assert_eq!(
            messages(object("", 2, "g"), Some(old.clone())),
            [
                "spec: Invalid value: several replicas need shared storage",
                r#"spec.fixed: Invalid value: "g": fixed is immutable"#
            ]
        );
        let mut status = old.clone();
        status["status"] = json!({"ready": true});
        assert_eq!(messages(status, Some(old)), Vec::<String>::new());
    }

    #[test]
    fn rules_of_a_field_that_is_null_are_not_evaluated() {
        let rule =
            |rule: &str, path: Option<&str>| json!([{"rule": rule, "message": "wrong", "fieldPath": path}]);
        let schema = json!({"type": "object", "properties": {
            "text": {"type": "string", "nullable": true, "x-kubernetes-validations": rule("size(self) > 1", None)},
            "part": {"type": "object", "nullable": true, "properties": {"size": {"type": "integer"}},
                "x-kubernetes-validations": rule("self.size > 1", Some(".size"))},
        }});
        let validator = Validator::from_openapi(&schema).expect("a schema");
        let count = |object: Value| validator.validate(&object, None).len();
        assert_eq!(count(json!({"text": null, "part": null})), 0);
        assert_eq!(count(json!({"text": "a", "part": {"size": 1}})), 2);
    }

    #[test]
    fn a_missing_required_field_is_reported() {
        assert_eq!(messages(json!({}), None)[0], "spec: Required value");
    }
}
