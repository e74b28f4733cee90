//! A cluster in which the former operator left a cache, with live registries.

use fake_kube::{FakeKube, Logs, Matcher, PodReport, PodRun, PodRunner, Simulators};
use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Pod, Secret, Service};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DynamicObject, ListParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, CustomResourceExt, ResourceExt};
use oci_registry_client::{
    ArtifactReference, Client as Registry, Credentials, EMPTY_CONFIG, Manifest, TransferPolicy, media_type,
};
use orascache_api::orascache::OrasCache;
use orascache_contract::{Description, GuestError, Observed, Plan};
use orascache_controller::{Backoff, Controller, Reconciler};
use orascache_dev_registry::{Registries, RegistryOptions};
use orascache_migration::{Action, Advance, Direction, LeasePlace, Migration, Options};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a test waits for what must come. Only failures take that long.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Namespace of all tests, and name of the cache.
pub const LAB: &str = "lab";
pub const DEMO: &str = "demo";
/// User agent of migrations.
pub const MIGRATE: &str = "migrate";

/// Runs the Jobs of copies with the agent, as a node would.
struct Copies(TempDir);

impl PodRunner for Copies {
    fn accepts(&self, pod: &Pod) -> bool {
        words(pod).first().is_some_and(|program| program == "orascache-agent")
    }

    fn run(self: Arc<Self>, pod: Arc<Pod>, run: PodRun) -> BoxFuture<'static, ()> {
        async move {
            run.report(PodReport::running(&pod));
            let message = self.0.path().join(pod.name_any());
            let mut arguments: Vec<String> = words(&pod).into_iter().skip(2).collect();
            arguments.push(format!("--termination-message={}", message.display()));
            let code = tokio::task::spawn_blocking(move || orascache_agent::copy(arguments)).await;
            run.report(PodReport::ended(&pod, code.expect("no panic").into()));
        }
        .boxed()
    }
}

fn words(pod: &Pod) -> Vec<String> {
    let container = pod.spec.as_ref().and_then(|spec| spec.containers.first());
    container.and_then(|container| container.command.clone()).unwrap_or_default()
}

/// Decides as the component does.
struct Core;

impl Reconciler for Core {
    fn describe(&self) -> Description {
        orascache_core::describe()
    }

    fn reconcile(&self, observed: Observed) -> BoxFuture<'_, Result<Plan, GuestError>> {
        async move { Ok(orascache_core::reconcile(&observed).expect("a plan")) }.boxed()
    }
}

pub struct Lab {
    pub server: FakeKube,
    pub client: Client,
    _folder: TempDir,
}

impl Lab {
    /// A cluster with the namespace and the CRD.
    pub async fn start() -> Self {
        let mut server = FakeKube::start().await.expect("a server");
        let folder = tempfile::tempdir().expect("a folder");
        let (changes, _) = tokio::sync::mpsc::unbounded_channel();
        let options =
            RegistryOptions { data_dir: folder.path().join("registries"), logs: Logs::default(), changes };
        let simulators = server.client_as("simulators").expect("a client");
        let registries = Registries::start(simulators, options).expect("a folder");
        let copies = Arc::new(Copies(tempfile::tempdir().expect("a folder")));
        server.simulate(Simulators::all().with_pod_runner(registries).with_pod_runner(copies));
        let client = server.client_as("test").expect("a client");
        let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
        definitions.create(&PostParams::default(), &OrasCache::crd()).await.expect("a CRD");
        let name = OrasCache::crd().name_any();
        await_condition(definitions, &name, conditions::is_crd_established()).await.expect("a CRD");
        let namespace = serde_json::from_value(json!({"metadata": {"name": LAB}})).expect("a namespace");
        let namespaces: Api<Namespace> = Api::all(client.clone());
        namespaces.create(&PostParams::default(), &namespace).await.expect("a namespace");
        Self { server, client, _folder: folder }
    }

    /// A cluster in which the former operator left the cache, with artifacts. This operator runs.
    pub async fn with_former_cache(spec: Value) -> (Self, Controller) {
        let lab = Self::start().await;
        let controller = lab.leave_former_cache(spec).await;
        (lab, controller)
    }

    /// Leaves the cache of the former operator, with artifacts, and starts this operator.
    pub async fn leave_former_cache(&self, spec: Value) -> Controller {
        self.make_as_former_operator(spec).await;
        let registry = self.registry("demo-0").await;
        for (reference, content) in ARTIFACTS {
            push(&registry, reference, content).await;
        }
        let controller = self.operator().await;
        self.until(&self.caches(), DEMO, "attended", |cache| {
            cache["status"]["conditions"].to_string().contains("FormerOperator")
        })
        .await;
        controller
    }

    /// Makes the cache, and what the former operator makes for it, by its requests.
    pub async fn make_as_former_operator(&self, spec: Value) {
        self.make_named_as_former_operator(DEMO, spec).await;
    }

    /// The same for a cache of another name.
    pub async fn make_named_as_former_operator(&self, name: &str, spec: Value) {
        let cache = json!({
            "apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache",
            "metadata": {"name": name}, "spec": spec,
        });
        let cache = self.create(cache).await;
        let uid = cache["metadata"]["uid"].as_str().expect("a UID").to_owned();
        for object in former_of(name, "objects.yaml", &uid) {
            self.create(object).await;
        }
    }

    /// This operator.
    pub async fn operator(&self) -> Controller {
        let client = self.server.client_as("operator").expect("a client");
        let options = orascache_controller::Options {
            backoff: Backoff { first: Duration::from_millis(50), longest: Duration::from_secs(1) },
            instance: "test".to_owned(),
            ..orascache_controller::Options::default()
        };
        let mut metrics = prometheus_client::registry::Registry::default();
        let controller = Controller::start(client, Arc::new(Core), options, &mut metrics).await;
        let controller = controller.expect("the controller starts");
        tokio::time::timeout(PATIENCE, controller.synced()).await.expect("the controller syncs");
        controller
    }

    /// A migration as the command makes it.
    pub fn migration(&self, direction: Direction) -> Migration {
        let client = self.server.client_as(MIGRATE).expect("a client");
        let options = Options {
            direction,
            agent_image: "agent".to_owned(),
            lease: LeasePlace {
                namespace: "orascache-system".to_owned(),
                name: "orascache-operator".to_owned(),
            },
            ignore_running_steps: false,
            patience: PATIENCE,
            period: Duration::from_millis(25),
        };
        Migration::new(client, LAB, DEMO, options)
    }

    /// Goes on, each step by a new migration as after an interruption, until a change for which
    /// `ends` holds was made, or nothing is left to do. Returns the changes.
    pub async fn go(&self, direction: Direction, ends: impl Fn(Action) -> bool) -> Vec<Action> {
        let mut made = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "the migration does not end: {made:?}");
            match self
                .migration(direction)
                .advance()
                .await
                .unwrap_or_else(|error| panic!("{error}: {made:?}"))
            {
                Advance::Done => return made,
                Advance::Made(action, _) => {
                    made.push(action);
                    if ends(action) {
                        return made;
                    }
                }
                Advance::Waits(_) => tokio::time::sleep(Duration::from_millis(25)).await,
            }
        }
    }

    pub async fn create(&self, object: Value) -> Value {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let api = self.dynamic(&text("/apiVersion"), &text("/kind"));
        let parsed: DynamicObject = serde_json::from_value(object).expect("an object");
        let made = api.create(&PostParams::default(), &parsed).await.expect("it is made");
        serde_json::to_value(made).expect("JSON")
    }

    fn dynamic(&self, api_version: &str, kind: &str) -> Api<DynamicObject> {
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        match kind {
            "MutatingWebhookConfiguration" => Api::all_with(self.client.clone(), &resource),
            _ => Api::namespaced_with(self.client.clone(), LAB, &resource),
        }
    }

    pub fn caches(&self) -> Api<DynamicObject> {
        self.dynamic("cache.converged-computing.github.io/v1alpha1", "OrasCache")
    }

    pub fn sets(&self) -> Api<DynamicObject> {
        self.dynamic("apps/v1", "StatefulSet")
    }

    pub fn services_dynamic(&self) -> Api<DynamicObject> {
        self.dynamic("v1", "Service")
    }

    pub fn services(&self) -> Api<Service> {
        Api::namespaced(self.client.clone(), LAB)
    }

    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), LAB)
    }

    pub fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), LAB)
    }

    pub fn jobs(&self) -> Api<Job> {
        Api::namespaced(self.client.clone(), LAB)
    }

    pub async fn cache(&self) -> Value {
        serde_json::to_value(self.caches().get(DEMO).await.expect("the cache")).expect("JSON")
    }

    /// A Lease that somebody holds, in a namespace that is made for it.
    pub async fn make_lease(&self, namespace: &str, name: &str, holder: &str) {
        let made = serde_json::from_value(json!({"metadata": {"name": namespace}})).expect("a namespace");
        Api::<Namespace>::all(self.client.clone()).create(&PostParams::default(), &made).await.expect("made");
        let lease = json!({"metadata": {"name": name}, "spec": {"holderIdentity": holder}});
        let lease: Lease = serde_json::from_value(lease).expect("a Lease");
        let api = Api::namespaced(self.client.clone(), namespace);
        api.create(&PostParams::default(), &lease).await.expect("made");
    }

    pub async fn selector(&self) -> std::collections::BTreeMap<String, String> {
        let service = self.services().get(DEMO).await.expect("the Service");
        service.spec.and_then(|spec| spec.selector).unwrap_or_default()
    }

    pub async fn until(
        &self,
        api: &Api<DynamicObject>,
        name: &str,
        what: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = api.get_opt(name).await.expect("the API answers");
            let found = serde_json::to_value(found).expect("JSON");
            if holds(&found) {
                return found;
            }
            assert!(Instant::now() < deadline, "{name} is not {what}: {found:#}");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// The registry of a pod, once it answers.
    pub async fn registry(&self, pod: &str) -> Registry {
        let running = await_condition(self.pods(), pod, conditions::is_pod_running());
        let pod = tokio::time::timeout(PATIENCE, running).await.expect("in time").expect("a watch");
        let address = pod.and_then(|pod| pod.status?.pod_ip).expect("an address");
        let endpoint = format!("http://{address}:5000").parse().expect("an endpoint");
        Registry::new(endpoint, Credentials::default(), TransferPolicy::default())
    }

    /// Asserts that the registry of the cache has all artifacts of a former cache.
    pub async fn assert_complete(&self) {
        let registry = self.registry("demo-0").await;
        for (reference, content) in ARTIFACTS {
            assert_eq!(pull(&registry, reference).await.as_deref(), Some(content), "{reference}");
        }
    }

    pub async fn uid_of_pod(&self) -> String {
        self.pods().get("demo-0").await.expect("the pod").uid().expect("a UID")
    }

    /// The changes that migrations asked for.
    pub fn writes(&self) -> Vec<String> {
        let entries = self.server.requests().writes_since(0, &Matcher::any().user_agent(MIGRATE));
        entries.iter().map(|entry| format!("{} {}", entry.request.verb, entry.request.resource)).collect()
    }

    /// Names of the OrasCaches and Jobs.
    pub async fn leftovers(&self) -> Vec<String> {
        let all = ListParams::default();
        let caches = self.caches().list(&all).await.expect("a list").items;
        let jobs = self.jobs().list(&all).await.expect("a list").items;
        caches.iter().map(ResourceExt::name_any).chain(jobs.iter().map(ResourceExt::name_any)).collect()
    }

    pub async fn until_nothing_is_left_over(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.leftovers().await != [DEMO] {
            assert!(Instant::now() < deadline, "{:?}", self.leftovers().await);
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }
}

/// What the former registry has: references and contents.
pub const ARTIFACTS: [(&str, &str); 3] =
    [("flow/words:run-1", "one two"), ("flow/words:run-2", "three"), ("other:latest", "four")];

/// Documents that the former operator makes.
pub fn former(file: &str, uid: &str) -> Vec<Value> {
    former_of(DEMO, file, uid)
}

fn former_of(name: &str, file: &str, uid: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/former_operator").join(file);
    let text = std::fs::read_to_string(path).expect("a fixture");
    let text = text.replace("NAMESPACE", LAB).replace("NAME", name).replace("UID", uid);
    serde_saphyr::from_multiple(&text).expect("YAML")
}

/// Pushes a text as an artifact.
pub async fn push(registry: &Registry, reference: &str, content: &str) {
    let reference: ArtifactReference = reference.parse().expect("a reference");
    let repository = &reference.repository;
    registry.push_bytes(repository, EMPTY_CONFIG, media_type::EMPTY).await.expect("pushed");
    let layer = registry.push_bytes(repository, content.as_bytes(), "text/plain").await.expect("pushed");
    let manifest = Manifest::of_layers(media_type::UNKNOWN_ARTIFACT, vec![layer], Default::default());
    registry.push_manifest(&reference, &manifest).await.expect("pushed");
}

/// The text of such an artifact.
pub async fn pull(registry: &Registry, reference: &str) -> Option<String> {
    let reference: ArtifactReference = reference.parse().expect("a reference");
    let fetched = registry.manifest(&reference).await.ok()?;
    let layer = fetched.manifest.layers.first()?;
    let bytes = registry.read_blob(&reference.repository, layer, 1 << 20).await.ok()?;
    String::from_utf8(bytes.to_vec()).ok()
}
