//! Lists of all objects of a scope: what they remove from the cache, and whether the cache has
//! caught up with one.

use super::{Cache, Entry};
use crate::object::{Key, Stored, revision};
use crate::scope::Scope;
use std::collections::HashMap;
use std::sync::Arc;

/// A list of the objects of a scope, for comparison with the cache: UIDs and revisions.
pub(crate) struct Listed {
    objects: HashMap<Key, (Box<str>, u64)>,
    revision: u64,
}

impl Listed {
    /// `resource_version` is that of the whole list.
    pub(crate) fn new(resource_version: &str, objects: impl Iterator<Item = (Key, Box<str>, u64)>) -> Self {
        let objects = objects.map(|(key, uid, revision)| (key, (uid, revision))).collect();
        Listed { objects, revision: revision(resource_version) }
    }
}

impl Cache {
    /// A list of all objects of a scope begins.
    pub(crate) fn begin_relist(&self, scope: &Scope) {
        if let Some(objects) = self.write().objects.get_mut(scope.kind) {
            *objects.relists.entry(scope.namespace.clone().unwrap_or_default()).or_default() += 1;
        }
    }

    /// A list of all objects of a scope ended. Objects of the scope that it did not have, and that
    /// we did not write since it began, do not exist any more. Returns the primaries that this
    /// concerns.
    pub(crate) fn end_relist(&self, scope: &Scope) -> Vec<Key> {
        let deleted: Vec<Arc<Stored>> = {
            let state = self.read();
            let Some(objects) = state.objects.get(scope.kind) else { return Vec::new() };
            let in_scope = objects.by_key.iter().filter(|(key, _)| scope.contains(key));
            let unseen = in_scope.filter(|(key, entry)| entry.seen_in < objects.relist(key));
            unseen.map(|(_, entry)| entry.object.clone()).collect()
        };
        deleted.into_iter().flat_map(|object| self.remove(scope.kind, &object)).collect()
    }

    /// The objects of a scope of an optional kind cannot be watched now: they are forgotten.
    /// Returns whether that is new.
    pub(crate) fn mark_absent(&self, scope: &Scope) -> bool {
        let mut state = self.write();
        if !state.absent.insert(scope.clone()) {
            return false;
        }
        let Some(objects) = state.objects.get_mut(scope.kind) else { return true };
        let keys: Vec<Key> = objects.by_key.keys().filter(|key| scope.contains(key)).cloned().collect();
        let forgotten: Vec<Entry> = keys.iter().filter_map(|key| objects.by_key.remove(key)).collect();
        for entry in forgotten {
            state.pending_deletes.remove(&entry.object.uid);
            state.unlink(scope.kind, &entry.object);
        }
        true
    }

    /// A scope was listed. Returns whether it was absent before.
    pub(crate) fn mark_present(&self, scope: &Scope) -> bool {
        self.write().absent.remove(scope)
    }

    /// Whether the objects of a scope are known to be absent: the API server does not have the
    /// kind, or refuses to list it there.
    pub(crate) fn is_absent(&self, scope: &Scope) -> bool {
        self.read().absent.contains(scope)
    }

    /// Whether the cache has everything of a list, and nothing that was deleted before it.
    pub(crate) fn has_caught_up(&self, scope: &Scope, list: &Listed) -> bool {
        let state = self.read();
        let Some(objects) = state.objects.get(scope.kind) else { return true };
        let has = |(key, listed): (&Key, &(Box<str>, u64))| {
            let (uid, revision) = listed;
            let entry = objects.by_key.get(key);
            entry.is_some_and(|entry| entry.object.revision() >= *revision) || state.tombstones.contains(uid)
        };
        let is_newer = |entry: &Entry| entry.object.revision() > list.revision;
        let mut in_scope = objects.by_key.iter().filter(|(key, _)| scope.contains(key));
        !state.absent.contains(scope)
            && list.objects.iter().all(has)
            && in_scope.all(|(key, entry)| list.objects.contains_key(key) || is_newer(entry))
    }
}
