//! Upgrades and downgrades of the component: one that was built for an earlier contract runs in this
//! host, and both take over from each other. `earlier_components/` has it.

use crate::admission::{create, pod, pods};
use kube::Api;
use kube::ResourceExt;
use kube::api::{DynamicObject, PostParams};
use orascache_api::steps::INJECTED_ANNOTATION;
use orascache_operator::EMBEDDED;
use orascache_runtime::Guest;
use orascache_tests::cluster::{Cluster, guest};
use orascache_tests::fixtures::cache;
use orascache_tests::webhooks;
use serde_json::{Value, json};
use std::sync::Arc;

/// Of the contract 0.3.1, which does not know the rotation of generated values.
const EARLIER: &[u8] = include_bytes!("../../earlier_components/7505c28.wasm.zst");
/// Set on children, with the generation of the cache that they follow.
const GENERATION: &str = "cache.converged-computing.github.io/applied-generation";

fn earlier() -> Arc<Guest> {
    Arc::new(guest(&zstd::decode_all(EARLIER).expect("a frame of zstd")))
}

/// A cache with its registry and a step, which outlive the exchange of components.
struct Lab<'c> {
    cluster: &'c Cluster,
    pods: Api<DynamicObject>,
}

impl Lab<'_> {
    async fn step(&self, name: &str) -> Value {
        let step = pod(name, &[("oras-cache", "demo"), ("input-uri", "flow/words:1")]);
        let made = create(&self.pods, step).await.expect("it is allowed");
        assert!(made["metadata"]["annotations"].get(INJECTED_ANNOTATION).is_some(), "{made:#}");
        made
    }

    /// The spec of the registry's pods, and the UID of the pod: what an exchange must not change.
    async fn registry(&self) -> (Value, Option<String>) {
        let set = self.cluster.sets().get("demo").await.expect("the StatefulSet");
        let pod = self.pods.get("demo-0").await.expect("the registry pod");
        (set.data["spec"]["template"].clone(), pod.uid())
    }

    /// Edits the cache. That changes its StatefulSet only where the component that runs now makes
    /// plans.
    async fn edit(&self, spec: Value) {
        let edited = self.cluster.edit(&self.cluster.caches(), "demo", json!({"spec": spec})).await;
        let generation = edited.metadata.generation.expect("a generation").to_string();
        let follows = |set: &Value| set["metadata"]["annotations"][GENERATION] == generation;
        self.cluster.until(&self.cluster.sets(), "demo", "changed", follows).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_component_of_an_earlier_contract_and_ours_take_over_from_each_other() {
    let cluster = Cluster::embedded().await;
    let lab = Lab { cluster: &cluster, pods: pods(&cluster) };
    let operator = webhooks::operator_of(&cluster, earlier(), |_| {}).await;
    let demo = serde_json::from_value(cache("demo", json!({}))).expect("a cache");
    cluster.caches().create(&PostParams::default(), &demo).await.expect("it is made");
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    let first = lab.step("first").await;
    let registry = lab.registry().await;
    operator.shutdown().await;

    // The upgrade. The registry has no volume: another pod would have lost the artifacts.
    let operator = webhooks::operator_of(&cluster, Arc::new(guest(EMBEDDED)), |_| {}).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    assert_eq!(lab.registry().await, registry, "the upgrade changed the registry pod");
    let second = lab.step("second").await;
    // A step that the other version has rewritten is edited.
    let labelled = cluster.edit(&lab.pods, "first", json!({"metadata": {"labels": {"a": "b"}}})).await;
    assert_eq!(labelled.data["spec"], first["spec"]);
    operator.shutdown().await;

    // The downgrade.
    let operator = webhooks::operator_of(&cluster, earlier(), |_| {}).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    assert_eq!(lab.registry().await, registry, "the downgrade changed the registry pod");
    let labelled = cluster.edit(&lab.pods, "second", json!({"metadata": {"labels": {"a": "b"}}})).await;
    assert_eq!(labelled.data["spec"], second["spec"]);
    lab.step("third").await;
    lab.edit(json!({"delete": true})).await;
    operator.shutdown().await;
    cluster.finish().await;
}
