//! The host runs another guest than ours. When a call of that guest misbehaves for one object, the
//! other objects are still served.

use clap::Parser;
use orascache_operator::cli::Cli;
use orascache_tests::GREETER;
use orascache_tests::cluster::{Cluster, GuestReconciler, guest, install_crd};
use orascache_tests::fixtures::{greeting, greeting_crd};
use orascache_tests::tools::installed;
use serde_json::json;
use std::process::ExitCode;
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

/// The rule of this guest lets requests through while no answer comes, so that a refusal can only
/// come from the guest.
#[test]
fn dev_serves_the_admission_of_another_guest() {
    if !installed("kubectl") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("written");
        path.display().to_string()
    };
    let component = file("greeter.wasm", GREETER);
    let crd = file("crd.json", greeting_crd().to_string().as_bytes());
    let good = file("good.json", greeting("good", json!({"text": "hi"})).to_string().as_bytes());
    let empty = file("empty.json", greeting("empty", json!({"text": ""})).to_string().as_bytes());
    let script = format!(
        "export HOME=$(mktemp -d)\n\
         kubectl apply -f {good} || exit 3\n\
         refusal=$(kubectl apply -f {empty} 2>&1) && exit 4\n\
         case $refusal in *'spec.text is empty'*) ;; *) exit 5;; esac\n\
         kubectl wait greeting/good --for=jsonpath='{{.status.greeting}}'=hi --timeout=40s || exit 6"
    );
    let words = ["orascache", "--log", "error", "dev", "--component", &component, "--crd", &crd, "--exec"];
    let cli = Cli::parse_from(words.into_iter().chain([script.as_str()]));
    assert_eq!(orascache_operator::command::execute(cli), ExitCode::SUCCESS);
}
