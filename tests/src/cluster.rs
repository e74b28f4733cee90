//! The cluster that a test runs against, with the CRD, simulated controllers and the operator.

use crate::failing_pods::FailingPods;
use fake_kube::{FakeKube, Logs, Simulation, Simulators};
use fake_kube_control_plane::ControlPlane;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::wait;
use kube::{Api, Client, Config, CustomResourceExt, ResourceExt};
use orascache_api::orascache::OrasCache;
use orascache_contract::{Description, GuestError, Observed, Plan};
use orascache_controller::{Backoff, Controller, Options, Reconciler};
use orascache_dev_registry::{Registries, RegistryOptions};
use orascache_operator::EMBEDDED;
use orascache_runtime::{CompiledCache, Engine, Guest, Limits};
use prometheus_client::registry::Registry;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a test waits for what it expects. Only a failing test waits that long.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// The API server, and the controllers that the cluster does not have by itself.
enum Backend {
    Fake(Box<FakeKube>),
    ControlPlane {
        /// Runs as long as this exists.
        _plane: ControlPlane,
        simulation: Option<Simulation>,
    },
    /// A whole cluster, which outlives the test.
    Existing,
}

/// A cluster with a namespace for one test.
pub struct Cluster {
    backend: Backend,
    kubeconfig: String,
    client: Client,
    folder: TempDir,
    /// The namespace of this test.
    pub namespace: String,
}

impl Cluster {
    /// Starts or finds a cluster, as the environment says, and installs the CRD.
    pub async fn start() -> Self {
        Self::start_with(true).await
    }

    /// A cluster of the fake API server, for tests that inject faults or count requests.
    pub async fn embedded() -> Self {
        Self::start_with(false).await
    }

    async fn start_with(may_be_real: bool) -> Self {
        let existing = std::env::var_os("ORASCACHE_TEST_KUBECONFIG").filter(|_| may_be_real);
        let assets = std::env::var_os("KUBEBUILDER_ASSETS").filter(|_| may_be_real);
        let folder = tempfile::tempdir().expect("a folder");
        let (backend, kubeconfig) = if let Some(path) = existing {
            (Backend::Existing, std::fs::read_to_string(path).expect("the kubeconfig is readable"))
        } else if let Some(assets) = assets {
            let plane = ControlPlane::start(assets.as_ref()).expect("a control plane");
            let kubeconfig = plane.kubeconfig();
            let client = client_of(&kubeconfig, "simulators").await;
            wait_for_api(&client).await;
            let simulation = Simulation::start(client.clone(), simulators(client, &folder));
            (Backend::ControlPlane { _plane: plane, simulation: Some(simulation) }, kubeconfig)
        } else {
            let mut fake = FakeKube::start().await.expect("the fake API server starts");
            fake.simulate(simulators(fake.client_as("simulators").expect("a client"), &folder));
            let kubeconfig = fake.kubeconfig();
            (Backend::Fake(Box::new(fake)), kubeconfig)
        };
        let client = client_of(&kubeconfig, "test").await;
        wait_for_api(&client).await;
        install_crd(&client, &OrasCache::crd()).await;
        let namespace = unique_namespace();
        let body = Namespace {
            metadata: kube::api::ObjectMeta { name: Some(namespace.clone()), ..Default::default() },
            ..Default::default()
        };
        Api::all(client.clone()).create(&PostParams::default(), &body).await.expect("a namespace");
        Self { backend, kubeconfig, client, folder, namespace }
    }

    /// A client that is not the operator's.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The fake API server.
    ///
    /// # Panics
    /// When the cluster is another one.
    pub fn server(&self) -> &FakeKube {
        match &self.backend {
            Backend::Fake(fake) => fake,
            _ => panic!("this test needs the fake API server"),
        }
    }

    /// A file with the kubeconfig, whose default namespace is the test's.
    pub fn kubeconfig_file(&self) -> PathBuf {
        let path = self.folder.path().join("kubeconfig");
        std::fs::write(&path, &self.kubeconfig).expect("the kubeconfig is written");
        path
    }

    /// Starts the operator with the embedded component, and waits until it has reconciled every
    /// object once.
    pub async fn operator(&self) -> Controller {
        self.controller(Arc::new(GuestReconciler(Arc::new(guest(EMBEDDED))))).await
    }

    /// Starts the generic controller with another reconciler.
    pub async fn controller(&self, reconciler: Arc<dyn Reconciler>) -> Controller {
        let client = self.operator_client().await;
        let options = Options {
            backoff: Backoff { first: Duration::from_millis(50), longest: Duration::from_secs(2) },
            instance: "test".to_owned(),
            // On an existing cluster a test must not touch other namespaces.
            namespaces: matches!(self.backend, Backend::Existing)
                .then(|| self.namespace.clone())
                .into_iter()
                .collect(),
            ..Options::default()
        };
        let controller = Controller::start(client, reconciler, options, &mut Registry::default())
            .await
            .expect("the controller starts");
        tokio::time::timeout(PATIENCE, controller.synced()).await.expect("the controller syncs");
        controller
    }

    /// A client with the user agent `operator`, by which its requests are told from those of
    /// others.
    pub async fn operator_client(&self) -> Client {
        client_of(&self.kubeconfig, "operator").await
    }

    /// Whether the API server is a real kube-apiserver.
    pub fn is_real(&self) -> bool {
        !matches!(self.backend, Backend::Fake(_))
    }

    /// The API of any kind in the test's namespace.
    pub fn api(&self, api_version: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
        namespaced(self.client.clone(), &self.namespace, api_version, kind, plural)
    }

    /// OrasCaches of the test's namespace.
    pub fn caches(&self) -> Api<DynamicObject> {
        caches_of(self.client.clone(), &self.namespace)
    }

    /// StatefulSets of the test's namespace.
    pub fn sets(&self) -> Api<DynamicObject> {
        self.api("apps/v1", "StatefulSet", "statefulsets")
    }

    /// Services of the test's namespace.
    pub fn services(&self) -> Api<DynamicObject> {
        self.api("v1", "Service", "services")
    }

    /// Applies a document like `kubectl apply --server-side` does.
    pub async fn apply(&self, api: &Api<DynamicObject>, document: Value) -> DynamicObject {
        let name = document["metadata"]["name"].as_str().expect("a name").to_owned();
        let parameters = PatchParams::apply("test").force();
        api.patch(&name, &parameters, &Patch::Apply(&document))
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Merges a patch, as `kubectl edit` does: the field manager's operation is Update.
    pub async fn edit(&self, api: &Api<DynamicObject>, name: &str, patch: Value) -> DynamicObject {
        let parameters =
            PatchParams { field_manager: Some("kubectl-edit".to_owned()), ..PatchParams::default() };
        api.patch(name, &parameters, &Patch::Merge(&patch))
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Waits until an object satisfies a condition, and returns it.
    pub async fn until(
        &self,
        api: &Api<DynamicObject>,
        name: &str,
        what: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let mut last = Value::Null;
        while Instant::now() < deadline {
            if let Some(object) = api.get_opt(name).await.expect("the API answers") {
                last = serde_json::to_value(object).expect("an object is JSON");
                if holds(&last) {
                    return last;
                }
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{name}: not {what} in time: {last:#}");
    }

    /// Waits until there is no object of that name.
    pub async fn until_gone(&self, api: &Api<DynamicObject>, name: &str) {
        let deadline = Instant::now() + PATIENCE;
        while api.get_opt(name).await.expect("the API answers").is_some() {
            assert!(Instant::now() < deadline, "{name} is still there");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// Waits until a cache has a condition with that status and reason.
    pub async fn until_condition(&self, name: &str, kind: &str, status: &str, reason: &str) -> Value {
        let what = format!("{kind}={status} {reason}");
        self.until(&self.caches(), name, &what, |cache| {
            condition(cache, kind).is_some_and(|found| {
                found["status"] == status
                    && found["reason"] == reason
                    && found["observedGeneration"] == cache["metadata"]["generation"]
            })
        })
        .await
    }

    /// The resourceVersions of all objects that belong to caches. Every write that changes an
    /// object changes one.
    pub async fn versions(&self) -> Vec<String> {
        let mut versions = Vec::new();
        for api in [
            self.caches(),
            self.sets(),
            self.services(),
            self.api("v1", "Secret", "secrets"),
            self.api("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
            self.api("v1", "Pod", "pods"),
        ] {
            let list = api.list(&Default::default()).await.expect("a list");
            versions.extend(list.items.iter().map(|object| {
                format!(
                    "{} {} {}",
                    object.types.as_ref().map_or("", |t| &t.kind),
                    object.name_any(),
                    object.resource_version().unwrap_or_default()
                )
            }));
        }
        versions
    }

    /// Stops the simulators: from now on only the test and the operator change objects.
    pub async fn stop_simulators(&mut self) {
        match &mut self.backend {
            Backend::Fake(fake) => fake.stop_simulators().await,
            Backend::ControlPlane { simulation, .. } => {
                if let Some(simulation) = simulation.take() {
                    simulation.shutdown().await;
                }
            }
            Backend::Existing => {}
        }
    }

    /// Stops everything. On a cluster that outlives the test this deletes the test's namespace.
    pub async fn finish(mut self) {
        if let Backend::Existing = self.backend {
            let api: Api<Namespace> = Api::all(self.client.clone());
            api.delete(&self.namespace, &DeleteParams::background()).await.expect("the namespace is deleted");
        }
        self.stop_simulators().await;
        if let Backend::Fake(fake) = self.backend {
            fake.shutdown().await;
        }
    }
}

/// The API of any kind in a namespace.
pub fn namespaced(
    client: Client,
    namespace: &str,
    api_version: &str,
    kind: &str,
    plural: &str,
) -> Api<DynamicObject> {
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let kind = GroupVersionKind::gvk(group, version, kind);
    Api::namespaced_with(client, namespace, &ApiResource::from_gvk_with_plural(&kind, plural))
}

/// OrasCaches of a namespace.
pub fn caches_of(client: Client, namespace: &str) -> Api<DynamicObject> {
    namespaced(client, namespace, "cache.converged-computing.github.io/v1alpha1", "OrasCache", "orascaches")
}

/// A condition of an object's status.
pub fn condition<'o>(object: &'o Value, kind: &str) -> Option<&'o Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}

/// A guest as the controller's reconciler.
pub struct GuestReconciler(pub Arc<Guest>);

impl Reconciler for GuestReconciler {
    fn describe(&self) -> Description {
        self.0.describe().clone()
    }

    fn reconcile(&self, observed: Observed) -> BoxFuture<'_, Result<Plan, GuestError>> {
        Box::pin(async move { self.0.reconcile(&observed).await })
    }
}

/// Loads a component into an engine of its own.
pub fn guest(bytes: &[u8]) -> Guest {
    let engine = Engine::new(Limits::default()).expect("an engine");
    engine.load(bytes, &compiled()).expect("the component loads")
}

/// Code that was compiled before. Compiling a component takes a second of all processors in a build
/// without optimization, and most tests do not depend on it. The build of this crate empties the
/// folder.
pub fn compiled() -> CompiledCache {
    CompiledCache::at(concat!(env!("OUT_DIR"), "/compiled"))
}

pub(crate) async fn client_of(kubeconfig: &str, agent: &'static str) -> Client {
    // The tests of a process share one TLS provider. Only the first call installs it, the others
    // fail.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig).expect("a kubeconfig");
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .expect("a configuration");
    config.headers.push((http::header::USER_AGENT, http::HeaderValue::from_static(agent)));
    Client::try_from(config).expect("a client")
}

pub(crate) async fn wait_for_api(client: &Client) {
    let deadline = Instant::now() + PATIENCE;
    let api: Api<Namespace> = Api::all(client.clone());
    while !matches!(api.get_opt("default").await, Ok(Some(_))) {
        assert!(Instant::now() < deadline, "the API is not ready");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// All simulators, with live registries that keep their blobs in the folder.
fn simulators(client: Client, folder: &TempDir) -> Simulators {
    let (changes, _) = tokio::sync::mpsc::unbounded_channel();
    let (data_dir, logs) = (folder.path().join("registries"), Logs::default());
    let options = RegistryOptions { data_dir, logs, changes };
    let registries = Registries::start(client, options).expect("a folder for the registries");
    Simulators::all().with_pod_runner(Arc::new(FailingPods)).with_pod_runner(registries)
}

/// Applies a CRD and waits until it is served.
pub async fn install_crd(client: &Client, definition: &CustomResourceDefinition) {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let name = definition.name_any();
    api.patch(&name, &PatchParams::apply("test").force(), &Patch::Apply(definition))
        .await
        .expect("the CRD is applied");
    wait::await_condition(api, &name, wait::conditions::is_crd_established())
        .await
        .expect("the CRD is established");
}

fn unique_namespace() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    format!("test-{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}
