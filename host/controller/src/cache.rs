//! The object cache: objects by kind and name, and children by the UID of their controller.
//!
//! The API server's answers to our own writes go in at once, so that no plan is made on a state
//! that we have already changed. Older events of the watch do not undo that.

mod changes;
mod opened;
mod own_write;
mod relist;
mod shared;
mod view;

pub(crate) use changes::Source;
pub(crate) use relist::Listed;
pub(crate) use view::{Texts, View};

use crate::decoded::Decoded;
use crate::object::{Key, Stored};
use crate::reduce::{Compressors, Ownership};
use crate::roles::Roles;
use crate::scope::Scope;
use crate::watches::{KindIndex, PRIMARY, Watch};
use opened::Opened;
use orascache_contract::Kind;
use own_write::Known;
use shared::Shared;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Largest amount of JSON text that a reconciler gets of one related kind, and of all children of a
/// primary together, in bytes: 8 MiB. A guest has tens of MiB of memory. One namespace with large
/// objects must not use all of it up, nor must objects whose owner references name the primary,
/// which anybody in its namespace may make.
const MAX_BYTES: usize = 8 << 20;

pub(crate) struct Cache {
    watches: Vec<Watch>,
    /// By kind, as the watches are.
    compressors: Vec<Compressors>,
    scopes: Vec<Scope>,
    ownership: Ownership,
    max_bytes: usize,
    /// Texts of primaries for decisions about other objects.
    opened: Opened,
    shared: Shared,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    objects: Vec<Objects>,
    /// The roles of all reconcilers so far: they tell which primaries a change concerns.
    roles: Roles,
    /// Children by the UID of their controller.
    children: HashMap<Arc<str>, BTreeSet<(KindIndex, Key)>>,
    /// Objects that our field manager wrote and that nothing controls.
    strays: BTreeSet<(Key, KindIndex)>,
    /// Primaries by UID.
    primaries: HashMap<Box<str>, Key>,
    /// UIDs of objects that we deleted and whose deletion the watch has not confirmed.
    pending_deletes: HashSet<Box<str>>,
    /// UIDs of objects whose deletion the watch reported: a late answer to a write does not bring
    /// them back.
    tombstones: VecDeque<Box<str>>,
    /// Names that primaries need and that objects of others have: any change of such an object
    /// concerns these primaries.
    awaited: HashMap<(KindIndex, Key), BTreeSet<Key>>,
    /// Scopes of kinds that the API server does not have, or that may not be listed.
    absent: BTreeSet<Scope>,
    /// Objects that a write is under way for.
    own_writes: HashMap<(KindIndex, Key), Known>,
}

#[derive(Default)]
struct Objects {
    by_key: BTreeMap<Key, Entry>,
    /// Counts relists by the namespace of their scope, which is empty for a scope without one.
    relists: HashMap<Box<str>, u64>,
}

struct Entry {
    object: Arc<Stored>,
    /// Number of the last relist that had the object. An object with a lower number than the last
    /// relist of its scope was missing in that relist.
    seen_in: u64,
}

impl Cache {
    pub(crate) fn new(watches: Vec<Watch>, scopes: Vec<Scope>, ownership: Ownership, roles: Roles) -> Self {
        let objects = watches.iter().map(|_| Objects::default()).collect();
        let compressors = watches.iter().map(|_| Compressors::default()).collect();
        let state = RwLock::new(State { objects, roles, ..State::default() });
        Cache {
            watches,
            compressors,
            scopes,
            ownership,
            max_bytes: MAX_BYTES,
            opened: Opened::default(),
            shared: Shared::default(),
            state,
        }
    }

    /// Adds the roles of another reconciler: from now on changes concern primaries by them too.
    pub(crate) fn add_roles(&self, roles: &Roles) {
        self.write().roles.add(roles);
    }

    pub(crate) fn watches(&self) -> &[Watch] {
        &self.watches
    }

    /// All watched scopes.
    pub(crate) fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// Whether an object of this kind with this key is watched: its namespace may not be listed.
    pub(crate) fn is_watched(&self, kind: KindIndex, key: &Key) -> bool {
        self.scopes.iter().any(|scope| scope.kind == kind && scope.contains(key))
    }

    pub(crate) fn kind(&self, index: KindIndex) -> Option<&Kind> {
        self.watches.get(index).map(|watch| &watch.kind)
    }

    /// The kind of the primaries.
    pub(crate) fn primary_kind(&self) -> &Kind {
        &self.ownership.primary
    }

    pub(crate) fn field_manager(&self) -> &str {
        &self.ownership.field_manager
    }

    pub(crate) fn index_of(&self, kind: &Kind) -> Option<KindIndex> {
        self.watches.iter().position(|watch| watch.kind == *kind)
    }

    /// The kind that an object names.
    pub(crate) fn index_named(&self, api_version: &str, kind: &str) -> Option<KindIndex> {
        self.watches.iter().position(|watch| watch.kind.api_version == api_version && watch.kind.kind == kind)
    }

    /// Reduces an object to the form that is stored. `None` when it has no name, UID or
    /// resourceVersion.
    pub(crate) fn decode(&self, kind: KindIndex, object: Decoded) -> Option<Stored> {
        let (watch, compressors) = (self.watches.get(kind)?, self.compressors.get(kind)?);
        object.store(watch, &self.ownership, compressors, |text| self.shared.copy(text))
    }

    /// The object of that name, whatever controls it.
    pub(crate) fn get(&self, kind: KindIndex, key: &Key) -> Option<Arc<Stored>> {
        let state = self.read();
        let entry = state.objects.get(kind)?.by_key.get(key)?;
        (!state.pending_deletes.contains(&entry.object.uid)).then(|| entry.object.clone())
    }

    /// All primaries.
    pub(crate) fn primaries(&self) -> Vec<Key> {
        let state = self.read();
        state.objects.get(PRIMARY).map(|objects| objects.by_key.keys().cloned().collect()).unwrap_or_default()
    }

    /// The primaries that may own or read objects of a scope.
    pub(crate) fn primaries_of(&self, scope: &Scope) -> Vec<Key> {
        let mut primaries = self.primaries();
        primaries.retain(|primary| scope.concerns(primary));
        primaries
    }

    /// The UID of the primary of that name.
    pub(crate) fn primary_uid(&self, key: &Key) -> Option<Box<str>> {
        let state = self.read();
        state.objects.get(PRIMARY)?.by_key.get(key).map(|entry| entry.object.uid.clone())
    }

    /// Texts of the primaries of a namespace; `None` when there are more than `at_most`.
    pub(crate) fn primaries_in(&self, namespace: &str, at_most: usize) -> Option<Vec<Arc<str>>> {
        let found: Vec<Arc<Stored>> = {
            let state = self.read();
            let objects = state.objects.get(PRIMARY).into_iter();
            let in_namespace = objects.flat_map(|objects| objects.in_namespace(namespace));
            in_namespace.take(at_most.saturating_add(1)).cloned().collect()
        };
        (found.len() <= at_most).then(|| found.iter().map(|object| self.opened.text(object)).collect())
    }

    /// Text of the primary of that name.
    pub(crate) fn primary_text(&self, key: &Key) -> Option<Arc<str>> {
        self.get(PRIMARY, key).map(|object| self.opened.text(&object))
    }

    /// Bytes of text that the cache holds of all objects.
    #[cfg(test)]
    fn bytes_held(&self) -> usize {
        let state = self.read();
        let entries = state.objects.iter().flat_map(|objects| objects.by_key.values());
        let managers = |object: &Stored| object.managers.as_ref().map_or(0, |text| text.size());
        let texts: usize =
            entries.map(|entry| entry.object.compressed.size() + managers(&entry.object)).sum();
        let dictionary = |one: &Compressors| one.texts.dictionary_size() + one.managers.dictionary_size();
        texts + self.compressors.iter().map(dictionary).sum::<usize>()
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        // No code panics between two changes that belong together, so that a poisoned lock still
        // guards a consistent state.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Objects {
    /// The number of the last relist of the scope that an object with this key is in.
    fn relist(&self, key: &Key) -> u64 {
        let own = self.relists.get(&*key.namespace);
        own.or_else(|| self.relists.get("")).copied().unwrap_or_default()
    }

    fn in_namespace<'o>(&'o self, namespace: &str) -> impl Iterator<Item = &'o Arc<Stored>> + use<'o> {
        let namespace: Arc<str> = namespace.into();
        let from = Key { namespace: namespace.clone(), name: "".into() };
        let range = self.by_key.range(from..).take_while(move |(key, _)| key.namespace == namespace);
        range.map(|(_, entry)| &entry.object)
    }
}

#[cfg(test)]
mod tests;
