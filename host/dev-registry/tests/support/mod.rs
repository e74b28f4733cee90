//! A cluster whose registry pods are served.

use std::time::Duration;

use fake_kube::{FakeKube, Simulators};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::ResourceExt;
use kube::runtime::wait::{await_condition, conditions};
use orascache_dev_registry::{ENDPOINT_ANNOTATION, Registries, RegistryChange, RegistryOptions};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// How long a test waits for what must come. Only failures take that long.
pub const PATIENCE: Duration = Duration::from_secs(40);
pub async fn cluster(folder: &TempDir) -> (FakeKube, Api<Pod>, UnboundedReceiver<RegistryChange>) {
    let mut cluster = FakeKube::start().await.expect("a server");
    let (changes, heard) = unbounded_channel();
    let logs = cluster.logs();
    let options = RegistryOptions { data_dir: folder.path().join("registries"), logs, changes };
    let registries = Registries::start(cluster.client(), options).expect("a directory");
    cluster.simulate(Simulators::all().with_pod_runner(registries));
    let pods = Api::default_namespaced(cluster.client());
    (cluster, pods, heard)
}

/// Waits until a pod is ready, and returns the address on it.
pub async fn address(pods: &Api<Pod>, name: &str) -> String {
    let running = await_condition(pods.clone(), name, conditions::is_pod_running());
    let pod = tokio::time::timeout(PATIENCE, running).await.expect("in time").expect("a watch");
    pod.expect("a pod").annotations()[ENDPOINT_ANNOTATION].clone()
}
