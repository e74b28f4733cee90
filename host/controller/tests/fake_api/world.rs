//! An API server with the kind Widget, and what tests do with it.

use crate::script::{CONFIG_MAP, PATIENCE, WIDGET};
use fake_kube::{Entry, FakeKube, Matcher};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::ApiResource;
use kube::{Api, Client};
use orascache_contract::Kind;
use orascache_controller::{Backoff, Controller, Options, Reconciler, StartError};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Where the widgets of the tests are.
pub const LAB: &str = "lab";
/// A namespace of somebody else.
pub const OTHER: &str = "other";
/// A namespace that is always there.
pub const DEFAULT: &str = "default";

pub struct World {
    pub server: FakeKube,
    /// The test's own client.
    pub client: Client,
}

/// The user agents of the test and of the controller.
const TEST: &str = "test";
pub const CONTROLLER: &str = "controller";

impl World {
    pub async fn start() -> Self {
        Self::start_with(FakeKube::builder()).await
    }

    pub async fn start_with(server: fake_kube::Builder) -> Self {
        let server = server.start().await.expect("a server");
        let client = server.client_as(TEST).expect("a client");
        let world = Self { server, client };
        world.define(&WIDGET).await;
        for name in [LAB, OTHER] {
            let namespace = serde_json::from_value(json!({"metadata": {"name": name}})).expect("a namespace");
            let api: Api<Namespace> = Api::all(world.client.clone());
            api.create(&PostParams::default(), &namespace).await.expect("a namespace");
        }
        world
    }

    /// Installs a CustomResourceDefinition.
    pub async fn define(&self, kind: &Kind) {
        let name = format!("{}.{}", kind.plural, kind.group());
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": name},
            "spec": {
                "group": kind.group(),
                "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
                "names": {"kind": kind.kind, "plural": kind.plural, "singular": kind.kind.to_lowercase()},
                "versions": [{
                    "name": kind.version(), "served": true, "storage": true,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": {
                        "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                    }},
                }],
            },
        });
        let definition = serde_json::from_value(definition).expect("a definition");
        self.server.install(&definition).await.expect("a definition");
    }

    /// Removes a CustomResourceDefinition.
    pub async fn undefine(&self, kind: &Kind) {
        let api: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        let name = format!("{}.{}", kind.plural, kind.group());
        api.delete(&name, &DeleteParams::default()).await.expect("a definition");
    }

    /// Options with short waits.
    pub fn options() -> Options {
        let backoff = Backoff { first: Duration::from_millis(20), longest: Duration::from_millis(200) };
        Options { backoff, instance: "test".to_owned(), ..Options::default() }
    }

    /// Starts a controller and waits until it is quiescent.
    pub async fn controller(&self, reconciler: Arc<dyn Reconciler>) -> Controller {
        self.controller_with(reconciler, Self::options(), &mut Registry::default()).await
    }

    pub async fn controller_with(
        &self,
        reconciler: Arc<dyn Reconciler>,
        options: Options,
        registry: &mut Registry,
    ) -> Controller {
        let controller = self.begin(reconciler, options, registry).await.expect("the controller starts");
        self.settle(&controller).await;
        controller
    }

    /// Starts a controller, and waits for nothing.
    pub async fn begin(
        &self,
        reconciler: Arc<dyn Reconciler>,
        options: Options,
        registry: &mut Registry,
    ) -> Result<Controller, StartError> {
        let client = self.server.client_as(CONTROLLER).expect("a client");
        Controller::start(client, reconciler, options, registry).await
    }

    /// Waits until the controller has nothing to do.
    pub async fn settle(&self, controller: &Controller) {
        let quiescent = controller.quiescent(&self.client);
        let waited = tokio::time::timeout(PATIENCE, quiescent).await;
        waited.expect("the controller becomes quiescent").expect("the API answers");
    }

    /// The API of a kind; the namespace means nothing for kinds that have none.
    pub fn api(&self, kind: &Kind, namespace: &str) -> Api<DynamicObject> {
        let resource = ApiResource {
            group: kind.group().to_owned(),
            version: kind.version().to_owned(),
            api_version: kind.api_version.to_string(),
            kind: kind.kind.to_string(),
            plural: kind.plural.to_string(),
        };
        if kind.namespaced {
            Api::namespaced_with(self.client.clone(), namespace, &resource)
        } else {
            Api::all_with(self.client.clone(), &resource)
        }
    }

    /// Creates an object in the lab, or one without a namespace.
    pub async fn create(&self, kind: &Kind, name: &str, content: Value) -> Value {
        self.create_in(LAB, kind, name, content).await
    }

    /// Creates an object. `content` has its members beside apiVersion, kind and metadata, and more
    /// metadata.
    pub async fn create_in(&self, namespace: &str, kind: &Kind, name: &str, mut content: Value) -> Value {
        content["apiVersion"] = kind.api_version.as_ref().into();
        content["kind"] = kind.kind.as_ref().into();
        content["metadata"]["name"] = name.into();
        let object: DynamicObject = serde_json::from_value(content).expect("an object");
        let created = self.api(kind, namespace).create(&PostParams::default(), &object).await;
        serde_json::to_value(created.unwrap_or_else(|error| panic!("{name}: {error}"))).expect("JSON")
    }

    pub async fn widget(&self, name: &str) -> Value {
        self.create(&WIDGET, name, json!({})).await
    }

    /// An object of the lab.
    pub async fn get(&self, kind: &Kind, name: &str) -> Option<Value> {
        self.get_in(LAB, kind, name).await
    }

    pub async fn get_in(&self, namespace: &str, kind: &Kind, name: &str) -> Option<Value> {
        let found = self.api(kind, namespace).get_opt(name).await.expect("the API answers");
        found.map(|object| serde_json::to_value(object).expect("JSON"))
    }

    /// Edits an object of the lab as `kubectl edit` does.
    pub async fn edit(&self, kind: &Kind, name: &str, patch: Value) {
        let parameters =
            PatchParams { field_manager: Some("kubectl-edit".to_owned()), ..PatchParams::default() };
        self.api(kind, LAB).patch(name, &parameters, &Patch::Merge(&patch)).await.expect("an edit");
    }

    /// Applies an object of the lab by force, as a GitOps tool with server-side apply does.
    pub async fn apply_as(&self, manager: &str, kind: &Kind, object: &Value) {
        let object: DynamicObject = serde_json::from_value(object.clone()).expect("an object");
        let name = object.metadata.name.clone().expect("a name");
        let parameters = PatchParams::apply(manager).force();
        self.api(kind, LAB).patch(&name, &parameters, &Patch::Apply(&object)).await.expect("an apply");
    }

    pub async fn delete(&self, kind: &Kind, name: &str) {
        self.api(kind, LAB).delete(name, &DeleteParams::default()).await.expect("a deletion");
    }

    /// Has the controller look at a widget.
    pub async fn touch(&self, name: &str) {
        let now = format!("{:?}", std::time::Instant::now());
        self.edit(&WIDGET, name, json!({"metadata": {"annotations": {"touched": now}}})).await;
    }

    /// How many requests but watches the controller sent.
    pub fn requests(&self) -> u64 {
        let ours = Matcher::any().user_agent(CONTROLLER);
        let log = self.server.requests();
        log.count(&ours) - log.count(&ours.verb("watch"))
    }

    /// Writes of the controller since a mark, events excluded.
    pub fn writes_since(&self, mark: u64) -> Vec<Entry> {
        let writes = self.server.requests().writes_since(mark, &Matcher::any().user_agent(CONTROLLER));
        writes.into_iter().filter(|entry| entry.request.resource != "events").collect()
    }

    /// Events about a widget.
    pub async fn events(&self, about: &str) -> Vec<Event> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), LAB);
        let all = api.list(&ListParams::default()).await.expect("events");
        let is_about =
            |event: &Event| event.regarding.as_ref().and_then(|object| object.name.as_deref()) == Some(about);
        all.into_iter().filter(is_about).collect()
    }
}

/// A ConfigMap of the lab with one value, as a plan has it.
pub fn config_map(name: &str, value: &str) -> Value {
    json!({
        "apiVersion": CONFIG_MAP.api_version, "kind": CONFIG_MAP.kind,
        "metadata": {"name": name, "namespace": LAB},
        "data": {"key": value},
    })
}

/// The same object with the annotation by which it consents to belong to the widget `w`.
pub fn consenting(mut object: Value) -> Value {
    object["metadata"]["annotations"]["example.org/widget"] = json!("w");
    object
}

/// The owner references of an object that a widget controls.
pub fn owned_by(widget: &Value) -> Value {
    json!({"ownerReferences": [{
        "apiVersion": WIDGET.api_version, "kind": WIDGET.kind,
        "name": widget["metadata"]["name"], "uid": widget["metadata"]["uid"], "controller": true,
    }]})
}
