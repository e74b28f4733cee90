//! Changes of objects, as the watch and the answers to our writes report them: what they make of the
//! cache, and which primaries they concern.

use super::{Cache, Entry, State};
use crate::decoded::{Decoded, Identity};
use crate::object::{Key, Stored};
use crate::watches::{KindIndex, PRIMARY};
use std::sync::Arc;

/// How many tombstones are kept: many more than writes can be under way.
const MAX_TOMBSTONES: usize = 256;

/// The source of a state of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The watch, or a list.
    Watch,
    /// The answer to one of our writes.
    Write,
}

impl Cache {
    /// The watch reports a state of an object, which the cache may have already: from a list before
    /// this one, or from the answer to our write. Returns the primaries that wait for such a report;
    /// `None` when the state has to be stored.
    pub(crate) fn confirm(&self, kind: KindIndex, object: &Decoded) -> Option<Vec<Key>> {
        let Identity { namespace, name, uid, resource_version } = object.identity()?;
        let key = Key::new(namespace, name);
        let mut state = self.write();
        if state.was_deleted(uid) {
            return None;
        }
        let objects = state.objects.get_mut(kind)?;
        let relist = objects.relist(&key);
        let entry = objects.by_key.get_mut(&key)?;
        // One resourceVersion is one state of an object.
        if *entry.object.uid != *uid || *entry.object.resource_version != *resource_version {
            return None;
        }
        entry.seen_in = relist;
        Some(state.waiting(kind, &key, Source::Watch))
    }

    /// Stores a state of an object. Returns the primaries that the change concerns; none when
    /// nothing changed but the resourceVersion.
    pub(crate) fn store(&self, kind: KindIndex, object: impl Into<Arc<Stored>>, source: Source) -> Vec<Key> {
        let object = object.into();
        let mut state = self.write();
        match source {
            // The event is older than our deletion.
            Source::Watch if state.pending_deletes.contains(&object.uid) => return Vec::new(),
            // Objects leave and enter a watch with a label selector without being deleted.
            Source::Watch => state.tombstones.retain(|uid| *uid != object.uid),
            Source::Write if state.tombstones.contains(&object.uid) => return Vec::new(),
            Source::Write => {}
        }
        if source == Source::Write {
            state.note_answer(kind, &object);
        }
        let mut concerned = state.waiting(kind, &object.key, source);
        let Some(objects) = state.objects.get_mut(kind) else { return concerned };
        let relist = objects.relist(&object.key);
        let old = match objects.by_key.get_mut(&object.key) {
            Some(entry) if entry.object.revision() > object.revision() => {
                entry.seen_in = relist;
                return concerned;
            }
            Some(entry) => {
                entry.seen_in = relist;
                let unchanged = entry.object.looks_like(&object);
                let old = std::mem::replace(&mut entry.object, object.clone());
                if unchanged {
                    return concerned;
                }
                Some(old)
            }
            None => {
                objects.by_key.insert(object.key.clone(), Entry { object: object.clone(), seen_in: relist });
                None
            }
        };
        if let Some(old) = &old {
            state.unlink(kind, old);
        }
        state.link(kind, &object);
        concerned.extend(state.concerned(kind, &object));
        // The namespace is the same, so that another controller alone leads to other primaries.
        if let Some(old) = old.filter(|old| old.controller != object.controller) {
            concerned.extend(state.concerned(kind, &old));
        }
        if source == Source::Watch {
            state.hold_back(kind, &object, &mut concerned);
        }
        concerned
    }

    /// Removes an object that was deleted. Returns the primaries that this concerns.
    pub(crate) fn remove(&self, kind: KindIndex, object: &Stored) -> Vec<Key> {
        let mut state = self.write();
        state.pending_deletes.remove(&object.uid);
        state.tombstones.push_back(object.uid.clone());
        if state.tombstones.len() > MAX_TOMBSTONES {
            state.tombstones.pop_front();
        }
        let mut concerned = state.waiting(kind, &object.key, Source::Watch);
        let Some(objects) = state.objects.get_mut(kind) else { return concerned };
        match objects.by_key.get(&object.key) {
            Some(entry) if entry.object.uid == object.uid => {}
            // An object of the same name was created meanwhile.
            _ => return concerned,
        }
        let Some(entry) = objects.by_key.remove(&object.key) else { return concerned };
        concerned.extend(state.concerned(kind, &entry.object));
        state.unlink(kind, &entry.object);
        concerned
    }

    /// Has the next change of an object concern a primary that needs its name. The cache keeps little
    /// of such an object, so that any change counts.
    pub(crate) fn await_change(&self, kind: KindIndex, key: Key, primary: &Key) {
        self.write().awaited.entry((kind, key)).or_default().insert(primary.clone());
    }

    /// Hides an object that we deleted until the watch reports its deletion.
    pub(crate) fn mark_deleted(&self, uid: &str) {
        let mut state = self.write();
        // The watch may have been faster than the answer.
        if !state.tombstones.iter().any(|deleted| **deleted == *uid) {
            state.pending_deletes.insert(uid.into());
        }
    }

    /// Whether an object with this UID was deleted lately, by us or by somebody else.
    pub(crate) fn was_deleted(&self, uid: &str) -> bool {
        self.read().was_deleted(uid)
    }
}

impl State {
    /// Primaries that wait for a change of this object. The watch reports it.
    fn waiting(&mut self, kind: KindIndex, key: &Key, source: Source) -> Vec<Key> {
        if source == Source::Write || self.awaited.is_empty() {
            return Vec::new();
        }
        self.awaited.remove(&(kind, key.clone())).into_iter().flatten().collect()
    }

    /// Whether an object with this UID was deleted lately, by us or by somebody else.
    fn was_deleted(&self, uid: &str) -> bool {
        self.pending_deletes.contains(uid) || self.tombstones.iter().any(|one| **one == *uid)
    }

    /// Primaries that a change of this object concerns.
    fn concerned(&self, kind: KindIndex, object: &Stored) -> Vec<Key> {
        let mut keys = Vec::new();
        if kind == PRIMARY {
            keys.push(object.key.clone());
        }
        if self.roles.is_owned(kind)
            && let Some(primary) = object.controller.as_deref().and_then(|uid| self.primaries.get(uid))
            && primary.may_control(&object.key)
        {
            keys.push(primary.clone());
        }
        if self.roles.is_related(kind)
            && let Some(primaries) = self.objects.get(PRIMARY)
        {
            let readers = primaries.in_namespace(&object.key.namespace);
            let readers = readers.filter(|primary| object.controller.as_deref() != Some(&*primary.uid));
            keys.extend(readers.map(|primary| primary.key.clone()));
        }
        keys
    }

    fn link(&mut self, kind: KindIndex, object: &Stored) {
        if kind == PRIMARY {
            self.primaries.insert(object.uid.clone(), object.key.clone());
        }
        if let Some(controller) = &object.controller {
            self.children.entry(controller.clone()).or_default().insert((kind, object.key.clone()));
        }
        if object.is_stray {
            self.strays.insert((object.key.clone(), kind));
        }
    }

    pub(super) fn unlink(&mut self, kind: KindIndex, object: &Stored) {
        if kind == PRIMARY {
            self.primaries.remove(&object.uid);
        }
        if object.is_stray {
            self.strays.remove(&(object.key.clone(), kind));
        }
        if let Some(controller) = &object.controller
            && let Some(children) = self.children.get_mut(controller)
        {
            children.remove(&(kind, object.key.clone()));
            if children.is_empty() {
                self.children.remove(controller);
            }
        }
    }
}
