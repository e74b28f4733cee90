//! An operator whose component is replaced while it runs.

use deploy_manifests::names;
use kube::api::DynamicObject;
use kube::{Api, ResourceExt};
use orascache_operator::operator::{self, Operator, Options};
use orascache_runtime::{CanaryPolicy, hot_swap, record};
use orascache_tests::GREETER;
use orascache_tests::cluster::{Cluster, PATIENCE, guest, install_crd};
use orascache_tests::components::edited;
use orascache_tests::fixtures::{greeting, greeting_crd};
use serde_json::{Value, json};
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A greeter whose default text is "howdy" instead of "hello".
pub(super) fn friendly() -> Vec<u8> {
    edited(GREETER, "hello", "howdy")
}

/// A greeter that misbehaves as `spec.behaviour` says. The normal greeter ignores that field.
pub(super) fn fragile() -> Vec<u8> {
    edited(GREETER, "misbehave", "behaviour")
}

/// With this, no canary becomes a trusted version before a test ends.
pub(super) fn for_ever() -> CanaryPolicy {
    CanaryPolicy { period: Duration::from_secs(86_400), ..CanaryPolicy::default() }
}

/// A running operator that loads its component from a file.
pub(super) struct Running {
    pub(super) cluster: Cluster,
    operator: Operator,
    folder: TempDir,
    metrics: SocketAddr,
}

impl Running {
    pub(super) async fn start(canary: CanaryPolicy, recording: bool) -> Self {
        let cluster = Cluster::embedded().await;
        let mut definition = greeting_crd();
        definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
            ["behaviour"] = json!({"type": "string"});
        install_crd(&cluster.client(), &serde_json::from_value(definition).expect("a CRD")).await;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("guest.wasm");
        std::fs::write(&file, GREETER).expect("written");
        let metrics = test_registries::free_address();
        let options = Options {
            listen: Some(metrics),
            lease_namespace: Some(cluster.namespace.clone()),
            record: recording.then(|| record::Options::new(folder.path().join("records"))),
            hot_swap: Some(hot_swap::Options {
                period: Duration::from_millis(25),
                canary,
                ..hot_swap::Options::new(file)
            }),
            ..Options::default()
        };
        let guest = Arc::new(guest(GREETER));
        let operator =
            operator::start(cluster.operator_client().await, guest, options).await.expect("it starts");
        tokio::time::timeout(PATIENCE, operator.synced()).await.expect("it syncs");
        Self { cluster, operator, folder, metrics }
    }

    pub(super) fn greetings(&self) -> Api<DynamicObject> {
        self.cluster.api("lab.example.com/v1", "Greeting", "greetings")
    }

    pub(super) fn maps(&self) -> Api<DynamicObject> {
        self.cluster.api("v1", "ConfigMap", "configmaps")
    }

    pub(super) fn file(&self) -> PathBuf {
        self.folder.path().join("guest.wasm")
    }

    pub(super) async fn greet(&self, name: &str, spec: Value) {
        self.cluster.apply(&self.greetings(), greeting(name, spec)).await;
    }

    pub(super) async fn until_greeted(&self, name: &str, text: &str) {
        let greets = |map: &Value| map["data"]["greeting"] == text;
        self.cluster.until(&self.maps(), name, &format!("greeting with {text}"), greets).await;
    }

    /// The value of a metric, or 0 when it does not exist.
    pub(super) async fn metric(&self, name: &str) -> u64 {
        let mut stream = tokio::net::TcpStream::connect(self.metrics).await.expect("a connection");
        let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.expect("a request");
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("an answer");
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.unwrap_or_default()
    }

    pub(super) async fn changes(&self, result: &str) -> u64 {
        self.metric(&format!("orascache_component_changes_total{{result=\"{result}\"}}")).await
    }

    pub(super) async fn until_changes(&self, result: &str, count: u64) {
        until(|| async { (self.changes(result).await >= count).then_some(()) }).await;
        assert_eq!(self.changes(result).await, count, "{result}");
    }

    /// Notes of the events about the Lease with that reason.
    async fn notes(&self, reason: &str) -> Vec<String> {
        let events = self.cluster.api("events.k8s.io/v1", "Event", "events");
        let lease = self.cluster.api("coordination.k8s.io/v1", "Lease", "leases");
        let lease = lease.get(names::LEASE).await.expect("the Lease").uid().expect("a UID");
        let found = events.list(&Default::default()).await.expect("events").items.into_iter();
        let about_it = found.filter(|event| {
            event.data["reason"] == reason && event.data["regarding"]["uid"] == lease.as_str()
        });
        about_it.map(|event| event.data["note"].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub(super) async fn until_note(&self, reason: &str, holds: &str) {
        until(|| async { self.notes(reason).await.iter().any(|note| note.contains(holds)).then_some(()) })
            .await;
    }

    pub(super) async fn finish(self) {
        self.operator.shutdown().await;
        self.cluster.finish().await;
    }
}

pub(super) async fn until<T, F: Future<Output = Option<T>>>(found: impl Fn() -> F) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = found().await {
            return found;
        }
        assert!(Instant::now() < deadline, "the condition did not hold in time");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// Replaces the component's file at once, so that no part of it is seen and counted.
pub(super) fn replace(file: &Path, content: &[u8]) {
    let beside = file.with_extension("new");
    std::fs::write(&beside, content).expect("written");
    std::fs::rename(&beside, file).expect("renamed");
}

/// Overwrites the component's file in place, as `cp` does.
pub(super) fn write(file: &Path, content: &[u8]) {
    std::fs::write(file, content).expect("written");
}
