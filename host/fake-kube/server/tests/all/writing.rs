//! Creations, updates and deletions.

use crate::common::{CACHES, Events, cache, expect, send, version, with_caches};
use fake_kube_server::{ApiServer, Options};
use serde_json::{Value, json};

const PODS: &str = "/api/v1/namespaces/default/pods";
const DEFINITION: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/caches.lab.example.com";

fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    })
}

#[tokio::test]
async fn a_write_that_changes_nothing_keeps_the_resource_version() {
    let server = with_caches(Options::default()).await;
    let created = expect(&server, "POST", CACHES, &cache("a"), 201).await;
    let path = format!("{CACHES}/a");
    let same = expect(&server, "PUT", &path, &created, 200).await;
    assert_eq!(same, created);
    let same = expect(&server, "PATCH", &path, &json!({"spec": {"replicas": 1}}), 200).await;
    assert_eq!(same, created);
    let labelled = expect(&server, "PATCH", &path, &json!({"metadata": {"labels": {"a": "b"}}}), 200).await;
    assert_ne!(version(&labelled), version(&created));
    assert_eq!(labelled["metadata"]["generation"], 1, "labels are no new generation");
    expect(&server, "PUT", &path, &created, 409).await;
}

#[tokio::test]
async fn dry_runs_store_nothing() {
    let server = with_caches(Options::default()).await;
    expect(&server, "POST", &format!("{CACHES}?dryRun=All"), &cache("a"), 201).await;
    expect(&server, "GET", &format!("{CACHES}/a"), &Value::Null, 404).await;
    let created = expect(&server, "POST", CACHES, &cache("a"), 201).await;
    let changed =
        expect(&server, "PATCH", &format!("{CACHES}/a?dryRun=All"), &json!({"spec": {"image": "x"}}), 200)
            .await;
    assert_eq!(changed["spec"]["image"], "x");
    expect(&server, "DELETE", &format!("{CACHES}/a?dryRun=All"), &Value::Null, 200).await;
    assert_eq!(expect(&server, "GET", &format!("{CACHES}/a"), &Value::Null, 200).await, created);
}

#[tokio::test]
async fn a_deletion_checks_its_preconditions() {
    let server = with_caches(Options::default()).await;
    let created = expect(&server, "POST", CACHES, &cache("a"), 201).await;
    let path = format!("{CACHES}/a");
    expect(&server, "DELETE", &path, &json!({"preconditions": {"resourceVersion": "1"}}), 409).await;
    expect(&server, "DELETE", &path, &json!({"preconditions": {"uid": "x"}}), 409).await;
    let uid = created["metadata"]["uid"].clone();
    let gone = expect(&server, "DELETE", &path, &json!({"preconditions": {"uid": uid}}), 200).await;
    assert_eq!(gone["status"], "Success");
    assert_eq!(gone["details"]["uid"], uid);
}

#[tokio::test]
async fn propagation_policies_are_finalizers() {
    let server = with_caches(Options::default()).await;
    for (policy, finalizer) in [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")] {
        expect(&server, "POST", CACHES, &cache("a"), 201).await;
        let path = format!("{CACHES}/a");
        let marked = expect(&server, "DELETE", &path, &json!({"propagationPolicy": policy}), 200).await;
        assert_eq!(marked["metadata"]["finalizers"], json!([finalizer]));
        expect(&server, "PATCH", &path, &json!({"metadata": {"finalizers": null}}), 200).await;
        expect(&server, "GET", &path, &Value::Null, 404).await;
    }
}

#[tokio::test]
async fn pods_on_a_node_have_a_grace_period() {
    let server = ApiServer::start(Options::default()).await.unwrap();
    expect(&server, "POST", PODS, &pod("free"), 201).await;
    expect(&server, "DELETE", &format!("{PODS}/free"), &Value::Null, 200).await;
    expect(&server, "GET", &format!("{PODS}/free"), &Value::Null, 404).await;

    expect(&server, "POST", PODS, &pod("p"), 201).await;
    let binding = json!({
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"},
        "target": {"apiVersion": "v1", "kind": "Node", "name": "dev-node"},
    });
    expect(&server, "POST", &format!("{PODS}/p/binding"), &binding, 201).await;
    expect(&server, "POST", &format!("{PODS}/p/binding"), &binding, 409).await;
    let bound = expect(&server, "GET", &format!("{PODS}/p"), &Value::Null, 200).await;
    assert_eq!(bound["spec"]["nodeName"], "dev-node");
    assert_eq!(bound["status"]["conditions"][0]["type"], "PodScheduled");
    let ending = expect(&server, "DELETE", &format!("{PODS}/p"), &Value::Null, 200).await;
    assert_eq!(ending["metadata"]["deletionGracePeriodSeconds"], 30);
    expect(&server, "DELETE", &format!("{PODS}/p"), &json!({"gracePeriodSeconds": 0}), 200).await;
    expect(&server, "GET", &format!("{PODS}/p"), &Value::Null, 404).await;
}

#[tokio::test]
async fn a_namespace_is_removed_when_it_is_finalized() {
    let server = with_caches(Options::default()).await;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}});
    let created = expect(&server, "POST", "/api/v1/namespaces", &namespace, 201).await;
    assert_eq!(created["spec"]["finalizers"], json!(["kubernetes"]));
    let ending = expect(&server, "DELETE", "/api/v1/namespaces/x", &Value::Null, 200).await;
    assert_eq!(ending["status"]["phase"], "Terminating");
    let refused =
        expect(&server, "POST", "/apis/lab.example.com/v1/namespaces/x/caches", &cache("a"), 403).await;
    assert_eq!(refused["details"]["causes"][0]["reason"], "NamespaceTerminating");
    let mut finalized = ending.clone();
    finalized["spec"] = json!({});
    expect(&server, "PUT", "/api/v1/namespaces/x/finalize", &finalized, 200).await;
    expect(&server, "GET", "/api/v1/namespaces/x", &Value::Null, 404).await;
    expect(&server, "DELETE", "/api/v1/namespaces/default", &Value::Null, 403).await;
}

#[tokio::test]
async fn the_objects_of_a_deleted_definition_are_deleted() {
    let server = with_caches(Options::default()).await;
    let mut held = cache("held");
    held["metadata"]["finalizers"] = json!(["lab.example.com/f"]);
    expect(&server, "POST", CACHES, &held, 201).await;
    expect(&server, "POST", CACHES, &cache("free"), 201).await;
    let list = expect(&server, "GET", CACHES, &Value::Null, 200).await;
    let mut objects =
        Events::open(&server, &format!("{CACHES}?watch=1&resourceVersion={}", version(&list))).await;
    let definitions = DEFINITION.rsplit_once('/').unwrap().0;
    let mut definition =
        Events::open(&server, &format!("{definitions}?watch=1&resourceVersion={}", version(&list))).await;

    let marked = expect(&server, "DELETE", DEFINITION, &Value::Null, 200).await;
    assert_eq!(marked["metadata"]["finalizers"], json!(["customresourcecleanup.apiextensions.k8s.io"]));
    let mut seen = Vec::new();
    for _ in 0..2 {
        let event = objects.next().await.unwrap();
        seen.push((event["object"]["metadata"]["name"].clone(), event["type"].clone()));
    }
    seen.sort_by_key(|(name, _)| name.to_string());
    assert_eq!(seen, [(json!("free"), json!("DELETED")), (json!("held"), json!("MODIFIED"))]);
    expect(&server, "POST", CACHES, &cache("late"), 405).await;
    expect(&server, "PATCH", &format!("{CACHES}/held"), &json!({"metadata": {"finalizers": null}}), 200)
        .await;
    loop {
        if definition.next().await.unwrap()["type"] == "DELETED" {
            break;
        }
    }
    assert_eq!(send(&server, "GET", CACHES, &[], "").await.body, "404 page not found\n");
}

#[tokio::test]
async fn a_changed_definition_is_served_at_once() {
    let server = with_caches(Options::default()).await;
    let patch = json!([{
        "op": "add", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/new",
        "value": {"type": "string", "default": "n"},
    }]);
    let headers = [("Content-Type", "application/json-patch+json")];
    assert_eq!(send(&server, "PATCH", DEFINITION, &headers, patch.to_string()).await.status, 200);
    let created = expect(&server, "POST", CACHES, &cache("a"), 201).await;
    assert_eq!(created["spec"]["new"], "n");
}

#[tokio::test]
async fn scale_changes_replicas_only() {
    let server = ApiServer::start(Options::default()).await.unwrap();
    let sets = "/apis/apps/v1/namespaces/default/statefulsets";
    let set = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "s"},
        "spec": {
            "serviceName": "s", "selector": {"matchLabels": {"app": "s"}},
            "template": {"metadata": {"labels": {"app": "s"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        },
    });
    expect(&server, "POST", sets, &set, 201).await;
    let scale =
        expect(&server, "PATCH", &format!("{sets}/s/scale"), &json!({"spec": {"replicas": 3}}), 200).await;
    assert_eq!((&scale["kind"], &scale["spec"]["replicas"]), (&json!("Scale"), &json!(3)));
    let scaled = expect(&server, "GET", &format!("{sets}/s"), &Value::Null, 200).await;
    assert_eq!(scaled["metadata"]["generation"], 2);
    let managers = scaled["metadata"]["managedFields"].as_array().unwrap();
    assert!(managers.iter().any(|entry| entry["subresource"] == "scale"), "{managers:?}");
    expect(&server, "PATCH", &format!("{sets}/s/scale"), &json!({"spec": {"replicas": -1}}), 400).await;
}

#[tokio::test]
async fn malformed_requests_are_refused_with_a_message() {
    let server = with_caches(Options::default()).await;
    let mut other = cache("a");
    other["metadata"]["namespace"] = json!("kube-system");
    let refused = expect(&server, "POST", CACHES, &other, 400).await;
    assert!(refused["message"].as_str().unwrap().contains("does not match the namespace"));
    let mut typed = cache("a");
    typed["metadata"]["labels"] = json!({"a": 1});
    let refused = expect(&server, "POST", CACHES, &typed, 400).await;
    assert!(refused["message"].as_str().unwrap().contains("cannot unmarshal number"), "{refused}");
    let twice = r#"{"apiVersion":"lab.example.com/v1","kind":"Cache","metadata":{"name":"a"},"spec":{"image":"x","image":"y"}}"#;
    let refused = send(&server, "POST", &format!("{CACHES}?fieldValidation=Strict"), &[], twice).await;
    assert!(refused.json()["message"].as_str().unwrap().ends_with("duplicate field \"spec.image\""));
    assert_eq!(send(&server, "POST", &format!("{CACHES}/a"), &[], "{}").await.status, 405);
    let huge = "x".repeat(4 << 20);
    assert_eq!(send(&server, "POST", CACHES, &[], huge).await.status, 413);
    let strategic = [("Content-Type", "application/strategic-merge-patch+json")];
    expect(&server, "POST", CACHES, &cache("a"), 201).await;
    assert_eq!(send(&server, "PATCH", &format!("{CACHES}/a"), &strategic, "{}").await.status, 415);
}
