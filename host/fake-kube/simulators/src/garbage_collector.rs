//! The garbage collector: dependents go with their owners, in the order that the user chose.
//!
//! One graph of owners and dependents over all kinds that can be listed and deleted, kept by metadata-only watches. An
//! owner that the graph does not know is looked up in the API before anything is deleted.

mod graph;

use crate::tasks::{Error, is_gone, unless_gone};
use futures::stream::SelectAll;
use futures::{Stream, StreamExt};
use graph::{Graph, Node, Owner, Task};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions, PropagationPolicy};
use kube::core::{ApiResource, DynamicObject, PartialObjectMeta};
use kube::discovery::{ApiCapabilities, Discovery, Scope, verbs};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::time::Duration;

const MANAGER: &str = "garbage-collector-simulator";

type Item = (usize, Result<Event<PartialObjectMeta<DynamicObject>>, watcher::Error>);
type Watches = SelectAll<Pin<Box<dyn Stream<Item = Item> + Send>>>;

struct Collector {
    actor: Actor,
    watches: Watches,
    /// Kinds whose first list has not ended.
    unlisted: HashSet<usize>,
    /// What a running relist has mentioned.
    mentioned: HashMap<usize, HashSet<String>>,
    graph: Graph,
    /// The last discovery failed, or may have been too early for a new definition.
    rediscover: bool,
}

pub(crate) async fn run(client: Client) {
    let mut collector = Collector {
        actor: Actor { client: client.clone(), resources: Vec::new() },
        watches: SelectAll::new(),
        unlisted: HashSet::new(),
        mentioned: HashMap::new(),
        graph: Graph::default(),
        rediscover: false,
    };
    let definitions = Api::<CustomResourceDefinition>::all(client);
    let definitions = watcher(definitions, watcher::Config::default()).default_backoff().touched_objects();
    futures::pin_mut!(definitions);
    collector.discover().await;
    let mut again = tokio::time::interval(Duration::from_millis(500));
    loop {
        tokio::select! {
            Some(item) = collector.watches.next() => {
                collector.observe(item);
                if collector.unlisted.is_empty() {
                    collector.work().await;
                }
            }
            Some(_) = definitions.next() => {
                collector.discover().await;
                collector.rediscover = true;
            }
            // Tasks that failed, and kinds that were not served yet when their definition came.
            _ = again.tick() => {
                if collector.rediscover {
                    collector.discover().await;
                }
                if collector.graph.has_tasks() && collector.unlisted.is_empty() {
                    collector.work().await;
                }
            }
        }
    }
}

impl Collector {
    /// Starts watches of kinds that are not watched yet.
    async fn discover(&mut self) {
        let discovered = match Discovery::new(self.actor.client.clone()).run().await {
            Ok(discovered) => discovered,
            Err(error) => {
                tracing::debug!(%error, "kinds cannot be discovered");
                self.rediscover = true;
                return;
            }
        };
        self.rediscover = false;
        for group in discovered.groups() {
            for (resource, capabilities) in group.recommended_resources() {
                if is_collected(&resource, &capabilities) && !self.actor.knows(&resource) {
                    let index = self.actor.resources.len();
                    let api = Api::<PartialObjectMeta<DynamicObject>>::all_with(
                        self.actor.client.clone(),
                        &resource,
                    );
                    let events = watcher(api, watcher::Config::default()).default_backoff();
                    self.watches.push(events.map(move |event| (index, event)).boxed());
                    self.unlisted.insert(index);
                    self.actor.resources.push((resource, capabilities.scope));
                }
            }
        }
    }

    fn observe(&mut self, (kind, event): Item) {
        match event {
            Ok(Event::Init) => {
                self.mentioned.insert(kind, HashSet::new());
            }
            Ok(Event::InitApply(object)) => {
                self.mentioned.entry(kind).or_default().extend(object.uid());
                self.graph.store(node(kind, &object));
            }
            Ok(Event::Apply(object)) => self.graph.store(node(kind, &object)),
            Ok(Event::Delete(object)) => self.graph.remove(&object.uid().unwrap_or_default()),
            Ok(Event::InitDone) => {
                let mentioned = self.mentioned.remove(&kind).unwrap_or_default();
                self.graph.retain(kind, &mentioned);
                self.unlisted.remove(&kind);
            }
            Err(error) => {
                // A kind that went away must not hold up the others.
                tracing::debug!(%error, "a watch of the garbage collector broke");
                self.unlisted.remove(&kind);
            }
        }
    }

    async fn work(&mut self) {
        for task in self.graph.take_tasks() {
            if let Err(error) = self.actor.perform(&task).await {
                tracing::debug!(%error, "a task of the garbage collector is tried again");
                self.graph.put_back(task);
            }
        }
    }
}

/// Talks to the API.
struct Actor {
    client: Client,
    resources: Vec<(ApiResource, Scope)>,
}

impl Actor {
    fn knows(&self, resource: &ApiResource) -> bool {
        self.resources.iter().any(|(known, _)| known == resource)
    }

    async fn perform(&self, task: &Task) -> Result<(), Error> {
        match task {
            Task::DeleteIfOrphaned { node, owners } => {
                for owner in owners {
                    if self.exists(owner, &node.namespace).await? {
                        return Ok(());
                    }
                }
                self.delete(node, PropagationPolicy::Background).await
            }
            Task::DeleteDependent { node, owner, others } => {
                for other in others {
                    if self.exists(other, &node.namespace).await? {
                        return self.remove_owner(node, owner).await;
                    }
                }
                self.delete(node, PropagationPolicy::Foreground).await
            }
            Task::RemoveOwner { node, owner } => self.remove_owner(node, owner).await,
            Task::RemoveFinalizer { node, finalizer } => {
                let kept: Vec<_> = node.finalizers.iter().filter(|other| *other != finalizer).collect();
                let patch = json!({"metadata": {"uid": node.uid, "resourceVersion": node.resource_version, "finalizers": kept}});
                self.patch(node, patch).await
            }
        }
    }

    fn api(&self, kind: usize, namespace: &str) -> Option<Api<DynamicObject>> {
        let (resource, scope) = self.resources.get(kind)?;
        Some(match scope {
            Scope::Namespaced => Api::namespaced_with(self.client.clone(), namespace, resource),
            Scope::Cluster => Api::all_with(self.client.clone(), resource),
        })
    }

    /// Whether an owner with that UID is there. The live API decides, not the graph.
    async fn exists(&self, owner: &Owner, namespace: &str) -> Result<bool, Error> {
        let kind = self.resources.iter().position(|(resource, _)| {
            resource.kind == owner.kind && resource.api_version == owner.api_version
        });
        // An owner of a kind that is not known is not taken for absent.
        let Some(api) = kind.and_then(|kind| self.api(kind, namespace)) else { return Ok(true) };
        match api.get_metadata_opt(&owner.name).await? {
            Some(found) => Ok(found.uid().as_deref() == Some(&owner.uid)),
            None => Ok(false),
        }
    }

    async fn remove_owner(&self, node: &Node, owner: &str) -> Result<(), Error> {
        let kept: Vec<_> =
            node.owners.iter().filter(|other| other.uid != owner).map(Owner::to_json).collect();
        let patch = json!({"metadata": {"uid": node.uid, "resourceVersion": node.resource_version, "ownerReferences": kept}});
        self.patch(node, patch).await
    }

    async fn delete(&self, node: &Node, policy: PropagationPolicy) -> Result<(), Error> {
        let Some(api) = self.api(node.kind, &node.namespace) else { return Ok(()) };
        let parameters = DeleteParams {
            propagation_policy: Some(policy),
            // Of the version that was judged: by now somebody may have adopted it. Its event brings the task again.
            preconditions: Some(Preconditions {
                uid: Some(node.uid.clone()),
                resource_version: Some(node.resource_version.clone()),
            }),
            ..DeleteParams::default()
        };
        unless_gone(api.delete(&node.name, &parameters).await)
    }

    async fn patch(&self, node: &Node, patch: serde_json::Value) -> Result<(), Error> {
        let Some(api) = self.api(node.kind, &node.namespace) else { return Ok(()) };
        let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        match api.patch_metadata(&node.name, &parameters, &Patch::Merge(patch)).await {
            Ok(_) => Ok(()),
            // Changed meanwhile: its event brings the task again.
            Err(error) if is_gone(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Events and Leases belong to nobody and are many.
fn is_collected(resource: &ApiResource, capabilities: &ApiCapabilities) -> bool {
    let can = |verb| capabilities.supports_operation(verb);
    can(verbs::LIST)
        && can(verbs::WATCH)
        && can(verbs::DELETE)
        && !matches!(resource.kind.as_str(), "Event" | "Lease")
}

fn node(kind: usize, object: &PartialObjectMeta<DynamicObject>) -> Node {
    Node {
        kind,
        uid: object.uid().unwrap_or_default(),
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
        resource_version: object.resource_version().unwrap_or_default(),
        owners: object.owner_references().iter().map(Owner::from).collect(),
        finalizers: object.finalizers().to_vec(),
        deleting: object.metadata.deletion_timestamp.is_some(),
    }
}
