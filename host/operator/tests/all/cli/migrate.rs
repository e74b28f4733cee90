//! `orascache migrate`: what it prints, and how it ends. What it does is tested where that is
//! decided, in the crate `orascache-migration`.

use super::{err, out, run};
use fake_kube::FakeKube;
use fake_kube::kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use fake_kube::kube::core::{ApiResource, GroupVersionKind};
use fake_kube::kube::{Api, Client};
use serde_json::{Value, json};

const CACHE: &str = "cache.converged-computing.github.io/v1alpha1";

fn api(client: &Client, api_version: &str, kind: &str) -> Api<DynamicObject> {
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    Api::default_namespaced_with(client.clone(), &resource)
}

async fn create(client: &Client, object: Value) -> DynamicObject {
    let text = |member: &str| object[member].as_str().expect("a text").to_owned();
    let api = api(client, &text("apiVersion"), &text("kind"));
    let object: DynamicObject = serde_json::from_value(object).expect("an object");
    api.create(&PostParams::default(), &object).await.expect("it is made")
}

/// A cluster in which the former operator left the cache `demo`.
async fn former_cluster() -> FakeKube {
    let definition = serde_json::to_value(orascache_operator::command::crd::definition()).expect("JSON");
    let definition = serde_json::from_value(definition).expect("a definition");
    let server = FakeKube::builder().definition(definition).start().await.expect("a server");
    let client = server.client();
    let cache = json!({"apiVersion": CACHE, "kind": "OrasCache", "metadata": {"name": "demo"},
        "spec": {"secrets": {"registryHttp": "hunter2"}}});
    let uid = create(&client, cache).await.metadata.uid.expect("a UID");
    let text = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/former_operator/objects.yaml"
    ));
    let text =
        text.expect("a fixture").replace("NAMESPACE", "default").replace("NAME", "demo").replace("UID", &uid);
    for object in serde_saphyr::from_multiple::<Value>(&text).expect("YAML") {
        create(&client, object).await;
    }
    server
}

async fn migrate(server: &FakeKube, arguments: &[&str]) -> std::process::Output {
    let kubeconfig = server.kubeconfig_path().display().to_string();
    let mut all = vec!["migrate".to_owned(), "--kubeconfig".to_owned(), kubeconfig];
    all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    tokio::task::spawn_blocking(move || run(&all.iter().map(String::as_str).collect::<Vec<_>>(), ""))
        .await
        .expect("it ends")
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_what_it_would_do_and_changes_nothing() {
    let server = former_cluster().await;
    // As this operator writes it.
    let status = json!({"status": {"conditions": [{"type": "Degraded", "status": "True",
        "reason": "FormerOperator", "lastTransitionTime": "2026-11-30T00:00:00Z",
        "message": "StatefulSet demo was made by the former operator (oras-operator)."}]}});
    let caches = api(&server.client(), CACHE, "OrasCache");
    caches.patch_status("demo", &PatchParams::default(), &Patch::Merge(status)).await.expect("a status");
    let mark = server.requests().mark();

    let output = migrate(&server, &[]).await;
    let text = out(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", err(&output));
    for says in [
        "OrasCache default/demo",
        "StatefulSet demo was made by the former operator.",
        "Move the HTTP secret of spec.secrets.registryHttp into Secret demo-http",
        "Delete StatefulSet demo of the former operator with its pod.",
        "spec.storage is not set",
        "Nothing was changed. --apply makes these changes.",
    ] {
        assert!(text.contains(says), "{says}: {text}");
    }
    assert!(!text.contains("hunter2"), "{text}");

    let output = migrate(&server, &["-A", "-o", "json"]).await;
    let reports: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(reports[0]["name"], "demo");
    assert_eq!(reports[0]["wouldDo"].as_array().map(Vec::len), Some(9), "{reports:#}");
    assert!(server.requests().writes_since(mark, &fake_kube::Matcher::any()).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_way_ends_it_with_1() {
    let server = former_cluster().await;
    let mark = server.requests().mark();
    let output = migrate(&server, &["demo"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(out(&output).contains("Install it, and wait for the condition Degraded"), "{}", out(&output));
    let output = migrate(&server, &["demo", "--apply"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("error: default/demo: This operator has not said"), "{}", err(&output));
    let output = migrate(&server, &["nobody"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("OrasCache default/nobody does not exist"), "{}", err(&output));
    assert!(server.requests().writes_since(mark, &fake_kube::Matcher::any()).is_empty());
    let output = migrate(&server, &["-n", "other"]).await;
    assert_eq!((output.status.code(), out(&output).as_str()), (Some(0), "There is nothing to migrate.\n"));
}

#[test]
fn unusable_arguments_end_it_with_2() {
    for arguments in [
        &["migrate", "--kubeconfig", "/none"][..],
        &["migrate", "--timeout", "soon"],
        &["migrate", "-A", "demo"],
    ] {
        assert_eq!(run(arguments, "").status.code(), Some(2), "{arguments:?}");
    }
}
