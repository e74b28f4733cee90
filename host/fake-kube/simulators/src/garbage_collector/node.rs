//! Objects and their references to owners, as far as the garbage collector needs them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::core::ApiResource;
use serde_json::{Value, json};
use std::sync::Arc;

/// A kind of the API, in one version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ResourceKind {
    pub(super) resource: ApiResource,
    pub(super) namespaced: bool,
}

/// A reference to an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) controller: Option<bool>,
    pub(super) blocks_deletion: Option<bool>,
}

impl From<&OwnerReference> for Owner {
    fn from(reference: &OwnerReference) -> Self {
        Owner {
            api_version: reference.api_version.clone(),
            kind: reference.kind.clone(),
            name: reference.name.clone(),
            uid: reference.uid.clone(),
            controller: reference.controller,
            blocks_deletion: reference.block_owner_deletion,
        }
    }
}

impl Owner {
    /// Whether the owner is of this kind, in whatever version the reference was written.
    pub(super) fn is_of(&self, kind: &ResourceKind) -> bool {
        let group = self.api_version.rsplit_once('/').map_or("", |(group, _version)| group);
        self.kind == kind.resource.kind && group == kind.resource.group
    }

    pub(super) fn to_json(&self) -> Value {
        let mut value =
            json!({"apiVersion": self.api_version, "kind": self.kind, "name": self.name, "uid": self.uid});
        if let Value::Object(members) = &mut value {
            members.extend(self.controller.map(|controller| ("controller".to_owned(), controller.into())));
            members
                .extend(self.blocks_deletion.map(|blocks| ("blockOwnerDeletion".to_owned(), blocks.into())));
        }
        value
    }
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) kind: Arc<ResourceKind>,
    pub(super) uid: String,
    /// Empty for cluster-scoped objects.
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) resource_version: String,
    pub(super) owners: Vec<Owner>,
    pub(super) finalizers: Vec<String>,
    pub(super) deleting: bool,
}

impl Node {
    /// Whether the object is being deleted and this finalizer holds it.
    pub(super) fn waits_for(&self, finalizer: &str) -> bool {
        self.deleting && self.finalizers.iter().any(|held| held == finalizer)
    }

    /// Whether the object can own objects of a namespace: it is there itself, or is cluster-scoped.
    pub(super) fn reaches(&self, namespace: &str) -> bool {
        !self.kind.namespaced || self.namespace == namespace
    }
}
