//! Registries of pods, seen through the API and over HTTP.

mod support;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::{DeleteParams, LogParams, PostParams};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, ResourceExt};
use orascache_dev_registry::RegistryChange;
use serde_json::{Value, json};
use std::time::Duration;
use support::{PATIENCE, address, cluster};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;

/// The digest of `hello`.
const DIGEST: &str = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

async fn create(pods: &Api<Pod>, name: &str, volume: Value) -> Pod {
    let pod = serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {"app.kubernetes.io/component": "registry"}},
        "spec": {
            "containers": [{
                "name": "registry", "image": "registry:2", "ports": [{"containerPort": 5000}],
                "volumeMounts": [{"name": "data", "mountPath": "/var/lib/registry"}],
            }],
            "volumes": [volume],
        },
    }));
    pods.create(&PostParams::default(), &pod.expect("a pod")).await.expect("created")
}

async fn delete(pods: &Api<Pod>, pod: &Pod) {
    let (name, uid) = (pod.name_any(), pod.uid().expect("a UID"));
    pods.delete(&name, &DeleteParams::default()).await.expect("accepted");
    let deleted = await_condition(pods.clone(), &name, conditions::is_deleted(&uid));
    tokio::time::timeout(PATIENCE, deleted).await.expect("in time").expect("a watch");
}

async fn next(heard: &mut UnboundedReceiver<RegistryChange>) -> RegistryChange {
    tokio::time::timeout(PATIENCE, heard.recv()).await.expect("in time").expect("a change")
}

/// Sends a request, and returns the status.
async fn request(address: &str, method: &str, path: &str, body: &str) -> u16 {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\n\
         Content-Type: application/octet-stream\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{answer}"))
}

async fn push(address: &str) {
    let path = format!("/v2/demo/blobs/uploads/?digest={DIGEST}");
    assert_eq!(request(address, "POST", &path, "hello").await, 201);
}

async fn has_blob(address: &str) -> bool {
    request(address, "HEAD", &format!("/v2/demo/blobs/{DIGEST}"), "").await == 200
}

#[tokio::test]
async fn a_registry_pod_is_served_until_it_is_deleted() {
    let folder = tempfile::tempdir().expect("a folder");
    let (cluster, pods, mut heard) = cluster(&folder).await;
    let volume = json!({"name": "data", "emptyDir": {}});
    let pod = create(&pods, "demo-0", volume.clone()).await;
    let served = address(&pods, "demo-0").await;
    let (namespace, name) = ("default".to_owned(), "demo-0".to_owned());
    let up = RegistryChange::Up {
        namespace: namespace.clone(),
        pod: name.clone(),
        address: served.clone(),
        has_tls: false,
        accounts: None,
    };
    assert_eq!(next(&mut heard).await, up);
    assert_eq!(request(&served, "GET", "/v2/", "").await, 200);
    push(&served).await;
    assert!(has_blob(&served).await);
    let status = pods.get("demo-0").await.expect("a pod").status.expect("a status");
    let pod_ip = status.pod_ip.expect("an address");
    assert!(served.starts_with(&format!("{pod_ip}:")), "{served} {pod_ip}");
    let log = pods.logs("demo-0", &LogParams::default()).await.expect("a log");
    assert!(log.contains("GET /v2/ 200\nPOST /v2/demo/blobs/uploads/ 201\n"), "{log}");

    delete(&pods, &pod).await;
    assert_eq!(next(&mut heard).await, RegistryChange::Down { namespace, pod: name });
    assert!(TcpStream::connect(&served).await.is_err(), "nobody listens any more");
    create(&pods, "demo-0", volume).await;
    assert!(!has_blob(&address(&pods, "demo-0").await).await, "an emptyDir is deleted with its pod");
    cluster.shutdown().await;
}

#[tokio::test]
async fn pods_with_the_same_claim_share_a_store_that_lives_as_long_as_the_claim() {
    let folder = tempfile::tempdir().expect("a folder");
    let (cluster, pods, _heard) = cluster(&folder).await;
    let volume = json!({"name": "data", "persistentVolumeClaim": {"claimName": "data"}});
    let first = create(&pods, "demo-0", volume.clone()).await;
    let second = create(&pods, "demo-1", volume).await;
    let claims: Api<PersistentVolumeClaim> = Api::default_namespaced(cluster.client());
    let claim = serde_json::from_value(json!({"metadata": {"name": "data"}, "spec": {
        "accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}},
    }}));
    claims.create(&PostParams::default(), &claim.expect("a claim")).await.expect("created");
    push(&address(&pods, "demo-0").await).await;
    assert!(has_blob(&address(&pods, "demo-1").await).await);
    delete(&pods, &first).await;
    assert!(has_blob(&address(&pods, "demo-1").await).await, "the claim still exists");
    delete(&pods, &second).await;

    let stores = || std::fs::read_dir(folder.path().join("registries/claims")).expect("a folder").count();
    assert_eq!(stores(), 1);
    claims.delete("data", &DeleteParams::default()).await.expect("accepted");
    let emptied = async {
        while stores() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, emptied).await.expect("the store is deleted with its claim");
    cluster.shutdown().await;
}
