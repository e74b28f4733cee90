//! What several parts of the schema share.

use crate::pattern::{REPOSITORY_PATTERN, TAG_PATTERN};
use crate::sentences;

/// Names of namespaces (RFC 1123 labels).
const NAMESPACE_RULE: &str = "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')";
/// Patterns of tags.
const TAG_RULE: &str = "self.matches('^[A-Za-z0-9_.*?-]+$')";
/// Patterns of repositories.
const REPOSITORY_RULE: &str = "self.matches('^[a-z0-9_.*?-]+(/[a-z0-9_.*?-]+)*$')";
/// Schedules of CronJobs: names, or five fields. The component reads whether the numbers of the fields
/// are within their bounds.
pub(crate) const SCHEDULE_RULE: &str = r"self in ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly'] || self.matches('^\\s*[0-9A-Za-z*?,/-]+(\\s+[0-9A-Za-z*?,/-]+){4}\\s*$')";

/// Names of namespaces.
pub(crate) fn namespaces_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    texts_schema(generator, [0, 64], [0, 63], NAMESPACE_RULE, sentences::NAMESPACE)
}

/// Patterns of tags.
pub(crate) fn tag_patterns_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    texts_schema(generator, [1, 32], [1, 128], TAG_RULE, TAG_PATTERN)
}

/// Names or patterns of repositories.
pub(crate) fn repository_patterns_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    texts_schema(generator, [1, 32], [1, 128], REPOSITORY_RULE, REPOSITORY_PATTERN)
}

/// An optional list of texts, with the rule on each of them, so that its sentence follows the wrong
/// one. Bounds are the smallest and the largest number of items and of characters; 0 is none.
fn texts_schema(
    generator: &mut schemars::SchemaGenerator,
    items: [u32; 2],
    characters: [u32; 2],
    rule: &str,
    sentence: &str,
) -> schemars::Schema {
    let mut schema = generator.subschema_for::<Option<Vec<String>>>();
    let mut text = serde_json::json!({
        "type": "string",
        "maxLength": characters[1],
        "x-kubernetes-validations": [kube::core::Rule::new(rule).message(sentence)],
    });
    if characters[0] > 0 {
        text["minLength"] = characters[0].into();
    }
    if items[0] > 0 {
        schema.insert("minItems".to_owned(), items[0].into());
    }
    schema.insert("maxItems".to_owned(), items[1].into());
    schema.insert("items".to_owned(), text);
    schema
}

/// The default of fields that are on unless they are switched off.
pub fn default_true() -> bool {
    true
}
