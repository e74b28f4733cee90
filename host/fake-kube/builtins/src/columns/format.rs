//! Texts that several tables need in their cells.

use serde_json::Value;

use crate::json::Fields;

/// What kubectl shows for a field that is empty.
pub(super) const NONE: &str = "<none>";

/// A text, or `<none>`.
pub(super) fn or_none(text: &str) -> String {
    if text.is_empty() { NONE.to_owned() } else { text.to_owned() }
}

/// `a=b,c=d`, or `<none>`.
pub(super) fn labels(owner: &Value, key: &str) -> String {
    let pairs: Vec<String> = owner
        .entries(key)
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
        .collect();
    or_none(&pairs.join(","))
}

/// A label selector in its string form, or `<none>`.
pub(super) fn selector(selector: &Value) -> String {
    let mut terms: Vec<String> = selector
        .entries("matchLabels")
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
        .collect();
    for expression in selector.list("matchExpressions") {
        let key = expression.text("key");
        let mut values: Vec<&str> = expression.list("values").iter().filter_map(Value::as_str).collect();
        values.sort_unstable();
        let values = values.join(",");
        terms.push(match expression.text("operator") {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    terms.sort_unstable();
    or_none(&terms.join(","))
}

/// Names and images of the containers of a pod spec.
pub(super) fn containers(pod_spec: &Value) -> [Value; 2] {
    ["name", "image"].map(|field| joined(pod_spec.list("containers").iter().map(|c| c.text(field))).into())
}

/// Texts separated by commas.
pub(super) fn joined<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    texts.collect::<Vec<_>>().join(",")
}

/// A number, a percentage or a quantity as text.
pub(super) fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Whether a condition of the type is true.
pub(super) fn condition(status: &Value, type_: &str) -> bool {
    status
        .list("conditions")
        .iter()
        .any(|condition| condition.text("type") == type_ && condition.text("status") == "True")
}

/// The first three, and how many more there are.
pub(super) fn first_three(all: &[String]) -> String {
    let shown = all.iter().take(3).cloned().collect::<Vec<_>>().join(",");
    match all.len() {
        0 => NONE.to_owned(),
        1..=3 => shown,
        count => format!("{shown} + {} more...", count - 3),
    }
}
