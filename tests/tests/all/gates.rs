//! Pods that wait for their inputs behind a scheduling gate, with the whole operator.

use deploy_manifests::access::permits;
use deploy_manifests::{ManifestOptions, names, rbac};
use fake_kube::Matcher;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::wait::await_condition;
use oci_registry_client::{
    ArtifactReference, Client, Credentials, EMPTY_CONFIG, Endpoint, Manifest, TransferPolicy, media_type,
};
use orascache_operator::operator::Operator;
use orascache_tests::access::needed;
use orascache_tests::cluster::{Cluster, PATIENCE};
use orascache_tests::fixtures::cache;
use orascache_tests::webhooks;
use serde_json::{Value, json};
use std::net::SocketAddr;
use test_registries::Embedded;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PREFIX: &str = "oras.converged-computing.github.io";
const OURS: &str = "cache.converged-computing.github.io";

/// A cluster with a cache, and settings that switch gates on and name a registry.
async fn cluster(registry: &str) -> Cluster {
    let cluster = Cluster::embedded().await;
    let apply = PatchParams::apply("test");
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": names::NAMESPACE}});
    let namespaces: Api<Namespace> = Api::all(cluster.client());
    namespaces.patch(names::NAMESPACE, &apply, &Patch::Apply(&namespace)).await.expect("a namespace");
    let settings = json!({"gates": true, "allowedRegistries": [registry]});
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": names::SETTINGS},
        "data": {"settings.yaml": settings.to_string()},
    });
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client(), names::NAMESPACE);
    maps.patch(names::SETTINGS, &apply, &Patch::Apply(&map)).await.expect("settings");
    cluster.apply(&cluster.caches(), cache("demo", json!({"deploy": false}))).await;
    cluster
}

async fn operator(cluster: &Cluster, listen: Option<SocketAddr>) -> Operator {
    webhooks::operator_with(cluster, |options| {
        options.gates = true;
        options.listen = listen;
    })
    .await
}

/// A pod that runs for ever once its input is there.
async fn create(cluster: &Cluster, name: &str, registry: &str) -> Value {
    let annotations = json!({
        format!("{PREFIX}/oras-cache"): "demo",
        format!("{PREFIX}/input-uri"): "flow/words:1",
        format!("{PREFIX}/input-wait"): "30m",
        format!("{PREFIX}/registry"): format!("http://{registry}"),
    });
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "annotations": annotations},
        "spec": {"containers": [
            {"name": "app", "image": "busybox", "command": ["sleep", "1d"], "workingDir": "/data"},
        ]},
    });
    let pod = serde_json::from_value(pod).expect("an object");
    let created = cluster.api("v1", "Pod", "pods").create(&PostParams::default(), &pod).await;
    serde_json::to_value(created.expect("admitted")).expect("JSON")
}

fn is_gated(pod: &Value) -> bool {
    let gates = pod["spec"]["schedulingGates"].as_array();
    gates.is_some_and(|gates| gates.iter().any(|gate| gate["name"] == format!("{OURS}/inputs")))
}

async fn push(registry: &str) {
    let endpoint: Endpoint = format!("http://{registry}").parse().expect("an endpoint");
    let client = Client::new(endpoint, Credentials::default(), TransferPolicy::default());
    let reference: ArtifactReference = "flow/words:1".parse().expect("a reference");
    let layer = client.push_bytes(&reference.repository, b"hello", "text/plain").await.expect("a layer");
    client.push_bytes(&reference.repository, EMPTY_CONFIG, media_type::EMPTY).await.expect("a config");
    let manifest = Manifest::of_layers(media_type::UNKNOWN_ARTIFACT, vec![layer], Default::default());
    client.push_manifest(&reference, &manifest).await.expect("a manifest");
}

/// Waits for an event about a pod, and returns its note.
async fn event(cluster: &Cluster, name: &str, reason: &str) -> String {
    let api: Api<Event> = Api::namespaced(cluster.client(), &cluster.namespace);
    let is_it = |event: &Event| {
        event.reason.as_deref() == Some(reason)
            && event.regarding.as_ref().and_then(|object| object.name.as_deref()) == Some(name)
    };
    let found = async {
        let mut events = Box::pin(kube::runtime::watcher(api, Default::default()));
        while let Some(change) = futures::StreamExt::next(&mut events).await {
            let (kube::runtime::watcher::Event::InitApply(event)
            | kube::runtime::watcher::Event::Apply(event)) = change.expect("a watch")
            else {
                continue;
            };
            if is_it(&event) {
                return event.note.unwrap_or_default();
            }
        }
        panic!("the watch ended")
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("no event {reason} about {name}"))
}

/// Waits until a node runs a pod.
async fn until_running(cluster: &Cluster, name: &str) -> Value {
    let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(cluster.client(), &cluster.namespace);
    let running = await_condition(pods, name, kube::runtime::conditions::is_pod_running());
    let pod = tokio::time::timeout(PATIENCE, running).await.unwrap_or_else(|_| panic!("{name} does not run"));
    serde_json::to_value(pod.expect("a watch")).expect("JSON")
}

/// What a registry sends to the operator about a push.
async fn notify(operator: SocketAddr, body: &str) -> String {
    let mut stream = TcpStream::connect(operator).await.expect("a connection");
    let request = format!(
        "POST /registry-events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/vnd.docker.distribution.events.v1+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_waits_without_a_node_until_its_input_is_pushed() {
    let registry = Embedded::start();
    let host = registry.host();
    let cluster = cluster(&host).await;
    let listen = test_registries::free_address();
    let operator = operator(&cluster, Some(listen)).await;
    let created = create(&cluster, "p", &host).await;
    assert!(is_gated(&created), "{created:#}");
    let note = event(&cluster, "p", "WaitsForInputs").await;
    assert!(note.contains(&format!("for flow/words:1 in http://{host}")), "{note}");
    let pods = cluster.api("v1", "Pod", "pods");
    let waiting = serde_json::to_value(pods.get("p").await.expect("a pod")).expect("JSON");
    assert!(is_gated(&waiting) && waiting["spec"].get("nodeName").is_none());

    push(&host).await;
    assert!(notify(listen, "nonsense").await.contains("400"));
    let pushed = json!({"events": [{"action": "push", "target": {"repository": "flow/words", "tag": "1"}}]});
    assert!(notify(listen, &pushed.to_string()).await.contains("202"));
    let running = until_running(&cluster, "p").await;
    assert!(!is_gated(&running));
    let metadata = &running["metadata"];
    assert!(metadata["labels"].get(format!("{OURS}/gated")).is_none());
    let remaining = metadata["annotations"][format!("{OURS}/input-wait-remaining")].as_str();
    let remaining: u32 = remaining.expect("what is left").parse().expect("a number");
    assert!((1_700..=1_800).contains(&remaining), "{remaining}");
    assert!(event(&cluster, "p", "InputsArrived").await.contains("All inputs exist."));
    operator.shutdown().await;

    // The roles of the manifests with gates allow all that was asked for.
    let asked = cluster.server().requests().distinct(&Matcher::any().user_agent("operator"));
    let options = ManifestOptions { gates: true, ..ManifestOptions::default() };
    let grants = rbac::granted(&options, &orascache_core::describe());
    let without = rbac::granted(&ManifestOptions::default(), &orascache_core::describe());
    let mut verbs = Vec::new();
    for request in asked.iter().filter(|request| request.resource == "pods") {
        let wanted = needed(request);
        assert!(permits(&grants, &wanted), "not permitted: {request:?}");
        // Without gates the operator reads registry pods, and changes no pod.
        assert_eq!(permits(&without, &wanted), request.verb != "patch", "without gates: {request:?}");
        verbs.push(request.verb.clone());
    }
    verbs.sort_unstable();
    verbs.dedup();
    // API servers before 1.34 are asked for a list besides.
    assert_eq!(verbs, ["patch", "watch"]);
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gated_pods_survive_a_restart_of_the_operator() {
    let registry = Embedded::start();
    let host = registry.host();
    let cluster = cluster(&host).await;
    let first = operator(&cluster, None).await;
    create(&cluster, "p", &host).await;
    event(&cluster, "p", "WaitsForInputs").await;
    first.shutdown().await;
    push(&host).await;
    let second = operator(&cluster, None).await;
    until_running(&cluster, "p").await;
    second.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deletion_of_the_cache_lets_a_pod_go() {
    let registry = Embedded::start();
    let host = registry.host();
    let cluster = cluster(&host).await;
    let operator = operator(&cluster, None).await;
    create(&cluster, "p", &host).await;
    event(&cluster, "p", "WaitsForInputs").await;
    // A cache that was seen is missed after a while only: the pod may be younger than the watch.
    cluster.caches().delete("demo", &Default::default()).await.expect("deleted");
    let note = event(&cluster, "p", "InputsUnknown").await;
    assert!(note.contains("OrasCache demo does not exist"), "{note}");
    until_running(&cluster, "p").await;
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_switch_no_pod_gets_a_gate() {
    let registry = Embedded::start();
    let host = registry.host();
    let cluster = cluster(&host).await;
    let operator = webhooks::operator(&cluster).await;
    let created = create(&cluster, "p", &host).await;
    assert!(!is_gated(&created) && created["metadata"].get("labels").is_none(), "{created:#}");
    operator.shutdown().await;
    let pods = Matcher::any().user_agent("operator").resource("", "pods");
    let grants = rbac::granted(&ManifestOptions::default(), &orascache_core::describe());
    for request in cluster.server().requests().distinct(&pods) {
        assert!(matches!(request.verb.as_str(), "list" | "watch"), "it changes no pod: {request:?}");
        assert!(permits(&grants, &needed(&request)), "not permitted: {request:?}");
    }
    cluster.finish().await;
}
