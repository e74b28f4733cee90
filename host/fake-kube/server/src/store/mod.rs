//! Where objects live: one table per resource, one revision counter for all, a window of history.
//!
//! Objects are kept as JSON bytes without `apiVersion` and `kind` (those belong to the view through
//! which an object is read), so that lists and watches hand out the same bytes to everybody.

mod object;
mod table;

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde_json::Value;
use std::sync::Arc;
use tokio::sync::watch;

pub use object::{Key, Object};
use table::Table;
pub use table::{Change, ChangeKind};

/// Names a table: `plural.group`, shared by all versions of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName(Arc<str>);

impl TableName {
    /// The table of a resource.
    pub fn new(group: &str, plural: &str) -> Self {
        Self(if group.is_empty() { plural.into() } else { format!("{plural}.{group}").into() })
    }
}

/// Why a write did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteRefused {
    /// Create: the key is taken.
    Exists,
    /// Replace or remove: the object is gone.
    Missing,
    /// Replace or remove: the object has another revision than the expected one.
    Stale,
}

/// A revision that the history no longer reaches; carries the oldest one that it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooOld(pub u64);

/// The objects of a table at one revision, in key order.
pub struct Snapshot {
    /// The revision that the snapshot shows.
    pub revision: u64,
    /// The objects.
    pub objects: Vec<Arc<Object>>,
}

/// The storage of one API server.
pub struct Store {
    state: RwLock<State>,
    window: usize,
}

struct State {
    revision: u64,
    tables: HashMap<TableName, Table>,
}

impl Store {
    /// An empty store that remembers `window` changes per resource.
    pub fn new(window: usize) -> Self {
        Self { state: RwLock::new(State { revision: 1, tables: HashMap::new() }), window: window.max(1) }
    }

    // A panic while the lock is held can only come from an allocation failure; the data is whole.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the table, unless it exists.
    pub fn open(&self, name: &TableName) {
        let mut state = self.write();
        let revision = state.revision;
        state.tables.entry(name.clone()).or_insert_with(|| Table::new(revision));
    }

    /// Forgets a table and ends its watches.
    pub fn close(&self, name: &TableName) {
        self.write().tables.remove(name);
    }

    /// The revision of the latest write.
    pub fn revision(&self) -> u64 {
        self.read().revision
    }

    /// Reads one object.
    pub fn get(&self, name: &TableName, key: &Key) -> Option<Arc<Object>> {
        self.read().tables.get(name)?.get(key)
    }

    /// How many objects the table has.
    pub fn count(&self, name: &TableName) -> usize {
        self.read().tables.get(name).map_or(0, Table::len)
    }

    /// Stores a new object.
    pub fn create(&self, name: &TableName, key: Key, body: Value) -> Result<Arc<Object>, WriteRefused> {
        let mut state = self.write();
        let revision = state.revision + 1;
        let table = state.tables.get_mut(name).ok_or(WriteRefused::Missing)?;
        if table.get(&key).is_some() {
            return Err(WriteRefused::Exists);
        }
        let object = Arc::new(Object::new(key, revision, body));
        table.put(object.clone(), self.window);
        state.revision = revision;
        Ok(object)
    }

    /// Replaces an object that has the expected revision.
    pub fn replace(
        &self,
        name: &TableName,
        key: &Key,
        expected: u64,
        body: Value,
    ) -> Result<Arc<Object>, WriteRefused> {
        let mut state = self.write();
        let revision = state.revision + 1;
        let table = state.tables.get_mut(name).ok_or(WriteRefused::Missing)?;
        table.expect(key, expected)?;
        let object = Arc::new(Object::new(key.clone(), revision, body));
        table.put(object.clone(), self.window);
        state.revision = revision;
        Ok(object)
    }

    /// Removes an object that has the expected revision; returns its last state.
    pub fn remove(&self, name: &TableName, key: &Key, expected: u64) -> Result<Arc<Object>, WriteRefused> {
        let mut state = self.write();
        let revision = state.revision + 1;
        let table = state.tables.get_mut(name).ok_or(WriteRefused::Missing)?;
        let old = table.expect(key, expected)?;
        let last = Arc::new(old.at_revision(revision));
        table.delete(last.clone(), self.window);
        state.revision = revision;
        Ok(last)
    }

    /// All objects of a table (of one namespace, when given) as they are now.
    pub fn list(&self, name: &TableName, namespace: Option<&str>) -> Snapshot {
        let state = self.read();
        let objects = state.tables.get(name).map(|table| table.list(namespace)).unwrap_or_default();
        Snapshot { revision: state.revision, objects }
    }

    /// All objects of a table as they were at a revision.
    pub fn list_at(
        &self,
        name: &TableName,
        namespace: Option<&str>,
        revision: u64,
    ) -> Result<Snapshot, TooOld> {
        let state = self.read();
        let objects = match state.tables.get(name) {
            Some(table) => table.list_at(namespace, revision)?,
            None => Vec::new(),
        };
        Ok(Snapshot { revision, objects })
    }

    /// The changes after a revision, and the revision up to which they reach.
    ///
    /// `None` when the table is gone.
    pub fn changes_since(
        &self,
        name: &TableName,
        revision: u64,
    ) -> Option<Result<(Vec<Change>, u64), TooOld>> {
        let state = self.read();
        let table = state.tables.get(name)?;
        Some(table.changes_since(revision).map(|changes| (changes, state.revision)))
    }

    /// Wakes up at every change of the table; closed when the table is gone.
    pub fn subscribe(&self, name: &TableName) -> Option<watch::Receiver<u64>> {
        self.read().tables.get(name).map(Table::subscribe)
    }

    /// Forgets the history of all tables: watches and list pages from before are too old.
    pub fn forget_history(&self) {
        let mut state = self.write();
        // One revision is spent, so that even a client that has seen everything starts anew.
        state.revision += 1;
        let revision = state.revision;
        for table in state.tables.values_mut() {
            table.forget(revision);
        }
    }
}
