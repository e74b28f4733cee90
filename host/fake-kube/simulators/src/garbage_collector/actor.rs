//! What the garbage collector asks and changes in the API.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{DeleteParams, Patch, Preconditions, PropagationPolicy};
use kube::core::{ApiResource, DynamicObject};
use kube::runtime::events::EventType;
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use super::graph::{Node, Owner, ResourceKind, Task};
use crate::controller::{Error, patch_params, unless_gone};
use crate::events::EventRecorder;

const MANAGER: &str = "garbage-collector-simulator";

pub(super) struct Actor {
    client: Client,
    kinds: Vec<Arc<ResourceKind>>,
    events: EventRecorder,
}

impl Actor {
    pub(super) fn new(client: Client, events: bool) -> Self {
        let events = EventRecorder::new(client.clone(), MANAGER, events);
        Self { client, kinds: Vec::new(), events }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn knows(&self, resource: &ApiResource) -> bool {
        self.kinds.iter().any(|kind| kind.resource == *resource)
    }

    pub(super) fn add(&mut self, kind: Arc<ResourceKind>) {
        self.kinds.push(kind);
    }

    pub(super) async fn perform(&self, task: &Task) -> Result<(), Error> {
        match task {
            Task::CheckOwners { node, unknown } => {
                let absent = self.absent(node, unknown).await?;
                if absent.len() == node.owners.len() {
                    self.delete(node, PropagationPolicy::Background).await
                } else if absent.is_empty() {
                    Ok(())
                } else {
                    self.remove_owners(node, &absent).await
                }
            }
            Task::DeleteDependent { node, owner, others } => {
                if self.absent(node, others).await?.len() < others.len() {
                    return self.remove_owners(node, &[owner]).await;
                }
                self.delete(node, PropagationPolicy::Foreground).await
            }
            Task::RemoveOwner { node, owner } => self.remove_owners(node, &[owner]).await,
            Task::RemoveFinalizer { node, finalizer } => {
                let kept: Vec<_> = node.finalizers.iter().filter(|other| *other != finalizer).collect();
                self.patch_metadata(node, json!({"finalizers": kept})).await
            }
            Task::WarnOfNamespace { node, owner } => {
                self.warn_of_namespace(node, owner).await;
                Ok(())
            }
        }
    }

    /// The UIDs of those owners that do not exist. The API decides, not the graph.
    async fn absent<'o>(&self, node: &Node, owners: &'o [Owner]) -> Result<Vec<&'o str>, Error> {
        let mut absent = Vec::new();
        for owner in owners {
            if !self.exists(owner, node).await? {
                absent.push(owner.uid.as_str());
            }
        }
        Ok(absent)
    }

    /// Whether the owner exists, in the namespace of its dependent if it is of a namespaced kind. As in
    /// kube-controller-manager (`garbagecollector.isDangling`), an owner counts as existing when its kind is
    /// not known, and when a cluster-scoped dependent names an owner of a namespaced kind.
    async fn exists(&self, owner: &Owner, dependent: &Node) -> Result<bool, Error> {
        let Some(kind) = self.kinds.iter().find(|kind| owner.is_of(kind)) else { return Ok(true) };
        if kind.namespaced && dependent.namespace.is_empty() {
            return Ok(true);
        }
        let owners = self.api(kind, &dependent.namespace);
        let found = owners.get_metadata_opt(&owner.name).await?;
        Ok(found.is_some_and(|found| found.uid().as_deref() == Some(&owner.uid)))
    }

    fn api(&self, kind: &ResourceKind, namespace: &str) -> Api<DynamicObject> {
        if kind.namespaced {
            Api::namespaced_with(self.client.clone(), namespace, &kind.resource)
        } else {
            Api::all_with(self.client.clone(), &kind.resource)
        }
    }

    async fn remove_owners(&self, node: &Node, uids: &[&str]) -> Result<(), Error> {
        let kept = node.owners.iter().filter(|owner| !uids.contains(&owner.uid.as_str()));
        let kept: Vec<Value> = kept.map(Owner::to_json).collect();
        self.patch_metadata(node, json!({"ownerReferences": kept})).await
    }

    async fn delete(&self, node: &Node, policy: PropagationPolicy) -> Result<(), Error> {
        let parameters = DeleteParams {
            propagation_policy: Some(policy),
            // The decision was about this version: somebody may have adopted the object since. The watch
            // reports the newer version, and that is judged again.
            preconditions: Some(Preconditions {
                uid: Some(node.uid.clone()),
                resource_version: Some(node.resource_version.clone()),
            }),
            ..DeleteParams::default()
        };
        unless_gone(self.api(&node.kind, &node.namespace).delete(&node.name, &parameters).await)
    }

    /// Changes metadata of exactly the version that the graph knows.
    async fn patch_metadata(&self, node: &Node, mut metadata: Value) -> Result<(), Error> {
        metadata["uid"] = node.uid.as_str().into();
        metadata["resourceVersion"] = node.resource_version.as_str().into();
        let patch = Patch::Merge(json!({"metadata": metadata}));
        let api = self.api(&node.kind, &node.namespace);
        unless_gone(api.patch_metadata(&node.name, &patch_params(MANAGER), &patch).await)
    }

    /// The Event of kube-controller-manager (`GraphBuilder.reportInvalidNamespaceOwnerRef`).
    async fn warn_of_namespace(&self, node: &Node, owner: &Owner) {
        let about = ObjectReference {
            api_version: Some(node.kind.resource.api_version.clone()),
            kind: Some(node.kind.resource.kind.clone()),
            namespace: Some(node.namespace.clone()).filter(|namespace| !namespace.is_empty()),
            name: Some(node.name.clone()),
            uid: Some(node.uid.clone()),
            ..ObjectReference::default()
        };
        let Owner { api_version, kind, name, uid, .. } = owner;
        let namespace = &node.namespace;
        let note = format!(
            "ownerRef [{api_version}/{kind}, namespace: {namespace}, name: {name}, uid: {uid}] \
             does not exist in namespace {namespace:?}"
        );
        self.events.record(&about, EventType::Warning, "OwnerRefInvalidNamespace", note).await;
    }
}
