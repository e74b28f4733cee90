//! Label selectors, and whether a workload selects the pods of its own template.

use fake_kube_apimachinery::status::Cause;
use serde_json::Value;

use super::causes::invalid;
use super::{metadata, names};
use crate::json::{Fields, is_empty};

/// Validates a label selector.
pub(super) fn label_selector(selector: &Value, path: &str, causes: &mut Vec<Cause>) {
    metadata::labels(selector, "matchLabels", &format!("{path}.matchLabels"), causes);
    for (index, expression) in selector.list("matchExpressions").iter().enumerate() {
        let path = format!("{path}.matchExpressions[{index}]");
        let values = expression.list("values");
        match expression.text("operator") {
            "In" | "NotIn" if values.is_empty() => causes.push(Cause::required(
                format!("{path}.values"),
                "must be specified when `operator` is 'In' or 'NotIn'",
            )),
            "Exists" | "DoesNotExist" if !values.is_empty() => causes.push(Cause::forbidden(
                format!("{path}.values"),
                "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            )),
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => causes.push(invalid(format!("{path}.operator"), other, "not a valid selector operator")),
        }
        let key = expression.text("key");
        causes.extend(
            names::qualified_name(key).iter().map(|wrong| invalid(format!("{path}.key"), key, wrong)),
        );
    }
}

/// Validates the selector of a workload, and that its template's labels match it.
pub(super) fn workload_selector(spec: &Value, kind: &str, causes: &mut Vec<Cause>) {
    let selector = spec.at("selector");
    if selector.is_null() {
        causes.push(Cause::required("spec.selector", ""));
        return;
    }
    label_selector(selector, "spec.selector", causes);
    if is_empty(selector.at("matchLabels")) && is_empty(selector.at("matchExpressions")) {
        let sentence = format!("empty selector is invalid for {kind}");
        causes.push(Cause::invalid("spec.selector", selector, &sentence));
        return;
    }
    check_template(selector, spec, causes);
}

/// Validates that the labels of a workload's pod template match its selector.
pub(super) fn check_template(selector: &Value, spec: &Value, causes: &mut Vec<Cause>) {
    let labels = spec.path(&["template", "metadata", "labels"]);
    if !matches(selector, labels) {
        let sentence = "`selector` does not match template `labels`";
        causes.push(Cause::invalid("spec.template.metadata.labels", labels, sentence));
    }
}

/// Whether labels satisfy a selector.
fn matches(selector: &Value, labels: &Value) -> bool {
    let by_label = selector.entries("matchLabels").all(|(key, value)| labels.get(key) == Some(value));
    by_label
        && selector.list("matchExpressions").iter().all(|expression| {
            let value = labels.get(expression.text("key"));
            let listed = value.is_some_and(|value| expression.list("values").contains(value));
            match expression.text("operator") {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                _ => false,
            }
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_match_labels() {
        let labels = json!({"app": "s", "tier": "db"});
        let expression = |operator: &str, values: Value| json!({"matchExpressions": [{"key": "app", "operator": operator, "values": values}]});
        for (selector, expected) in [
            (json!({"matchLabels": {"app": "s"}}), true),
            (json!({"matchLabels": {"app": "t"}}), false),
            (json!({"matchLabels": {"other": "s"}}), false),
            (expression("In", json!(["r", "s"])), true),
            (expression("NotIn", json!(["s"])), false),
            (expression("Exists", json!([])), true),
            (expression("DoesNotExist", json!([])), false),
        ] {
            assert_eq!(matches(&selector, &labels), expected, "{selector}");
        }
    }
}
