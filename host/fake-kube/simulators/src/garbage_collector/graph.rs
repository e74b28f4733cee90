//! Owners and dependents, and what is to be done about them: a value without IO.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::core::ApiResource;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// metav1 `FinalizerDeleteDependents`.
const FOREGROUND: &str = "foregroundDeletion";
/// metav1 `FinalizerOrphanDependents`.
const ORPHAN: &str = "orphan";

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
    controller: Option<bool>,
    blocks_deletion: Option<bool>,
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
    fn waits_for(&self, finalizer: &str) -> bool {
        self.deleting && self.finalizers.iter().any(|held| held == finalizer)
    }

    /// Whether the object can own objects of a namespace: it is there itself, or is cluster-scoped.
    fn reaches(&self, namespace: &str) -> bool {
        !self.kind.namespaced || self.namespace == namespace
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Look up owners that the graph does not know. If none of the object's owners exists, delete the object;
    /// otherwise remove the references to those that do not exist.
    CheckOwners { node: Node, unknown: Vec<Owner> },
    /// The owner is being deleted and waits for this dependent: delete it, unless one of `others` exists, which
    /// then keeps it.
    DeleteDependent { node: Node, owner: String, others: Vec<Owner> },
    /// The owner is being deleted and leaves its dependents behind.
    RemoveOwner { node: Node, owner: String },
    /// No dependent holds up the deletion any more.
    RemoveFinalizer { node: Node, finalizer: String },
    /// The object names an owner of another namespace, which does not count.
    WarnOfNamespace { node: Node, owner: Owner },
}

#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: HashMap<String, Node>,
    /// UIDs of objects by the UIDs that their references name, valid or not.
    dependents: HashMap<String, BTreeSet<String>>,
    /// UIDs of objects to look at.
    dirty: BTreeSet<String>,
    failed: Vec<Task>,
    /// Dependents and owners of other namespaces that were warned of.
    warned: HashSet<(String, String)>,
}

impl Graph {
    pub(super) fn store(&mut self, node: Node) {
        match self.nodes.get(&node.uid) {
            // An owner that is not referenced any more may have waited for this object.
            Some(old) => self.dirty.extend(old.owners.iter().map(|owner| owner.uid.clone())),
            // Objects that name this one can be judged now.
            None => self.dirty.extend(self.dependents.get(&node.uid).into_iter().flatten().cloned()),
        }
        self.unlink(&node.uid);
        for owner in &node.owners {
            self.dependents.entry(owner.uid.clone()).or_default().insert(node.uid.clone());
            self.dirty.insert(owner.uid.clone());
        }
        self.dirty.insert(node.uid.clone());
        self.nodes.insert(node.uid.clone(), node);
    }

    pub(super) fn remove(&mut self, uid: &str) {
        self.unlink(uid);
        self.warned.retain(|(dependent, _)| dependent != uid);
        if let Some(node) = self.nodes.remove(uid) {
            self.dirty.extend(node.owners.into_iter().map(|owner| owner.uid));
        }
        self.dirty.extend(self.dependents.get(uid).into_iter().flatten().cloned());
    }

    /// Removes objects of a kind that a complete list did not mention.
    pub(super) fn retain(&mut self, kind: &ResourceKind, mentioned: &HashSet<String>) {
        let gone = self.nodes.values().filter(|node| *node.kind == *kind && !mentioned.contains(&node.uid));
        let gone: Vec<String> = gone.map(|node| node.uid.clone()).collect();
        gone.iter().for_each(|uid| self.remove(uid));
    }

    pub(super) fn has_tasks(&self) -> bool {
        !self.dirty.is_empty() || !self.failed.is_empty()
    }

    pub(super) fn put_back(&mut self, task: Task) {
        self.failed.push(task);
    }

    /// Everything that is to be done now.
    pub(super) fn take_tasks(&mut self) -> Vec<Task> {
        let mut tasks = std::mem::take(&mut self.failed);
        for uid in std::mem::take(&mut self.dirty) {
            let Some(node) = self.nodes.get(&uid) else { continue };
            for owner in self.owners_elsewhere(node) {
                if self.warned.insert((uid.clone(), owner.uid.clone())) {
                    tasks.push(Task::WarnOfNamespace { node: node.clone(), owner });
                }
            }
            tasks.extend(self.tasks_of(node));
        }
        tasks
    }

    /// The object that a reference means. A UID alone does not make an owner: kind and name must be the same,
    /// and an owner of a namespaced kind must be in the namespace of its dependent.
    fn owner(&self, dependent: &Node, reference: &Owner) -> Option<&Node> {
        let owner = self.nodes.get(&reference.uid)?;
        let is_meant = reference.is_of(&owner.kind) && reference.name == owner.name;
        (is_meant && owner.reaches(&dependent.namespace)).then_some(owner)
    }

    /// References of an object to objects of other namespaces.
    fn owners_elsewhere(&self, node: &Node) -> Vec<Owner> {
        let is_elsewhere = |reference: &&Owner| {
            self.nodes.get(&reference.uid).is_some_and(|owner| !owner.reaches(&node.namespace))
        };
        node.owners.iter().filter(is_elsewhere).cloned().collect()
    }

    fn dependents_of<'g>(&'g self, owner: &Node) -> Vec<&'g Node> {
        let named = self.dependents.get(&owner.uid).into_iter().flatten();
        let nodes = named.filter_map(|uid| self.nodes.get(uid));
        let is_owned = |node: &&Node| {
            let mut references = node.owners.iter().filter(|reference| reference.uid == owner.uid);
            references.any(|reference| self.owner(node, reference).is_some())
        };
        nodes.filter(is_owned).collect()
    }

    fn tasks_of(&self, node: &Node) -> Vec<Task> {
        let dependents = self.dependents_of(node);
        if node.waits_for(ORPHAN) {
            let mut tasks: Vec<Task> = dependents
                .iter()
                .map(|dependent| Task::RemoveOwner { node: (*dependent).clone(), owner: node.uid.clone() })
                .collect();
            if tasks.is_empty() {
                tasks.push(Task::RemoveFinalizer { node: node.clone(), finalizer: ORPHAN.to_owned() });
            }
            return tasks;
        }
        if node.waits_for(FOREGROUND) {
            let blocks = |dependent: &&&Node| {
                dependent
                    .owners
                    .iter()
                    .any(|owner| owner.uid == node.uid && owner.blocks_deletion == Some(true))
            };
            if dependents.iter().any(|dependent| blocks(&dependent)) {
                let alive = dependents.iter().filter(|dependent| !dependent.deleting);
                return alive.map(|dependent| self.without_owner(dependent, &node.uid)).collect();
            }
            return vec![Task::RemoveFinalizer { node: node.clone(), finalizer: FOREGROUND.to_owned() }];
        }
        let unknown = node.owners.iter().filter(|owner| self.owner(node, owner).is_none());
        let unknown: Vec<Owner> = unknown.cloned().collect();
        if !node.deleting && !unknown.is_empty() {
            return vec![Task::CheckOwners { node: node.clone(), unknown }];
        }
        Vec::new()
    }

    /// What becomes of a dependent whose owner waits for its deletion. Another owner that is not waiting for
    /// its own dependents keeps it.
    fn without_owner(&self, dependent: &Node, owner: &str) -> Task {
        let keeps = |other: &Owner| {
            let known = self.owner(dependent, other);
            other.uid != owner && known.is_some_and(|node| !node.waits_for(FOREGROUND))
        };
        if dependent.owners.iter().any(keeps) {
            return Task::RemoveOwner { node: dependent.clone(), owner: owner.to_owned() };
        }
        let unknown = |other: &&Owner| other.uid != owner && self.owner(dependent, other).is_none();
        let others = dependent.owners.iter().filter(unknown).cloned().collect();
        Task::DeleteDependent { node: dependent.clone(), owner: owner.to_owned(), others }
    }

    fn unlink(&mut self, uid: &str) {
        for owner in self.nodes.get(uid).map(|node| node.owners.clone()).unwrap_or_default() {
            if let Some(dependents) = self.dependents.get_mut(&owner.uid) {
                dependents.remove(uid);
                if dependents.is_empty() {
                    self.dependents.remove(&owner.uid);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FOREGROUND, Graph, Node, ORPHAN, Owner, ResourceKind, Task};
    use kube::core::{ApiResource, GroupVersionKind};
    use std::sync::Arc;

    fn kind(kind: &str, namespaced: bool) -> Arc<ResourceKind> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", kind));
        Arc::new(ResourceKind { resource, namespaced })
    }

    fn node(uid: &str, owners: &[&str]) -> Node {
        let owner = |uid: &&str| Owner {
            api_version: "v1".into(),
            kind: "K".into(),
            name: (*uid).into(),
            uid: (*uid).into(),
            controller: Some(true),
            blocks_deletion: Some(true),
        };
        Node {
            kind: kind("K", true),
            uid: uid.into(),
            namespace: "n".into(),
            name: uid.into(),
            resource_version: "1".into(),
            owners: owners.iter().map(owner).collect(),
            finalizers: Vec::new(),
            deleting: false,
        }
    }

    fn deleting(uid: &str, finalizer: &str) -> Node {
        Node { deleting: true, finalizers: vec![finalizer.into()], ..node(uid, &[]) }
    }

    /// The UIDs of the owners that are looked up for an object.
    fn checked<'t>(tasks: &'t [Task], uid: &str) -> Vec<&'t str> {
        let of = tasks.iter().filter_map(|task| match task {
            Task::CheckOwners { node, unknown } if node.uid == uid => Some(unknown),
            _ => None,
        });
        of.flatten().map(|owner| owner.uid.as_str()).collect()
    }

    #[test]
    fn the_owners_of_dependents_are_checked_when_an_owner_is_deleted() {
        let mut graph = Graph::default();
        graph.store(node("a", &[]));
        graph.store(node("b", &["a"]));
        assert_eq!(graph.take_tasks(), []);
        graph.remove("a");
        assert_eq!(checked(&graph.take_tasks(), "b"), ["a"]);
        assert!(!graph.has_tasks());
    }

    #[test]
    fn only_unknown_owners_are_checked() {
        let mut graph = Graph::default();
        graph.store(node("a", &[]));
        graph.store(node("b", &["a", "c"]));
        assert_eq!(checked(&graph.take_tasks(), "b"), ["c"]);
    }

    #[test]
    fn an_owner_of_another_namespace_counts_as_unknown_and_is_warned_of_once() {
        for owner_first in [true, false] {
            let mut graph = Graph::default();
            let (owner, dependent) =
                (node("a", &[]), Node { namespace: "other".into(), ..node("b", &["a"]) });
            let both = if owner_first { [owner, dependent.clone()] } else { [dependent.clone(), owner] };
            both.into_iter().for_each(|node| graph.store(node));
            let tasks = graph.take_tasks();
            assert_eq!(checked(&tasks, "b"), ["a"]);
            let warnings = |tasks: &[Task]| {
                let is_warning = |task: &&Task| matches!(task, Task::WarnOfNamespace { node, owner } if node.uid == "b" && owner.uid == "a");
                tasks.iter().filter(is_warning).count()
            };
            assert_eq!(warnings(&tasks), 1, "{tasks:?}");
            graph.store(dependent);
            assert_eq!(warnings(&graph.take_tasks()), 0);
        }
    }

    #[test]
    fn an_object_of_another_namespace_does_not_hold_up_a_foreground_deletion() {
        let mut graph = Graph::default();
        graph.store(deleting("a", FOREGROUND));
        graph.store(Node { namespace: "other".into(), ..node("b", &["a"]) });
        let removes = |task: &Task| matches!(task, Task::RemoveFinalizer { node, .. } if node.uid == "a");
        assert!(graph.take_tasks().iter().any(removes));
    }

    #[test]
    fn a_cluster_scoped_owner_has_dependents_in_every_namespace() {
        let mut graph = Graph::default();
        graph.store(Node { kind: kind("K", false), namespace: String::new(), ..node("a", &[]) });
        graph.store(node("b", &["a"]));
        assert_eq!(graph.take_tasks(), []);
    }

    #[test]
    fn an_owner_of_another_kind_or_name_counts_as_unknown() {
        for owner in [
            Node { kind: kind("L", true), ..node("a", &[]) },
            Node { name: "other".into(), ..node("a", &[]) },
        ] {
            let mut graph = Graph::default();
            graph.store(owner);
            graph.store(node("b", &["a"]));
            assert_eq!(checked(&graph.take_tasks(), "b"), ["a"]);
        }
    }

    #[test]
    fn foreground_deletion_waits_for_dependents() {
        let mut graph = Graph::default();
        graph.store(deleting("a", FOREGROUND));
        graph.store(node("b", &["a"]));
        assert!(matches!(graph.take_tasks().as_slice(), [Task::DeleteDependent { .. }]));
        graph.remove("b");
        assert!(
            matches!(graph.take_tasks().as_slice(), [Task::RemoveFinalizer { finalizer, .. }] if finalizer == FOREGROUND)
        );
    }

    #[test]
    fn foreground_deletion_spares_what_another_owner_keeps() {
        let mut graph = Graph::default();
        graph.store(deleting("a", FOREGROUND));
        graph.store(node("c", &[]));
        graph.store(node("b", &["a", "c"]));
        let tasks = graph.take_tasks();
        assert!(
            matches!(tasks.as_slice(), [Task::RemoveOwner { node, owner }] if node.uid == "b" && owner == "a"),
            "{tasks:?}"
        );
        graph.remove("c");
        graph.store(node("b", &["a", "c"]));
        let tasks = graph.take_tasks();
        let deletes = |task: &Task| matches!(task, Task::DeleteDependent { others, .. } if others.len() == 1);
        assert!(tasks.iter().any(deletes), "{tasks:?}");
    }

    #[test]
    fn orphaning_removes_the_owner_before_the_finalizer() {
        let mut graph = Graph::default();
        graph.store(deleting("a", ORPHAN));
        graph.store(node("b", &["a"]));
        assert!(matches!(graph.take_tasks().as_slice(), [Task::RemoveOwner { .. }]));
        graph.store(node("b", &[]));
        assert!(matches!(graph.take_tasks().as_slice(), [Task::RemoveFinalizer { .. }]));
    }
}
