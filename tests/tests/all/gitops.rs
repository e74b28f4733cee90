//! Objects that exist before their cache, and children that lose their owner reference
//! (docs/gitops.md).

use kube::api::{DeleteParams, DynamicObject};
use kube::{Api, ResourceExt};
use orascache_contract::Observed;
use orascache_controller::Controller;
use orascache_tests::cluster::{Cluster, PATIENCE, condition};
use orascache_tests::fixtures::cache;
use serde_json::{Value, json};

/// What `orascache render` prints.
fn rendered(namespace: &str, spec: Value) -> Vec<Value> {
    let mut primary = cache("demo", spec);
    primary["metadata"]["namespace"] = json!(namespace);
    let observed = Observed { primary: primary.to_string(), ..Observed::default() };
    let plan = orascache_core::reconcile(&observed).expect("a plan");
    let texts = plan.generate.iter().map(|generated| &generated.secret).chain(&plan.apply);
    texts.map(|text| serde_json::from_str(text).expect("JSON")).collect()
}

fn api_of(cluster: &Cluster, object: &Value) -> Api<DynamicObject> {
    let kind = object["kind"].as_str().expect("a kind");
    let plural = if kind == "NetworkPolicy" { "networkpolicies".into() } else { kind.to_lowercase() + "s" };
    cluster.api(object["apiVersion"].as_str().expect("a version"), kind, &plural)
}

fn policies(cluster: &Cluster) -> Api<DynamicObject> {
    cluster.api("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
}

fn claims(cluster: &Cluster) -> Api<DynamicObject> {
    cluster.api("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
}

async fn until_quiescent(operator: &Controller, cluster: &Cluster) {
    let quiescent = tokio::time::timeout(PATIENCE, operator.quiescent(&cluster.client())).await;
    quiescent.expect("in time").expect("the API answers");
}

fn is_controlled(object: &Value) -> bool {
    object["metadata"]["ownerReferences"][0]["controller"] == true
}

#[tokio::test(flavor = "multi_thread")]
async fn rendered_objects_become_children_of_a_ready_cache() {
    let cluster = Cluster::start().await;
    let operator = cluster.operator().await;
    let spec = json!({"replicas": 2, "storage": {"size": "1Gi", "accessModes": ["ReadWriteMany"]}});
    let objects = rendered(&cluster.namespace, spec.clone());
    assert_eq!(objects.len(), 7);
    let mut uids = Vec::new();
    for object in &objects {
        uids.push(cluster.apply(&api_of(&cluster, object), object.clone()).await.uid());
    }
    cluster.apply(&cluster.caches(), cache("demo", spec)).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    until_quiescent(&operator, &cluster).await;
    let ready = cluster.until_condition("demo", "Degraded", "False", "AsExpected").await;
    assert_eq!(condition(&ready, "NetworkRestricted").expect("a condition")["status"], "True");
    for (object, uid) in objects.iter().zip(uids) {
        let name = object["metadata"]["name"].as_str().expect("a name");
        let child = cluster.until(&api_of(&cluster, object), name, "a child", is_controlled).await;
        assert_eq!(child["metadata"]["uid"], json!(uid), "{name} is the same object");
    }
    // The printed Secret has no value.
    let secret =
        cluster.until(&cluster.api("v1", "Secret", "secrets"), "demo-http-secret", "there", |_| true).await;
    assert!(secret["data"]["http-secret"].is_string());
    // The tool applies again what it has.
    for object in &objects {
        cluster.apply(&api_of(&cluster, object), object.clone()).await;
    }
    until_quiescent(&operator, &cluster).await;
    cluster.until_condition("demo", "Degraded", "False", "AsExpected").await;
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detached_policy_is_taken_back_and_goes_when_it_is_switched_off() {
    let cluster = Cluster::start().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    until_quiescent(&operator, &cluster).await;
    let before = cluster.until(&policies(&cluster), "demo", "there", is_controlled).await;
    let widened = json!({
        "metadata": {"ownerReferences": null, "annotations": null, "labels": null},
        "spec": {"ingress": [{}]},
    });
    cluster.edit(&policies(&cluster), "demo", widened.clone()).await;
    until_quiescent(&operator, &cluster).await;
    let after = cluster.until(&policies(&cluster), "demo", "a child", is_controlled).await;
    assert_eq!(after["spec"], before["spec"]);
    // While no operator runs, it is detached, and the spec does not want it any more.
    operator.shutdown().await;
    cluster.edit(&policies(&cluster), "demo", widened).await;
    cluster.edit(&cluster.caches(), "demo", json!({"spec": {"networkPolicy": {"enabled": false}}})).await;
    let operator = cluster.operator().await;
    cluster.until_gone(&policies(&cluster), "demo").await;
    cluster.until_condition("demo", "NetworkRestricted", "False", "NetworkPolicyDisabled").await;
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_cache_goes_on_with_what_an_orphaned_one_left() {
    let cluster = Cluster::start().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    let before = cluster.until(&cluster.sets(), "demo", "there", |_| true).await;
    cluster.caches().delete("demo", &DeleteParams::orphan()).await.expect("deleted");
    cluster.until_gone(&cluster.caches(), "demo").await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    let after = cluster.until(&cluster.sets(), "demo", "a child", is_controlled).await;
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(after["spec"]["template"], before["spec"]["template"], "the pods were not restarted");
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detached_volume_claim_outlives_its_cache() {
    let cluster = Cluster::start().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({"storage": {"size": "1Gi"}}))).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    let before = cluster.until(&claims(&cluster), "demo-data", "there", is_controlled).await;
    cluster.edit(&claims(&cluster), "demo-data", json!({"metadata": {"ownerReferences": null}})).await;
    let degraded = cluster.until_condition("demo", "Degraded", "True", "NameTaken").await;
    let message = condition(&degraded, "Degraded").expect("a condition")["message"].to_string();
    assert!(message.contains("spec.storage.existingClaim"), "{message}");
    assert_eq!(condition(&degraded, "Ready").expect("a condition")["status"], "True");
    let template =
        cluster.until(&cluster.sets(), "demo", "there", |_| true).await["spec"]["template"].clone();
    // As the condition says.
    let named = json!({"spec": {"storage": {"size": null, "existingClaim": "demo-data"}}});
    cluster.edit(&cluster.caches(), "demo", named).await;
    cluster.until_condition("demo", "Degraded", "False", "AsExpected").await;
    let set = cluster.until(&cluster.sets(), "demo", "there", |_| true).await;
    assert_eq!(set["spec"]["template"], template, "the registry was not restarted");
    cluster.caches().delete("demo", &DeleteParams::background()).await.expect("deleted");
    cluster.until_gone(&cluster.sets(), "demo").await;
    let after = cluster.until(&claims(&cluster), "demo-data", "kept", |_| true).await;
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    operator.shutdown().await;
    cluster.finish().await;
}
