//! HorizontalPodAutoscalers of autoscaling/v2 (`pkg/apis/autoscaling/validation`).

use fake_kube_apimachinery::quantity::Quantity;
use fake_kube_apimachinery::status::Cause;
use serde_json::Value;

use super::causes::{invalid, unsupported};
use super::names;
use crate::json::Fields;

/// The longest stabilization window, in seconds.
const LONGEST_WINDOW: i64 = 3600;
/// The longest period of a scaling policy, in seconds.
const LONGEST_PERIOD: i64 = 1800;

/// Metric types and the field that each of them has.
const SOURCES: [(&str, &str); 5] = [
    ("Object", "object"),
    ("External", "external"),
    ("Pods", "pods"),
    ("Resource", "resource"),
    ("ContainerResource", "containerResource"),
];

/// Validates an autoscaler.
pub(super) fn autoscaler(object: &Value, causes: &mut Vec<Cause>) {
    let spec = object.at("spec");
    let (minimum, maximum) =
        (spec.integer("minReplicas").unwrap_or(1), spec.integer("maxReplicas").unwrap_or(0));
    if minimum < 1 {
        let sentence = "must be greater than or equal to 1";
        causes.push(Cause::invalid("spec.minReplicas", spec.at("minReplicas"), sentence));
    }
    if maximum < 1 {
        causes.push(Cause::invalid("spec.maxReplicas", &maximum.into(), "must be greater than 0"));
    }
    if maximum < minimum {
        let sentence = "must be greater than or equal to `minReplicas`";
        causes.push(Cause::invalid("spec.maxReplicas", &maximum.into(), sentence));
    }
    reference(spec.at("scaleTargetRef"), "spec.scaleTargetRef", causes);
    for (index, one) in spec.list("metrics").iter().enumerate() {
        metric(one, &format!("spec.metrics[{index}]"), causes);
    }
    for direction in ["scaleUp", "scaleDown"] {
        let rules = spec.path(&["behavior", direction]);
        if !rules.is_null() {
            scaling_rules(rules, &format!("spec.behavior.{direction}"), causes);
        }
    }
}

/// A reference to an object by kind and name.
fn reference(reference: &Value, path: &str, causes: &mut Vec<Cause>) {
    for field in ["kind", "name"] {
        segment(reference, field, "", path, causes);
    }
}

/// A required text that can be a segment of a URL path.
fn segment(object: &Value, field: &str, detail: &str, path: &str, causes: &mut Vec<Cause>) {
    let value = object.text(field);
    if value.is_empty() {
        causes.push(Cause::required(format!("{path}.{field}"), detail));
    } else {
        let wrong = names::path_segment(value);
        causes.extend(wrong.iter().map(|wrong| invalid(format!("{path}.{field}"), value, wrong)));
    }
}

fn metric(metric: &Value, path: &str, causes: &mut Vec<Cause>) {
    let type_ = metric.text("type");
    if type_.is_empty() {
        causes.push(Cause::required(format!("{path}.type"), "must specify a metric source type"));
    }
    let expected = SOURCES.iter().find(|(name, _)| *name == type_).map(|(_, field)| *field);
    if expected.is_none() {
        let known = SOURCES.map(|(name, _)| name);
        causes.push(unsupported(format!("{path}.type"), type_, &known));
    }
    let present: Vec<&str> =
        SOURCES.iter().map(|(_, field)| *field).filter(|field| metric.has(field)).collect();
    if let Some(first) = present.first() {
        source(first, metric.at(first), &format!("{path}.{first}"), causes);
    }
    if let Some(expected) = expected.filter(|expected| !present.contains(expected)) {
        let sentence = "must populate information for the given metric source";
        causes.push(Cause::required(format!("{path}.{expected}"), sentence));
    }
    if present.len() != 1 {
        for other in present.iter().filter(|field| Some(**field) != expected) {
            let sentence = "must populate the given metric source only";
            causes.push(Cause::forbidden(format!("{path}.{other}"), sentence));
        }
    }
}

fn source(field: &str, source: &Value, path: &str, causes: &mut Vec<Cause>) {
    let goal = source.at("target");
    let missing = |field: &str| !goal.has(field);
    let target_field = |field: &str| format!("{path}.target.{field}");
    match field {
        "object" => reference(source.at("describedObject"), &format!("{path}.describedObject"), causes),
        "containerResource" => {
            for (field, sentence) in
                [("name", "must specify a resource name"), ("container", "must specify a container")]
            {
                if source.text(field).is_empty() {
                    causes.push(Cause::required(format!("{path}.{field}"), sentence));
                }
            }
        }
        "resource" if source.text("name").is_empty() => {
            causes.push(Cause::required(format!("{path}.name"), "must specify a resource name"));
        }
        _ => {}
    }
    if matches!(field, "object" | "external" | "pods") {
        let metric = format!("{path}.metric");
        segment(source.at("metric"), "name", "must specify a metric name", &metric, causes);
    }
    target(goal, &format!("{path}.target"), causes);
    match field {
        "object" if missing("value") && missing("averageValue") => {
            let sentence = "must set either a target value or averageValue";
            causes.push(Cause::required(target_field("averageValue"), sentence));
        }
        "external" if missing("value") && missing("averageValue") => {
            let sentence = "must set either a target value for metric or a per-pod target";
            causes.push(Cause::required(target_field("averageValue"), sentence));
        }
        "external" if !missing("value") && !missing("averageValue") => {
            let sentence = "may not set both a target value for metric and a per-pod target";
            causes.push(Cause::forbidden(target_field("value"), sentence));
        }
        "pods" if !is_positive(goal.at("averageValue")) => {
            let sentence = "must specify a positive target averageValue";
            causes.push(Cause::required(target_field("averageValue"), sentence));
        }
        "resource" | "containerResource" if missing("averageUtilization") && missing("averageValue") => {
            let sentence = "must set either a target raw value or a target utilization";
            causes.push(Cause::required(target_field("averageUtilization"), sentence));
        }
        "resource" | "containerResource" if !missing("averageUtilization") && !missing("averageValue") => {
            let sentence = "may not set both a target raw value and a target utilization";
            causes.push(Cause::forbidden(target_field("averageValue"), sentence));
        }
        _ => {}
    }
}

fn target(target: &Value, path: &str, causes: &mut Vec<Cause>) {
    let type_ = target.text("type");
    if type_.is_empty() {
        causes.push(Cause::required(format!("{path}.type"), "must specify a metric target type"));
    }
    if !matches!(type_, "Utilization" | "Value" | "AverageValue") {
        let sentence = "must be either Utilization, Value, or AverageValue";
        causes.push(invalid(format!("{path}.type"), type_, sentence));
    }
    for field in ["value", "averageValue"] {
        if target.has(field) && !is_positive(target.at(field)) {
            causes.push(Cause::invalid(format!("{path}.{field}"), target.at(field), "must be positive"));
        }
    }
    if target.integer("averageUtilization").is_some_and(|percent| percent < 1) {
        let field = format!("{path}.averageUtilization");
        causes.push(Cause::invalid(field, target.at("averageUtilization"), "must be greater than 0"));
    }
}

fn is_positive(quantity: &Value) -> bool {
    quantity.as_str().and_then(Quantity::parse).is_some_and(|quantity| quantity.nanos() > 0)
}

fn scaling_rules(rules: &Value, path: &str, causes: &mut Vec<Cause>) {
    if let Some(seconds) = rules.integer("stabilizationWindowSeconds") {
        let field = format!("{path}.stabilizationWindowSeconds");
        if seconds < 0 {
            causes.push(Cause::invalid(field, &seconds.into(), "must be greater than or equal to zero"));
        } else if seconds > LONGEST_WINDOW {
            let sentence = format!("must be less than or equal to {LONGEST_WINDOW}");
            causes.push(Cause::invalid(field, &seconds.into(), &sentence));
        }
    }
    let select = rules.text("selectPolicy");
    let known = ["Max", "Min", "Disabled"];
    if rules.has("selectPolicy") && !known.contains(&select) {
        causes.push(unsupported(format!("{path}.selectPolicy"), select, &known));
    }
    if rules.list("policies").is_empty() {
        causes.push(Cause::required(format!("{path}.policies"), "must specify at least one Policy"));
    }
    for (index, policy) in rules.list("policies").iter().enumerate() {
        let path = format!("{path}.policies[{index}]");
        let type_ = policy.text("type");
        if !matches!(type_, "Pods" | "Percent") {
            causes.push(unsupported(format!("{path}.type"), type_, &["Pods", "Percent"]));
        }
        for field in ["value", "periodSeconds"] {
            let number = policy.integer(field).unwrap_or(0);
            if number <= 0 {
                let sentence = "must be greater than zero";
                causes.push(Cause::invalid(format!("{path}.{field}"), &number.into(), sentence));
            } else if field == "periodSeconds" && number > LONGEST_PERIOD {
                let sentence = format!("must be less than or equal to {LONGEST_PERIOD}");
                causes.push(Cause::invalid(format!("{path}.{field}"), &number.into(), &sentence));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::autoscaler;
    use serde_json::{Value, json};

    fn complaints(metrics: Value, behavior: Value) -> Vec<String> {
        let object = json!({"spec": {
            "scaleTargetRef": {"kind": "StatefulSet", "name": "s"}, "minReplicas": 1, "maxReplicas": 3,
            "metrics": metrics, "behavior": behavior,
        }});
        let mut causes = Vec::new();
        autoscaler(&object, &mut causes);
        causes.into_iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
    }

    #[test]
    fn every_metric_has_exactly_the_source_of_its_type() {
        let cpu = json!({"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}});
        assert_eq!(complaints(json!([{"type": "Resource", "resource": cpu}]), Value::Null), [""; 0]);
        assert_eq!(
            complaints(json!([{"type": "Pods", "resource": cpu}, {"type": "Nothing"}]), Value::Null),
            [
                "spec.metrics[0].pods: Required value: must populate information for the given metric source",
                "spec.metrics[1].type: Unsupported value: \"Nothing\": supported values: \
                 \"ContainerResource\", \"External\", \"Object\", \"Pods\", \"Resource\"",
            ]
        );
    }

    #[test]
    fn targets_must_be_positive_and_complete() {
        let pods = |target: Value| json!([{"type": "Pods", "pods": {"metric": {}, "target": target}}]);
        assert_eq!(
            complaints(pods(json!({"type": "Some", "averageValue": "0"})), Value::Null),
            [
                "spec.metrics[0].pods.metric.name: Required value: must specify a metric name",
                "spec.metrics[0].pods.target.type: Invalid value: \"Some\": must be either Utilization, Value, or \
                 AverageValue",
                "spec.metrics[0].pods.target.averageValue: Invalid value: \"0\": must be positive",
                "spec.metrics[0].pods.target.averageValue: Required value: must specify a positive target \
                 averageValue",
            ]
        );
    }

    #[test]
    fn scaling_policies_have_bounds() {
        let policy = json!({"type": "Pods", "value": 0, "periodSeconds": 4000});
        let behavior = json!({
            "scaleUp": {"stabilizationWindowSeconds": 4000, "selectPolicy": "Most", "policies": [policy]},
        });
        assert_eq!(
            complaints(json!([]), behavior),
            [
                "spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 4000: must be less than or equal \
                 to 3600",
                "spec.behavior.scaleUp.selectPolicy: Unsupported value: \"Most\": supported values: \"Disabled\", \
                 \"Max\", \"Min\"",
                "spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero",
                "spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 4000: must be less than or equal \
                 to 1800",
            ]
        );
    }
}
