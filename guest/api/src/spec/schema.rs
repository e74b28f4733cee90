//! What several parts of the schema share.

use crate::sentences;

/// Names of namespaces (RFC 1123 labels).
const NAMESPACE_RULE: &str = "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')";

/// Names of namespaces, with the rule on each of them, so that its sentence follows the wrong one.
pub(crate) fn namespaces_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let mut schema = generator.subschema_for::<Option<Vec<String>>>();
    schema.insert("maxItems".to_owned(), 64.into());
    let items = serde_json::json!({
        "type": "string",
        "maxLength": 63,
        "x-kubernetes-validations": [kube::core::Rule::new(NAMESPACE_RULE).message(sentences::NAMESPACE)],
    });
    schema.insert("items".to_owned(), items);
    schema
}

/// The default of fields that are on unless they are switched off.
pub fn default_true() -> bool {
    true
}
