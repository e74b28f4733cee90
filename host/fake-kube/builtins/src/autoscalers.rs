//! HorizontalPodAutoscalers in autoscaling/v1 and autoscaling/v2.
//!
//! Version 1 has a target for the CPU utilization only. The other parts of a v2 object travel in
//! annotations (`k8s.io/api/autoscaling/v1`), so that an object that is read and written in v1
//! keeps them. A real server writes the annotations in an older format of the metrics; here they
//! have the format of v2.

use serde_json::{Map, Value, json};

use crate::json::{Fields, ensure, is_empty, remove, set};

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";
const CURRENT_METRICS: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";

/// Annotations of v1, each with the fields of v2 that it stands for.
const ANNOTATED: [(&str, &str, &str); 4] = [
    (METRICS, "spec", "metrics"),
    (BEHAVIOR, "spec", "behavior"),
    (CURRENT_METRICS, "status", "currentMetrics"),
    (CONDITIONS, "status", "conditions"),
];

/// The object in autoscaling/v1.
pub fn autoscaler_to_v1(object: &Value) -> Value {
    let mut v1 = object.clone();
    set(&mut v1, "apiVersion", "autoscaling/v1");
    for (part, metrics, target) in [
        ("spec", "metrics", "targetCPUUtilizationPercentage"),
        ("status", "currentMetrics", "currentCPUUtilizationPercentage"),
    ] {
        let Some(part) = v1.get_mut(part).filter(|part| part.is_object()) else { continue };
        let mut others = part.list(metrics).to_vec();
        let cpu = others.iter().position(|metric| cpu_utilization(metric).is_some());
        if let Some(utilization) = cpu.and_then(|position| cpu_utilization(&others.remove(position))) {
            set(part, target, utilization);
        }
        set(part, metrics, others);
    }
    for (annotation, part, field) in ANNOTATED {
        let Some(value) = v1.get_mut(part).and_then(Value::as_object_mut).and_then(|map| map.remove(field))
        else {
            continue;
        };
        if is_empty(&value) {
            continue;
        }
        if let Some(annotations) = ensure(&mut v1, "metadata").and_then(|meta| ensure(meta, "annotations")) {
            set(annotations, annotation, value.to_string());
        }
    }
    v1
}

/// The object in autoscaling/v2. Annotations that cannot be read are dropped.
pub fn autoscaler_to_v2(object: &Value) -> Value {
    let mut v2 = object.clone();
    set(&mut v2, "apiVersion", "autoscaling/v2");
    for (annotation, part, field) in ANNOTATED {
        let annotations = v2.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut);
        let Some(Value::String(text)) = annotations.and_then(|map: &mut Map<_, _>| map.remove(annotation))
        else {
            continue;
        };
        if let (Ok(value), Some(part)) = (serde_json::from_str::<Value>(&text), ensure(&mut v2, part)) {
            set(part, field, value);
        }
    }
    if let Some(metadata) = v2.get_mut("metadata")
        && is_empty(metadata.at("annotations"))
    {
        remove(metadata, "annotations");
    }
    for (part, metrics, target, key) in [
        ("spec", "metrics", "targetCPUUtilizationPercentage", "target"),
        ("status", "currentMetrics", "currentCPUUtilizationPercentage", "current"),
    ] {
        let Some(part) = v2.get_mut(part).and_then(Value::as_object_mut) else { continue };
        let Some(utilization) = part.remove(target).and_then(|percent| percent.as_i64()) else { continue };
        let mut value = json!({"averageUtilization": utilization});
        if key == "target" {
            set(&mut value, "type", "Utilization");
        }
        let cpu = json!({"type": "Resource", "resource": {"name": "cpu", key: value}});
        let metrics = part.entry(metrics).or_insert_with(|| json!([]));
        if let Some(metrics) = metrics.as_array_mut() {
            metrics.insert(0, cpu);
        }
    }
    v2
}

/// The CPU utilization that a metric aims at or has, in percent.
fn cpu_utilization(metric: &Value) -> Option<i64> {
    let resource = metric.at("resource");
    if metric.text("type") != "Resource" || resource.text("name") != "cpu" {
        return None;
    }
    let value = if resource.has("target") { resource.at("target") } else { resource.at("current") };
    value.integer("averageUtilization")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_target_is_a_number_in_v1() {
        let v1 = json!({"apiVersion": "autoscaling/v1", "metadata": {"name": "a"}, "spec": {
            "scaleTargetRef": {"kind": "StatefulSet", "name": "s"}, "maxReplicas": 3,
            "targetCPUUtilizationPercentage": 80,
        }});
        let v2 = autoscaler_to_v2(&v1);
        assert_eq!(
            v2["spec"]["metrics"],
            json!([{"type": "Resource", "resource":
                {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}])
        );
        assert_eq!(autoscaler_to_v1(&v2), v1);
    }

    #[test]
    fn parts_that_v1_lacks_survive_a_round_trip() {
        let v2 = json!({
            "apiVersion": "autoscaling/v2", "metadata": {"name": "a", "annotations": {"other": "kept"}},
            "spec": {
                "maxReplicas": 3,
                "metrics": [
                    {"type": "Resource", "resource":
                        {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}},
                    {"type": "Pods", "pods":
                        {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "1"}}},
                ],
                "behavior": {"scaleDown": {"selectPolicy": "Disabled"}},
            },
            "status": {"currentReplicas": 1, "conditions": [{"type": "AbleToScale", "status": "True"}]},
        });
        let v1 = autoscaler_to_v1(&v2);
        assert_eq!(v1["spec"], json!({"maxReplicas": 3, "targetCPUUtilizationPercentage": 50}));
        assert_eq!(v1["status"], json!({"currentReplicas": 1}));
        assert_eq!(v1["metadata"]["annotations"].as_object().unwrap().len(), 4);
        assert_eq!(autoscaler_to_v2(&v1), v2);
    }
}
