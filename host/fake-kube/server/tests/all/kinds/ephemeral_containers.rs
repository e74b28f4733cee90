//! `pods/ephemeralcontainers`: containers are added to a pod, and nothing else changes.

use fake_kube_server::{ApiServer, Options};
use serde_json::{Value, json};

use crate::common::{expect, send};

const PODS: &str = "/api/v1/namespaces/default/pods";

async fn with_pod() -> (ApiServer, Value) {
    let server = ApiServer::start(Options::default()).await.unwrap();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    });
    let created = expect(&server, "POST", PODS, &pod, 201).await;
    (server, created)
}

fn debugger(name: &str) -> Value {
    json!({"spec": {"ephemeralContainers": [{"name": name, "image": "busybox", "targetContainerName": "c"}]}})
}

async fn patch(server: &ApiServer, path: &str, media: &str, body: &Value) -> (u16, Value) {
    let headers = [("Content-Type", media), ("User-Agent", "debugger")];
    let answer = send(server, "PATCH", path, &headers, body.to_string()).await;
    (answer.status, answer.json())
}

const STRATEGIC: &str = "application/strategic-merge-patch+json";

#[tokio::test]
async fn a_patch_adds_containers_and_starts_a_generation() {
    let (server, created) = with_pod().await;
    let path = format!("{PODS}/p/ephemeralcontainers");
    assert_eq!(expect(&server, "GET", &path, &Value::Null, 200).await, created);
    let (status, patched) = patch(&server, &path, STRATEGIC, &debugger("one")).await;
    assert_eq!(status, 200);
    let container = &patched["spec"]["ephemeralContainers"][0];
    assert_eq!((&container["name"], &container["imagePullPolicy"]), (&json!("one"), &json!("Always")));
    assert_eq!(patched["metadata"]["generation"], 2);
    let managers = patched["metadata"]["managedFields"].as_array().unwrap();
    let owned = managers.iter().find(|entry| entry["subresource"] == "ephemeralcontainers").unwrap();
    assert_eq!(owned["manager"], "debugger");
    assert!(owned["fieldsV1"]["f:spec"]["f:ephemeralContainers"].is_object(), "{owned}");
    let (_, patched) = patch(&server, &path, STRATEGIC, &debugger("two")).await;
    assert_eq!(patched["spec"]["ephemeralContainers"].as_array().unwrap().len(), 2);
    assert_eq!(expect(&server, "GET", &format!("{PODS}/p"), &Value::Null, 200).await, patched);
}

#[tokio::test]
async fn nothing_else_changes_through_the_subresource() {
    let (server, created) = with_pod().await;
    let path = format!("{PODS}/p/ephemeralcontainers");
    let mut wanted = created.clone();
    wanted["spec"]["ephemeralContainers"] = debugger("one")["spec"]["ephemeralContainers"].clone();
    wanted["spec"]["containers"][0]["image"] = json!("other");
    wanted["metadata"]["labels"] = json!({"a": "b"});
    wanted["status"]["phase"] = json!("Running");
    let changed = expect(&server, "PUT", &path, &wanted, 200).await;
    assert_eq!(changed["spec"]["containers"], created["spec"]["containers"]);
    assert_eq!(changed["metadata"].get("labels"), None);
    assert_eq!(changed["status"], created["status"]);
    assert_eq!(changed["spec"]["ephemeralContainers"][0]["name"], "one");
}

#[tokio::test]
async fn containers_are_neither_changed_nor_removed() {
    let (server, _) = with_pod().await;
    let path = format!("{PODS}/p/ephemeralcontainers");
    let (_, before) = patch(&server, &path, STRATEGIC, &debugger("one")).await;
    let image = json!([{"op": "replace", "path": "/spec/ephemeralContainers/0/image", "value": "other"}]);
    let (status, refused) = patch(&server, &path, "application/json-patch+json", &image).await;
    assert_eq!((status, &refused["reason"]), (422, &json!("Invalid")));
    assert!(refused["message"].as_str().unwrap().contains("\"one\" may not be changed"), "{refused}");
    let none = json!({"spec": {"ephemeralContainers": null}});
    let refused = expect(&server, "PATCH", &path, &none, 422).await;
    assert!(refused["message"].as_str().unwrap().contains("\"one\" may not be removed"), "{refused}");
    assert_eq!(expect(&server, "GET", &format!("{PODS}/p"), &Value::Null, 200).await, before);
}

#[tokio::test]
async fn the_main_resource_cannot_add_them() {
    let (server, created) = with_pod().await;
    let (status, refused) = patch(&server, &format!("{PODS}/p"), STRATEGIC, &debugger("one")).await;
    assert_eq!(status, 422);
    assert!(refused["message"].as_str().unwrap().contains("pod updates may not change"), "{refused}");
    let mut pod = created.clone();
    pod["metadata"] = json!({"name": "q"});
    pod["spec"]["ephemeralContainers"] = debugger("one")["spec"]["ephemeralContainers"].clone();
    let refused = expect(&server, "POST", PODS, &pod, 422).await;
    let message = "Pod \"q\" is invalid: spec.ephemeralContainers: Forbidden: cannot be set on create";
    assert_eq!(refused["message"], message);
}

#[tokio::test]
async fn apply_owns_ephemeral_containers_only() {
    let (server, _) = with_pod().await;
    let mut applied = debugger("one");
    applied["apiVersion"] = json!("v1");
    applied["kind"] = json!("Pod");
    applied["metadata"] = json!({"name": "p", "labels": {"a": "b"}});
    applied["spec"]["containers"] = json!([{"name": "c", "image": "other"}]);
    let path = format!("{PODS}/p/ephemeralcontainers?fieldManager=one");
    let (status, changed) = patch(&server, &path, "application/apply-patch+yaml", &applied).await;
    assert_eq!(status, 200, "{changed}");
    assert_eq!(changed["spec"]["containers"][0]["image"], "i");
    let managers = changed["metadata"]["managedFields"].as_array().unwrap();
    let owned = managers.iter().find(|entry| entry["manager"] == "one").unwrap();
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&owned["fieldsV1"]), ["f:spec"]);
    assert_eq!(names(&owned["fieldsV1"]["f:spec"]), ["f:ephemeralContainers"]);
    let (_, again) = patch(&server, &path, "application/apply-patch+yaml", &applied).await;
    assert_eq!(again, changed);
}
