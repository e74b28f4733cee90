//! A simulated garbage collector: dependents are deleted with their owners, in the order that the deletion's
//! propagation policy asks for.
//!
//! One graph of owners and dependents covers all kinds that can be listed, watched and deleted. Metadata-only
//! watches keep it. An owner that the graph does not know is looked up in the API before anything is deleted.

mod actor;
mod graph;

use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actor::Actor;
use futures::stream::SelectAll;
use futures::{Stream, StreamExt};
use graph::{Graph, Node, Owner, ResourceKind};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::{ApiResource, DynamicObject, PartialObjectMeta};
use kube::discovery::{ApiCapabilities, Discovery, Scope, verbs};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};

/// How often failed tasks and a failed discovery are tried again.
const RETRY: Duration = Duration::from_millis(500);

type Item = (Arc<ResourceKind>, Result<Event<PartialObjectMeta<DynamicObject>>, watcher::Error>);
type Watches = SelectAll<Pin<Box<dyn Stream<Item = Item> + Send>>>;

struct Collector {
    actor: Actor,
    watches: Watches,
    /// Kinds whose first list has not ended. Until then an owner may only seem to be absent.
    unlisted: HashSet<Arc<ResourceKind>>,
    /// UIDs that a list in progress has mentioned.
    mentioned: HashMap<Arc<ResourceKind>, HashSet<String>>,
    graph: Graph,
    /// The last discovery failed, or may have been too early for a new definition.
    rediscover: bool,
}

pub(crate) async fn run(client: Client, events: bool) {
    let mut collector = Collector {
        actor: Actor::new(client.clone(), events),
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
    let mut retry = tokio::time::interval(RETRY);
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
            _ = retry.tick() => {
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
        let discovered = match Discovery::new(self.actor.client().clone()).run().await {
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
                if !is_collected(&resource, &capabilities) || self.actor.knows(&resource) {
                    continue;
                }
                let api =
                    Api::<PartialObjectMeta<DynamicObject>>::all_with(self.actor.client().clone(), &resource);
                let events = watcher(api, watcher::Config::default()).default_backoff();
                let namespaced = capabilities.scope == Scope::Namespaced;
                let kind = Arc::new(ResourceKind { resource, namespaced });
                let of_kind = kind.clone();
                self.watches.push(events.map(move |event| (of_kind.clone(), event)).boxed());
                self.unlisted.insert(kind.clone());
                self.actor.add(kind);
            }
        }
    }

    fn observe(&mut self, (kind, event): Item) {
        match event {
            Ok(Event::Init) => {
                self.mentioned.insert(kind, HashSet::new());
            }
            Ok(Event::InitApply(object)) => {
                self.mentioned.entry(kind.clone()).or_default().extend(object.uid());
                self.graph.store(node(kind, &object));
            }
            Ok(Event::Apply(object)) => self.graph.store(node(kind, &object)),
            Ok(Event::Delete(object)) => self.graph.remove(&object.uid().unwrap_or_default()),
            Ok(Event::InitDone) => {
                let mentioned = self.mentioned.remove(&kind).unwrap_or_default();
                self.graph.retain(&kind, &mentioned);
                self.unlisted.remove(&kind);
            }
            Err(error) => {
                // A kind that is not served any more must not hold up the others.
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

/// Events and Leases have no owners and are many.
fn is_collected(resource: &ApiResource, capabilities: &ApiCapabilities) -> bool {
    let can = |verb| capabilities.supports_operation(verb);
    can(verbs::LIST)
        && can(verbs::WATCH)
        && can(verbs::DELETE)
        && !matches!(resource.kind.as_str(), "Event" | "Lease")
}

fn node(kind: Arc<ResourceKind>, object: &PartialObjectMeta<DynamicObject>) -> Node {
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
