//! The host runs another guest than ours. When a call of that guest misbehaves for one object, the
//! other objects are still served.

use orascache_tests::GREETER;
use orascache_tests::cluster::{Cluster, GuestReconciler, guest, install_crd};
use orascache_tests::fixtures::{greeting, greeting_crd};
use serde_json::json;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn another_guest_is_served_and_a_misbehaving_call_affects_only_its_object() {
    let cluster = Cluster::start().await;
    install_crd(&cluster.client(), &serde_json::from_value(greeting_crd()).expect("a CRD")).await;
    let greetings = cluster.api("lab.example.com/v1", "Greeting", "greetings");
    let maps = cluster.api("v1", "ConfigMap", "configmaps");
    let controller = cluster.controller(Arc::new(GuestReconciler(Arc::new(guest(GREETER))))).await;

    cluster.apply(&greetings, greeting("a", json!({"text": "hi"}))).await;
    cluster.until(&maps, "a", "greeting", |map| map["data"]["greeting"] == "hi").await;
    cluster.until(&greetings, "a", "told", |greeting| greeting["status"]["greeting"] == "hi").await;

    for how in ["panic", "loop", "recurse", "allocate"] {
        cluster.apply(&greetings, greeting(how, json!({"text": "never", "misbehave": how}))).await;
    }
    cluster.apply(&greetings, greeting("b", json!({"text": "ho"}))).await;
    cluster.until(&maps, "b", "greeting", |map| map["data"]["greeting"] == "ho").await;
    for how in ["panic", "loop", "recurse", "allocate"] {
        assert!(maps.get_opt(how).await.expect("the API answers").is_none(), "{how} wrote something");
    }
    // A Greeting that no longer misbehaves is served.
    cluster.apply(&greetings, greeting("panic", json!({"text": "well"}))).await;
    cluster.until(&maps, "panic", "greeting", |map| map["data"]["greeting"] == "well").await;
    controller.shutdown().await;
    cluster.finish().await;
}
