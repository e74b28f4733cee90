//! A cluster with a node, for the tests of this folder.
#![allow(dead_code, reason = "every test file uses a part of it")]

use fake_kube::{FakeKube, Simulators};
use fake_kube_node::{Backoff, Node, NodeOptions};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::api::{DeleteParams, LogParams, PostParams};
use kube::runtime::wait::{Condition, await_condition};
use kube::{Api, Client};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// How long a test waits for what must come. Only failures take that long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster with a node.
pub struct Cluster {
    server: FakeKube,
    pub node: Arc<Node>,
    folder: TempDir,
    pub pods: Api<Pod>,
}

/// Quick restarts.
pub const QUICK: Backoff = Backoff { first: Duration::from_millis(1), longest: Duration::from_millis(10) };

/// The helper of this package.
pub fn helper() -> Vec<std::ffi::OsString> {
    vec![env!("CARGO_BIN_EXE_fake-kube-container").into()]
}

impl Cluster {
    /// A cluster whose node can run containers. `None` where the kernel does not allow namespaces:
    /// then the refusal is checked, and the test is over.
    #[allow(clippy::print_stdout, reason = "a skipped test says why")]
    pub async fn start(change: impl FnOnce(&mut NodeOptions)) -> Option<Self> {
        let cluster = Self::start_unchecked(change).await;
        cluster.create::<Pod>(pod("probe", json!([container("c", "true")]))).await;
        let pod = cluster.until("probe", "ended or refused", |pod| {
            is_finished(pod) || waiting(pod, "c").is_some_and(|(reason, _)| reason == "CreateContainerError")
        });
        let pod = pod.await;
        if let Some((_, message)) = waiting(&pod, "c") {
            assert!(message.contains("does not let processes make namespaces"), "{message}");
            println!("skipped: {message}");
            cluster.finish().await;
            return None;
        }
        Some(cluster)
    }

    /// A cluster whose node may be unable to run containers.
    pub async fn start_unchecked(change: impl FnOnce(&mut NodeOptions)) -> Self {
        let mut server = FakeKube::start().await.expect("a server");
        let folder = tempfile::tempdir().expect("a folder");
        let mut options = NodeOptions::new(folder.path().join("node"), helper());
        options.logs = server.logs();
        options.backoff = QUICK;
        change(&mut options);
        let node = Node::start(server.client(), options).expect("a node");
        server.simulate(Simulators::all().with_pod_runner(node.clone()));
        let pods = Api::default_namespaced(server.client());
        Self { server, node, folder, pods }
    }

    pub fn client(&self) -> Client {
        self.server.client()
    }

    /// The folder of the node.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().join("node")
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::default_namespaced(self.server.client())
    }

    pub async fn create<K>(&self, object: Value) -> K
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Serialize,
    {
        let object: K = serde_json::from_value(object).expect("an object");
        self.api().create(&PostParams::default(), &object).await.expect("created")
    }

    /// Waits until a pod is as it should be, and returns it.
    pub async fn until(&self, name: &str, what: &str, holds: impl Fn(&Pod) -> bool) -> Pod {
        let condition = |pod: Option<&Pod>| pod.is_some_and(&holds);
        match tokio::time::timeout(PATIENCE, await_condition(self.pods.clone(), name, condition)).await {
            Ok(pod) => pod.expect("a watch").expect("a pod"),
            Err(_) => {
                let pod = self.pods.get(name).await.expect("a pod");
                panic!("{name} is not {what} in time: {:#?}", pod.status)
            }
        }
    }

    pub async fn until_object<K>(&self, name: &str, condition: impl Condition<K>)
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + Debug
            + Send
            + DeserializeOwned
            + 'static,
    {
        let waited = tokio::time::timeout(PATIENCE, await_condition(self.api::<K>(), name, condition)).await;
        waited.unwrap_or_else(|_| panic!("{name} is not as expected in time")).expect("a watch");
    }

    /// Creates a pod and waits until it has ended.
    pub async fn run(&self, pod: Value) -> Pod {
        let name = pod["metadata"]["name"].as_str().expect("a name").to_owned();
        self.create::<Pod>(pod).await;
        self.until(&name, "finished", is_finished).await
    }

    /// The log of a container.
    pub async fn log(&self, pod: &str, container: &str) -> String {
        let parameters = LogParams { container: Some(container.to_owned()), ..LogParams::default() };
        self.pods.logs(pod, &parameters).await.expect("a log")
    }

    /// Waits until the log of a container has a text.
    pub async fn until_log(&self, pod: &str, container: &str, text: &str) {
        let wait = async {
            let parameters = LogParams { container: Some(container.to_owned()), ..LogParams::default() };
            while !self.pods.logs(pod, &parameters).await.is_ok_and(|log| log.contains(text)) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait)
            .await
            .unwrap_or_else(|_| panic!("no {text:?} in the log in time"));
    }

    pub async fn delete(&self, name: &str, grace: Option<u32>) {
        let parameters = DeleteParams { grace_period_seconds: grace, ..DeleteParams::default() };
        self.pods.delete(name, &parameters).await.expect("accepted");
    }

    pub async fn until_gone(&self, name: &str) {
        let gone = |pod: Option<&Pod>| pod.is_none();
        let waited = tokio::time::timeout(PATIENCE, await_condition(self.pods.clone(), name, gone)).await;
        waited.unwrap_or_else(|_| panic!("{name} is still there")).expect("a watch");
    }

    /// The Events about a pod with a reason, once there is one.
    pub async fn event(&self, pod: &str, reason: &str) -> String {
        let events: Api<k8s_openapi::api::core::v1::Event> = self.api();
        let wait = async {
            loop {
                let all = events.list(&Default::default()).await.expect("a list").items;
                let found = all.into_iter().find(|event| {
                    event.involved_object.name.as_deref() == Some(pod)
                        && event.reason.as_deref() == Some(reason)
                });
                if let Some(event) = found {
                    return event.message.unwrap_or_default();
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("no event {reason} about {pod}"))
    }

    /// Stops everything. Nothing remains in the folder of the node.
    pub async fn finish(mut self) {
        self.server.stop_simulators().await;
        tokio::time::timeout(PATIENCE, self.node.stopped()).await.expect("all processes end");
        let left = entries(&self.folder().join("pods"));
        assert!(left.is_empty(), "{left:?}");
        self.server.shutdown().await;
    }
}

/// The names in a folder, which may be missing.
pub fn entries(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// A pod that ends.
pub fn pod(name: &str, containers: Value) -> Value {
    json!({"metadata": {"name": name}, "spec": {"restartPolicy": "Never", "containers": containers}})
}

/// A container that runs a script.
pub fn container(name: &str, script: &str) -> Value {
    json!({"name": name, "image": "busybox", "command": ["sh", "-c", script]})
}

pub fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

pub fn is_finished(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// The status of a container, which may be an init container.
pub fn status<'p>(pod: &'p Pod, name: &str) -> Option<&'p ContainerStatus> {
    let status = pod.status.as_ref()?;
    let init = status.init_container_statuses.iter().flatten();
    let main = status.container_statuses.iter().flatten();
    init.chain(main).find(|status| status.name == name)
}

/// Reason and message of a container that waits.
pub fn waiting(pod: &Pod, name: &str) -> Option<(String, String)> {
    let waiting = status(pod, name)?.state.as_ref()?.waiting.clone()?;
    Some((waiting.reason.unwrap_or_default(), waiting.message.unwrap_or_default()))
}

/// Exit code, reason and message of a container that has ended.
pub fn ended(pod: &Pod, name: &str) -> Option<(i32, String, String)> {
    let ended = status(pod, name)?.state.as_ref()?.terminated.clone()?;
    Some((ended.exit_code, ended.reason.unwrap_or_default(), ended.message.unwrap_or_default()))
}
