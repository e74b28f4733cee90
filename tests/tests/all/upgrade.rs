//! Upgrades and downgrades in a cluster: definitions of several versions, and two versions of the
//! operator at the same time. What becomes of children is in `guest/core/tests/all/earlier_versions.rs`.

use crate::admission;
use deploy_manifests::names;
use fake_kube::Matcher;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DynamicObject, PostParams};
use kube::{Api, CustomResourceExt, ResourceExt};
use orascache_api::orascache::OrasCache;
use orascache_api::steps::INJECTED_ANNOTATION;
use orascache_controller::{Controller, Options};
use orascache_operator::EMBEDDED;
use orascache_operator::leader::Leadership;
use orascache_tests::cluster::{Cluster, GuestReconciler, PATIENCE, guest, install_crd};
use orascache_tests::fixtures::cache;
use orascache_tests::webhooks;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The definition of the former operator.
const FORMER: &str = "former_operator/definition.yaml";
/// A definition of an earlier version of this operator.
const EARLIER: &str = "earlier_definitions/992f479.yaml";

fn definition(file: &str) -> CustomResourceDefinition {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_saphyr::from_str(&text).expect("a definition")
}

async fn create(cluster: &Cluster, object: Value) -> DynamicObject {
    let object = serde_json::from_value(object).expect("an object");
    cluster.caches().create(&PostParams::default(), &object).await.expect("it is made")
}

/// A step of the cache `demo`.
fn step() -> Value {
    admission::pod("step", &[("oras-cache", "demo"), ("input-uri", "flow/words:1")])
}

#[tokio::test(flavor = "multi_thread")]
async fn caches_outlive_the_change_from_the_former_definition_to_ours() {
    let cluster = Cluster::embedded().await;
    install_crd(&cluster.client(), &definition(FORMER)).await;
    let spec = json!({"secrets": {"registryHttp": "s3cr3t", "orasEnv": "oras-env"}});
    let before = create(&cluster, cache("demo", spec)).await;
    // The definition comes first.
    install_crd(&cluster.client(), &OrasCache::crd()).await;
    let _controller = cluster.operator().await;
    let after = cluster.until(&cluster.sets(), "demo", "there", |set| set["spec"].is_object()).await;
    assert_eq!(after["metadata"]["ownerReferences"][0]["uid"], json!(before.uid()));
    let cache = cluster.caches().get("demo").await.expect("the cache");
    assert_eq!(cache.data["spec"]["secrets"], json!({"registryHttp": "s3cr3t", "orasEnv": "oras-env"}));
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_whose_definition_is_still_the_earlier_one_does_not_write_again_and_again() {
    let cluster = Cluster::embedded().await;
    install_crd(&cluster.client(), &definition(EARLIER)).await;
    let controller = cluster.operator().await;
    create(&cluster, cache("demo", json!({}))).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    controller.quiescent(&cluster.client()).await.expect("quiescent");
    let ours = Matcher::any().user_agent("operator");
    let mark = cluster.server().requests().mark();
    // Each change may lead to one write of a status of which the API server drops fields.
    for number in 0..3 {
        let label = json!({"metadata": {"labels": {"number": number.to_string()}}});
        cluster.edit(&cluster.caches(), "demo", label).await;
        controller.quiescent(&cluster.client()).await.expect("quiescent");
    }
    let writes = cluster.server().requests().writes_since(mark, &ours);
    assert!(writes.len() <= 3, "{writes:#?}");

    // With the definition of this version the whole status is there, and nothing is written twice.
    install_crd(&cluster.client(), &OrasCache::crd()).await;
    cluster.edit(&cluster.caches(), "demo", json!({"metadata": {"labels": {"number": "3"}}})).await;
    cluster.until(&cluster.caches(), "demo", "complete", |cache| cache["status"]["url"].is_string()).await;
    controller.quiescent(&cluster.client()).await.expect("quiescent");
    let mark = cluster.server().requests().mark();
    cluster.edit(&cluster.caches(), "demo", json!({"metadata": {"labels": {"number": "4"}}})).await;
    controller.quiescent(&cluster.client()).await.expect("quiescent");
    assert_eq!(cluster.server().requests().writes_since(mark, &ours), []);
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_definition_drops_fields_that_it_does_not_know_at_the_next_write() {
    let cluster = Cluster::embedded().await;
    let spec = json!({"delete": true, "retention": {"keepTags": 3}});
    create(&cluster, cache("demo", spec)).await;
    // docs/install.md says to keep the newer definition at a downgrade, for this reason.
    install_crd(&cluster.client(), &definition(EARLIER)).await;
    let edited = cluster.edit(&cluster.caches(), "demo", json!({"metadata": {"labels": {"a": "b"}}})).await;
    assert_eq!(edited.data["spec"]["retention"], Value::Null);
    install_crd(&cluster.client(), &OrasCache::crd()).await;
    let cache = cluster.caches().get("demo").await.expect("the cache");
    assert_eq!(cache.data["spec"]["retention"], Value::Null, "it is gone for good");
    assert_eq!(cache.data["spec"]["delete"], true);
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_versions_one_writes_and_the_other_one_answers_reviews() {
    let cluster = Cluster::embedded().await;
    let client = cluster.server().client_as("earlier").expect("a client");
    // Both operators of this process have its host's name, but replicas have names of their own.
    let leadership = Leadership::start(client.clone(), &cluster.namespace, "earlier");
    let options =
        Options { may_write: leadership.claim(), instance: "earlier".to_owned(), ..Options::default() };
    let reconciler = Arc::new(GuestReconciler(Arc::new(guest(EMBEDDED))));
    let earlier = Controller::start(client, reconciler, options, &mut Registry::default()).await;
    let earlier = earlier.expect("it starts");
    create(&cluster, cache("first", json!({}))).await;
    cluster.until_condition("first", "Ready", "True", "RegistryReady").await;

    let lease_namespace = Some(cluster.namespace.clone());
    let later = webhooks::operator_with(&cluster, |options| options.lease_namespace = lease_namespace).await;
    let mark = cluster.server().requests().mark();
    create(&cluster, cache("demo", json!({}))).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    // Only the later one serves webhooks.
    let made = admission::create(&admission::pods(&cluster), step()).await.expect("made");
    assert!(made["metadata"]["annotations"].get(INJECTED_ANNOTATION).is_some(), "{made:#}");
    let children = ["networkpolicies", "services", "statefulsets", "orascaches"];
    let written = |agent: &str, mark: u64| {
        let entries = cluster.server().requests().writes_since(mark, &Matcher::any().user_agent(agent));
        entries.into_iter().filter(|entry| children.contains(&entry.request.resource.as_str())).count()
    };
    assert!(written("earlier", mark) > 0);
    assert_eq!(written("operator", mark), 0, "one leads");

    // The earlier one goes, as at the end of a roll-out.
    earlier.shutdown().await;
    leadership.release().await;
    let mark = cluster.server().requests().mark();
    cluster.edit(&cluster.caches(), "demo", json!({"spec": {"delete": true}})).await;
    cluster
        .until(&cluster.sets(), "demo", "changed", |set| {
            set["metadata"]["annotations"]["cache.converged-computing.github.io/applied-generation"] == "2"
        })
        .await;
    assert!(written("operator", mark) > 0);
    assert_eq!(written("earlier", mark), 0);
    later.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_a_later_version_end_nothing_and_are_named() {
    let cluster = Cluster::embedded().await;
    let namespace =
        serde_json::from_value(json!({"metadata": {"name": names::NAMESPACE}})).expect("a namespace");
    let namespaces: Api<Namespace> = Api::all(cluster.client());
    namespaces.create(&PostParams::default(), &namespace).await.expect("made");
    // The later version's webhook has accepted them.
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client(), names::NAMESPACE);
    let map = |settings: &str| -> ConfigMap {
        let data = json!({names::SETTINGS_KEY: settings});
        serde_json::from_value(json!({"metadata": {"name": names::SETTINGS}, "data": data})).expect("a map")
    };
    let later = map("maximumStorage: 1Ti\nsettingOfALaterVersion: true\n");
    maps.create(&PostParams::default(), &later).await.expect("made");
    let operator = webhooks::operator(&cluster).await;

    // Caches are reconciled, with defaults. New steps wait for the correction.
    create(&cluster, cache("demo", json!({}))).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    let pods = admission::pods(&cluster);
    let refused = admission::create(&pods, step()).await.expect_err("refused").to_string();
    assert!(refused.contains("settings.settingOfALaterVersion is unknown"), "{refused}");
    let corrected = map("maximumStorage: 1Ti\n");
    maps.replace(names::SETTINGS, &PostParams::default(), &corrected).await.expect("corrected");
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = admission::create(&pods, step()).await {
        assert!(Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    operator.shutdown().await;
    cluster.finish().await;
}
