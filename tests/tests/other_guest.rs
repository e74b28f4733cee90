//! A second, unrelated guest runs in the same host, and a guest that misbehaves for one object serves the others.

use orascache_tests::GREETER;
use orascache_tests::cluster::{Cluster, guest, install_crd};
use orascache_tests::fixtures::{greeting, greeting_crd};
use serde_json::json;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn greetings_get_config_maps() {
    let cluster = Cluster::start().await;
    install_crd(&cluster.client(), &serde_json::from_value(greeting_crd()).expect("a CRD")).await;
    let greetings = cluster.api("lab.example.com/v1", "Greeting", "greetings");
    let maps = cluster.api("v1", "ConfigMap", "configmaps");
    let controller = cluster.controller(Arc::new(guest(GREETER))).await;

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
    // One that is mended is served.
    cluster.apply(&greetings, greeting("panic", json!({"text": "well"}))).await;
    cluster.until(&maps, "panic", "greeting", |map| map["data"]["greeting"] == "well").await;
    controller.shutdown().await;
    cluster.finish().await;
}
