//! HorizontalPodAutoscalers in both versions. Nothing scales the target.

use fake_kube_server::{ApiServer, Options};
use serde_json::{Value, json};

use crate::common::{Events, expect, version};

const V1: &str = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers";
const V2: &str = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers";

fn autoscaler(version: &str, spec: Value) -> Value {
    let mut object = json!({
        "apiVersion": format!("autoscaling/{version}"), "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "a"},
        "spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "s"}},
    });
    for (field, value) in spec.as_object().unwrap() {
        object["spec"][field] = value.clone();
    }
    object
}

#[tokio::test]
async fn an_autoscaler_has_defaults_and_an_empty_status() {
    let server = ApiServer::start(Options::default()).await.unwrap();
    let created = expect(&server, "POST", V2, &autoscaler("v2", json!({})), 201).await;
    assert_eq!(created["spec"]["minReplicas"], 1);
    let target = json!({"type": "Utilization", "averageUtilization": 80});
    assert_eq!(
        created["spec"]["metrics"],
        json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}])
    );
    assert_eq!(created["status"], json!({"currentMetrics": null, "desiredReplicas": 0}));
    let status = json!({"status": {"currentReplicas": 2, "desiredReplicas": 2}});
    let reported = expect(&server, "PATCH", &format!("{V2}/a/status"), &status, 200).await;
    assert_eq!(reported["status"]["currentReplicas"], 2);
    assert_eq!(reported["spec"], created["spec"]);
}

#[tokio::test]
async fn both_versions_show_the_same_autoscaler() {
    let server = ApiServer::start(Options::default()).await.unwrap();
    let list = expect(&server, "GET", V2, &Value::Null, 200).await;
    let mut events = Events::open(&server, &format!("{V2}?watch=1&resourceVersion={}", version(&list))).await;
    let first = autoscaler("v1", json!({"targetCPUUtilizationPercentage": 70}));
    let created = expect(&server, "POST", V1, &first, 201).await;
    assert_eq!(created["spec"]["targetCPUUtilizationPercentage"], 70);
    let v2 = expect(&server, "GET", &format!("{V2}/a"), &Value::Null, 200).await;
    assert_eq!(events.next().await.unwrap()["object"], v2);
    assert_eq!(v2["apiVersion"], "autoscaling/v2");
    assert_eq!(v2["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"], 70);

    let metric = json!({"type": "Pods", "pods": {
        "metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "1000m"}}});
    let patch = json!([{"op": "add", "path": "/spec/metrics/-", "value": metric}]);
    let headers = [("Content-Type", "application/json-patch+json")];
    let path = format!("{V2}/a");
    let patched = crate::common::send(&server, "PATCH", &path, &headers, patch.to_string()).await.json();
    assert_eq!(patched["spec"]["metrics"][1]["pods"]["target"]["averageValue"], "1");
    let mut v1 = expect(&server, "GET", &format!("{V1}/a"), &Value::Null, 200).await;
    v1["spec"]["maxReplicas"] = json!(5);
    expect(&server, "PUT", &format!("{V1}/a"), &v1, 200).await;
    let v2 = expect(&server, "GET", &format!("{V2}/a"), &Value::Null, 200).await;
    assert_eq!(v2["spec"]["maxReplicas"], 5);
    assert_eq!(v2["spec"]["metrics"], patched["spec"]["metrics"], "v1 loses nothing");
    assert_eq!(v2["metadata"].get("annotations"), None);
    let list = expect(&server, "GET", V1, &Value::Null, 200).await;
    assert_eq!(list["items"][0]["spec"]["targetCPUUtilizationPercentage"], 70);
}

#[tokio::test]
async fn wrong_autoscalers_are_refused() {
    let server = ApiServer::start(Options::default()).await.unwrap();
    let cpu = json!({"name": "cpu", "target": {"type": "Utilization"}});
    let spec = json!({"minReplicas": 4, "metrics": [{"type": "Resource", "resource": cpu}]});
    let refused = expect(&server, "POST", V2, &autoscaler("v2", spec), 422).await;
    let fields: Vec<&str> = refused["details"]["causes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cause| cause["field"].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["spec.maxReplicas", "spec.metrics[0].resource.target.averageUtilization"]);
    expect(&server, "POST", V1, &autoscaler("v1", json!({"maxReplicas": 0})), 422).await;
}
