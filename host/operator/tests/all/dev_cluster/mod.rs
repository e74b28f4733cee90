//! A running `orascache dev`, and what its tests need.

pub mod engines;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DynamicObject, LogParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::wait::await_condition;
use kube::{Api, Client, Config, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

/// Prefix of the annotations of steps.
pub const PREFIX: &str = "oras.converged-computing.github.io/";
/// How long a test waits for what must come. Only failures take that long.
const PATIENCE: Duration = Duration::from_secs(120);
/// Annotation of a registry pod with its address.
const ENDPOINT: &str = "cache.converged-computing.github.io/dev-endpoint";

/// A running `orascache dev`.
pub struct Dev {
    process: Child,
    client: Client,
    /// Its temporary folders are in here.
    folder: TempDir,
}

impl Dev {
    /// Starts `dev`. `None` where the kernel does not allow namespaces: then the refusal is checked,
    /// and the test is over.
    #[allow(clippy::print_stdout, reason = "a skipped test says why")]
    pub async fn start(arguments: &[&str]) -> Option<Self> {
        let dev = Self::start_unchecked(arguments).await;
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe"}, "spec": {
            "restartPolicy": "Never", "containers": [container("app", "true")],
        }});
        dev.apply(pod).await;
        let refusal = |pod: &Pod| {
            let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
            let waiting = statuses.first()?.state.as_ref()?.waiting.as_ref()?;
            let is_refused = waiting.reason.as_deref() == Some("CreateContainerError");
            waiting.message.clone().filter(|_| is_refused)
        };
        let is_known = |pod: &Pod| is_finished(pod) || refusal(pod).is_some();
        let pod = dev.until::<Pod>("probe", "ended or refused", is_known).await;
        match refusal(&pod) {
            None => Some(dev),
            Some(message) => {
                assert!(message.contains("does not let processes make namespaces"), "{message}");
                println!("skipped: {message}");
                dev.stop().await;
                None
            }
        }
    }

    /// Starts `dev`, which may be unable to run pods.
    pub async fn start_unchecked(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let kubeconfig = folder.path().join("kubeconfig");
        let mut process = Command::new(env!("CARGO_BIN_EXE_orascache"))
            .args(["--log", "warn", "dev", "--kubeconfig"])
            .arg(&kubeconfig)
            .args(arguments)
            // All tests share one compiled cache. It must not be in the user's home folder.
            .env("XDG_CACHE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"))
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        // It says where the kubeconfig is once everything is ready.
        let mut out = process.stdout.take().expect("standard output");
        let mut said = String::new();
        let ready = async {
            let mut bytes = [0; 1024];
            while !said.contains("Ctrl-C ends everything") {
                let count = out.read(&mut bytes).await.expect("output");
                assert!(count > 0, "dev ended: {said}");
                said += &String::from_utf8_lossy(&bytes[..count]);
            }
        };
        tokio::time::timeout(PATIENCE, ready).await.expect("dev is ready in time");
        let text = std::fs::read_to_string(&kubeconfig).expect("a kubeconfig");
        let config = Kubeconfig::from_yaml(&text).expect("a kubeconfig");
        let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await;
        // The tests of a process share one TLS provider. Only the first call installs it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::try_from(config.expect("a configuration")).expect("a client");
        Self { process, client, folder }
    }

    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The file by which other programs find the cluster.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::default_namespaced(self.client.clone())
    }

    /// Applies an object, as `kubectl apply --server-side` does.
    pub async fn apply(&self, object: Value) {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).expect("a text").to_owned();
        let (version, kind, name) = (text("/apiVersion"), text("/kind"), text("/metadata/name"));
        let (group, version) = version.rsplit_once('/').unwrap_or(("", &version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &kind));
        let api: Api<DynamicObject> = Api::default_namespaced_with(self.client.clone(), &resource);
        let parameters = PatchParams::apply("test");
        api.patch(&name, &parameters, &Patch::Apply(&object))
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// Changes an object by a JSON Merge Patch.
    pub async fn patch<K>(&self, name: &str, change: Value)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let patch = Patch::Merge(change);
        let patched = self.api::<K>().patch(name, &PatchParams::default(), &patch).await;
        patched.unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// Waits until an object is as it should be, and returns it.
    pub async fn until<K>(&self, name: &str, what: &str, holds: impl Fn(&K) -> bool) -> K
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + Send
            + DeserializeOwned
            + 'static,
    {
        let condition = |object: Option<&K>| object.is_some_and(&holds);
        match tokio::time::timeout(PATIENCE, await_condition(self.api::<K>(), name, condition)).await {
            Ok(object) => object.expect("a watch").expect("an object"),
            Err(_) => panic!("{name} is not {what} in time: {:#?}", self.api::<K>().get(name).await),
        }
    }

    pub async fn until_finished(&self, name: &str) -> Pod {
        self.until(name, "finished", is_finished).await
    }

    /// The log of a container, or why there is none.
    pub async fn log(&self, pod: &str, container: &str) -> String {
        let parameters = LogParams { container: Some(container.to_owned()), ..LogParams::default() };
        self.api::<Pod>().logs(pod, &parameters).await.unwrap_or_else(|error| error.to_string())
    }

    pub async fn until_log(&self, pod: &str, container: &str, text: &str) {
        let wait = async {
            while !self.log(pod, container).await.contains(text) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait)
            .await
            .unwrap_or_else(|_| panic!("no {text:?} in the log in time"));
    }

    /// Waits until a registry answers, and returns its address.
    pub async fn registry(&self, pod: &str) -> String {
        let address = |pod: &Pod| pod.metadata.annotations.as_ref()?.get(ENDPOINT).cloned();
        let is_served = |pod: &Pod| address(pod).is_some() && phase(pod) == "Running";
        let pod = self.until::<Pod>(pod, "served", is_served).await;
        address(&pod).expect("an address")
    }

    /// The processes of containers, and their helpers.
    pub fn processes(&self) -> Vec<u32> {
        let mut found = Vec::new();
        let mut parents: Vec<u32> = self.process.id().into_iter().collect();
        while let Some(parent) = parents.pop() {
            for task in std::fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten() {
                let list = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
                let ids: Vec<u32> = list.split_whitespace().filter_map(|id| id.parse().ok()).collect();
                parents.extend(&ids);
                found.extend(ids);
            }
        }
        found
    }

    /// Ends `dev` by a signal, and returns the folder in which its temporary folder was.
    pub async fn end_by(mut self, signal: &str) -> PathBuf {
        let folder = self.temporary().expect("dev has a temporary folder");
        let id = self.process.id().expect("it runs").to_string();
        let sent = Command::new("kill").args([format!("-{signal}"), id]).status().await.expect("kill runs");
        assert!(sent.success());
        tokio::time::timeout(PATIENCE, self.process.wait())
            .await
            .expect("it ends in time")
            .expect("a status");
        folder
    }

    /// Ends `dev`. Nothing remains.
    pub async fn stop(self) {
        let processes = self.processes();
        let root = self.folder.path().to_owned();
        let folder = self.end_by("TERM").await;
        until_ended(&processes).await;
        assert!(!folder.exists(), "{} in {}", folder.display(), root.display());
    }

    /// The folder of `dev` with volumes and registries.
    fn temporary(&self) -> Option<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path()).ok()?.filter_map(Result::ok);
        let paths = entries.map(|entry| entry.path());
        paths.into_iter().find(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("orascache-dev-"))
        })
    }
}

/// Waits until none of these processes exists.
pub async fn until_ended(processes: &[u32]) {
    let ended = async {
        while processes.iter().any(|id| Path::new(&format!("/proc/{id}")).exists()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("all processes end in time");
}

/// A cache with defaults.
pub fn cache(name: &str) -> Value {
    json!({
        "apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache",
        "metadata": {"name": name}, "spec": {},
    })
}

/// A container that runs a script.
pub fn container(name: &str, script: &str) -> Value {
    json!({"name": name, "image": "busybox", "command": ["sh", "-c", script]})
}

/// A pod with a step: its annotations without their prefix.
pub fn step(name: &str, cache: &str, annotations: Value, script: &str) -> Value {
    let mut all = json!({format!("{PREFIX}oras-cache"): cache});
    for (key, value) in annotations.as_object().into_iter().flatten() {
        all[format!("{PREFIX}{key}")] = value.clone();
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "annotations": all}, "spec": {
        "restartPolicy": "Never", "containers": [container("app", script)],
    }})
}

pub fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

fn is_finished(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// Exit code and message of a container that has ended.
pub fn ended(pod: &Pod, name: &str) -> Option<(i32, String)> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let ended = statuses.iter().find(|status| status.name == name)?.state.as_ref()?.terminated.clone()?;
    Some((ended.exit_code, ended.message.unwrap_or_default()))
}

/// Whether a Job has a condition: what `kubectl wait --for=condition=...` looks at.
pub fn is_job(condition: &'static str) -> impl Fn(&Job) -> bool {
    move |job| {
        let conditions = job.status.as_ref().and_then(|status| status.conditions.as_ref());
        conditions.into_iter().flatten().any(|found| found.type_ == condition && found.status == "True")
    }
}

/// The body of an answer of a registry.
pub async fn get(address: &str, path: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
    let request = format!(
        "GET {path} HTTP/1.0\r\nHost: {address}\r\nAccept: application/vnd.oci.image.manifest.v1+json\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).expect("a body")
}
