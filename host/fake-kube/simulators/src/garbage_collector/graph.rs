//! Owners and dependents, and what is to be done about them: a value without IO.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap, HashSet};

/// metav1 `FinalizerDeleteDependents`.
const FOREGROUND: &str = "foregroundDeletion";
/// metav1 `FinalizerOrphanDependents`.
const ORPHAN: &str = "orphan";

/// A reference to an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) uid: String,
    controller: Option<bool>,
    blocks: Option<bool>,
}

impl From<&OwnerReference> for Owner {
    fn from(reference: &OwnerReference) -> Self {
        Owner {
            api_version: reference.api_version.clone(),
            kind: reference.kind.clone(),
            name: reference.name.clone(),
            uid: reference.uid.clone(),
            controller: reference.controller,
            blocks: reference.block_owner_deletion,
        }
    }
}

impl Owner {
    pub(super) fn to_json(&self) -> Value {
        let mut value =
            json!({"apiVersion": self.api_version, "kind": self.kind, "name": self.name, "uid": self.uid});
        if let Value::Object(members) = &mut value {
            members.extend(self.controller.map(|controller| ("controller".to_owned(), controller.into())));
            members.extend(self.blocks.map(|blocks| ("blockOwnerDeletion".to_owned(), blocks.into())));
        }
        value
    }
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) kind: usize,
    pub(super) uid: String,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) resource_version: String,
    pub(super) owners: Vec<Owner>,
    pub(super) finalizers: Vec<String>,
    pub(super) deleting: bool,
}

impl Node {
    fn waits_for(&self, finalizer: &str) -> bool {
        self.deleting && self.finalizers.iter().any(|held| held == finalizer)
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Delete, if none of the owners exists.
    DeleteIfOrphaned { node: Node, owners: Vec<Owner> },
    /// Its owner is being deleted and waits for it: delete, unless one of `others` exists, which then keeps it.
    DeleteDependent { node: Node, owner: String, others: Vec<Owner> },
    /// Its owner leaves it behind.
    RemoveOwner { node: Node, owner: String },
    /// Nothing stands in the way any more.
    RemoveFinalizer { node: Node, finalizer: String },
}

#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: HashMap<String, Node>,
    dependents: HashMap<String, BTreeSet<String>>,
    /// UIDs to look at.
    dirty: BTreeSet<String>,
    failed: Vec<Task>,
}

impl Graph {
    pub(super) fn store(&mut self, node: Node) {
        // An owner that is not one any more may have waited for this.
        let former = self.nodes.get(&node.uid).map(|old| old.owners.clone()).unwrap_or_default();
        self.dirty.extend(former.into_iter().map(|owner| owner.uid));
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
        if let Some(node) = self.nodes.remove(uid) {
            self.dirty.extend(node.owners.into_iter().map(|owner| owner.uid));
        }
        self.dirty.extend(self.dependents.get(uid).into_iter().flatten().cloned());
    }

    /// Forgets objects of a kind that a complete list did not mention.
    pub(super) fn retain(&mut self, kind: usize, mentioned: &HashSet<String>) {
        let gone = self.nodes.values().filter(|node| node.kind == kind && !mentioned.contains(&node.uid));
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
            if let Some(node) = self.nodes.get(&uid) {
                tasks.extend(self.tasks_of(node));
            }
        }
        tasks
    }

    fn tasks_of(&self, node: &Node) -> Vec<Task> {
        let dependents: Vec<&Node> = self
            .dependents
            .get(&node.uid)
            .into_iter()
            .flatten()
            .filter_map(|uid| self.nodes.get(uid))
            .collect();
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
                dependent.owners.iter().any(|owner| owner.uid == node.uid && owner.blocks == Some(true))
            };
            if dependents.iter().any(|dependent| blocks(&dependent)) {
                let alive = dependents.iter().filter(|dependent| !dependent.deleting);
                return alive.map(|dependent| self.without_owner(dependent, &node.uid)).collect();
            }
            return vec![Task::RemoveFinalizer { node: node.clone(), finalizer: FOREGROUND.to_owned() }];
        }
        let orphaned = !node.owners.is_empty()
            && !node.deleting
            && node.owners.iter().all(|owner| !self.nodes.contains_key(&owner.uid));
        if orphaned {
            return vec![Task::DeleteIfOrphaned { node: node.clone(), owners: node.owners.clone() }];
        }
        Vec::new()
    }

    /// What becomes of a dependent whose owner waits for its deletion: other owners that stay keep it.
    fn without_owner(&self, dependent: &Node, owner: &str) -> Task {
        let stays = |other: &Owner| {
            let known = self.nodes.get(&other.uid);
            other.uid != owner && known.is_some_and(|node| !node.waits_for(FOREGROUND))
        };
        if dependent.owners.iter().any(stays) {
            return Task::RemoveOwner { node: dependent.clone(), owner: owner.to_owned() };
        }
        let unknown = |other: &&Owner| other.uid != owner && !self.nodes.contains_key(&other.uid);
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
    use super::{FOREGROUND, Graph, Node, ORPHAN, Owner, Task};

    fn node(uid: &str, owners: &[&str]) -> Node {
        let owner = |uid: &&str| Owner {
            api_version: "v1".into(),
            kind: "K".into(),
            name: (*uid).into(),
            uid: (*uid).into(),
            controller: Some(true),
            blocks: Some(true),
        };
        Node {
            kind: 0,
            uid: uid.into(),
            namespace: "n".into(),
            name: uid.into(),
            resource_version: "1".into(),
            owners: owners.iter().map(owner).collect(),
            finalizers: Vec::new(),
            deleting: false,
        }
    }

    #[test]
    fn dependents_of_a_deleted_owner_are_orphaned() {
        let mut graph = Graph::default();
        graph.store(node("a", &[]));
        graph.store(node("b", &["a"]));
        assert_eq!(graph.take_tasks(), []);
        graph.remove("a");
        assert!(
            matches!(graph.take_tasks().as_slice(), [Task::DeleteIfOrphaned { node, .. }] if node.uid == "b")
        );
        assert!(!graph.has_tasks());
    }

    #[test]
    fn one_of_two_owners_is_enough() {
        let mut graph = Graph::default();
        graph.store(node("a", &[]));
        graph.store(node("b", &["a", "c"]));
        assert_eq!(graph.take_tasks(), []);
    }

    #[test]
    fn foreground_deletion_waits_for_dependents() {
        let mut graph = Graph::default();
        graph.store(Node { deleting: true, finalizers: vec![FOREGROUND.into()], ..node("a", &[]) });
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
        graph.store(Node { deleting: true, finalizers: vec![FOREGROUND.into()], ..node("a", &[]) });
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
        assert!(
            matches!(tasks.as_slice(), [Task::DeleteDependent { others, .. }] if others.len() == 1),
            "{tasks:?}"
        );
    }

    #[test]
    fn orphans_lose_their_owner_first() {
        let mut graph = Graph::default();
        graph.store(Node { deleting: true, finalizers: vec![ORPHAN.into()], ..node("a", &[]) });
        graph.store(node("b", &["a"]));
        assert!(matches!(graph.take_tasks().as_slice(), [Task::RemoveOwner { .. }]));
        graph.store(node("b", &[]));
        assert!(matches!(graph.take_tasks().as_slice(), [Task::RemoveFinalizer { .. }]));
    }
}
