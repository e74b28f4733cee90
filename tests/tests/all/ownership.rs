//! Who owns which object and field: what others change, what others made, and what the operator takes
//! back.

use crate::operator::{rolled_out, until_quiescent};
use orascache_tests::cluster::{Cluster, condition};
use orascache_tests::fixtures::cache;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn hand_edits_of_children_are_taken_back() {
    let cluster = Cluster::start().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    cluster.edit(&cluster.sets(), "demo", json!({"spec": {"replicas": 3}})).await;
    cluster.until(&cluster.sets(), "demo", "back at one replica", |set| set["spec"]["replicas"] == 1).await;
    // A label that the operator never set is kept.
    cluster.edit(&cluster.services(), "demo", json!({"metadata": {"labels": {"team": "a"}}})).await;
    cluster
        .edit(
            &cluster.services(),
            "demo",
            json!({"spec": {"selector": {"app.kubernetes.io/instance": "other"}}}),
        )
        .await;
    let service = cluster
        .until(&cluster.services(), "demo", "selecting its own pods", |service| {
            service["spec"]["selector"]["app.kubernetes.io/instance"] == "demo"
        })
        .await;
    assert_eq!(service["metadata"]["labels"]["team"], "a");
    // A deleted child is made again.
    cluster.services().delete("demo", &Default::default()).await.expect("deleted");
    cluster
        .until(&cluster.services(), "demo", "made anew", |new| {
            new["metadata"]["uid"] != service["metadata"]["uid"]
        })
        .await;
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_of_another_apply_manager_is_left_alone_and_named() {
    let cluster = Cluster::start().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    let other = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "demo"}, "spec": {"replicas": 2}});
    cluster.apply(&cluster.sets(), other).await;
    let degraded = cluster.until_condition("demo", "Degraded", "True", "FieldOwnedByOther").await;
    let message = condition(&degraded, "Degraded").expect("a condition")["message"].to_string();
    assert!(message.contains("spec.replicas") && message.contains("test"), "{message}");
    let before = cluster.until(&cluster.sets(), "demo", "rolled out", rolled_out).await;
    assert_eq!(before["spec"]["replicas"], 2);
    until_quiescent(&operator, &cluster).await;
    let after = cluster.until(&cluster.sets(), "demo", "there", |_| true).await;
    assert_eq!(after["metadata"]["generation"], before["metadata"]["generation"], "no further write");
    // Other fields are still applied.
    cluster.edit(&cluster.caches(), "demo", json!({"spec": {"image": "registry:3"}})).await;
    cluster
        .until(&cluster.sets(), "demo", "of the new image", |set| {
            set["spec"]["template"]["spec"]["containers"][0]["image"] == "registry:3"
                && set["spec"]["replicas"] == 2
        })
        .await;
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_of_an_autoscaler_are_left_alone_and_of_kubectl_taken_back() {
    let cluster = Cluster::start().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    let scale = |manager: &str, replicas: u8| {
        let parameters =
            kube::api::PatchParams { field_manager: Some(manager.to_owned()), ..Default::default() };
        let patch = kube::api::Patch::Merge(json!({"spec": {"replicas": replicas}}));
        let sets = cluster.sets();
        async move { sets.patch_scale("demo", &parameters, &patch).await.expect("scaled") }
    };
    scale("kubectl", 2).await;
    cluster.until(&cluster.sets(), "demo", "back at one replica", |set| set["spec"]["replicas"] == 1).await;
    scale("horizontal-pod-autoscaler", 3).await;
    cluster.until_condition("demo", "Degraded", "True", "FieldOwnedByOther").await;
    let set = cluster.until(&cluster.sets(), "demo", "there", |_| true).await;
    assert_eq!(set["spec"]["replicas"], 3);
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_with_the_name_of_a_child_is_never_adopted() {
    let cluster = Cluster::start().await;
    let operator = cluster.operator().await;
    let foreign = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "demo"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}});
    let foreign = cluster.apply(&cluster.services(), foreign).await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    let degraded = cluster.until_condition("demo", "Degraded", "True", "NameTaken").await;
    assert!(
        condition(&degraded, "Degraded").expect("a condition")["message"]
            .to_string()
            .contains("Service demo")
    );
    let untouched = cluster.services().get("demo").await.expect("the service");
    assert_eq!(untouched.metadata.resource_version, foreign.metadata.resource_version);
    // Once the name is free, it is used.
    cluster.services().delete("demo", &Default::default()).await.expect("deleted");
    cluster.until_condition("demo", "Degraded", "False", "AsExpected").await;
    operator.shutdown().await;
    cluster.finish().await;
}
