//! The objects: one table per resource, one revision counter for all, a window of history.
//!
//! Objects are stored as JSON bytes without `apiVersion` and `kind`, because these depend on the
//! version in which an object is read. Lists and watches can therefore share the bytes.

mod error;
mod object;
mod table;

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde_json::Value;
use std::sync::Arc;
use tokio::sync::watch;

pub use error::{TooOld, WriteRefused};
use object::Draft;
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

/// The objects of a table at one revision, in key order.
pub struct Snapshot {
    /// The revision that the snapshot shows.
    pub revision: u64,
    /// The objects.
    pub objects: Vec<Arc<Object>>,
}

/// Called after every change of a table.
type Observer = Arc<dyn Fn(&Change) + Send + Sync>;

/// The storage of one API server.
pub struct Store {
    state: RwLock<State>,
    observers: RwLock<Vec<(TableName, Observer)>>,
    window: usize,
}

struct State {
    revision: u64,
    tables: HashMap<TableName, Table>,
}

impl Store {
    /// An empty store that remembers `window` changes per resource.
    pub fn new(window: usize) -> Self {
        let state = State { revision: 1, tables: HashMap::new() };
        Self { state: RwLock::new(state), observers: RwLock::default(), window: window.max(1) }
    }

    // Code that holds the lock leaves the state consistent at every step, so a poisoned lock is
    // usable.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Creates the table, unless it exists.
    pub fn open(&self, name: &TableName) {
        let mut state = self.write();
        let revision = state.revision;
        state.tables.entry(name.clone()).or_insert_with(|| Table::new(revision));
    }

    /// Removes a table with its objects and ends its watches.
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

    /// Bytes of all objects of the table.
    pub fn bytes(&self, name: &TableName) -> usize {
        self.read().tables.get(name).map_or(0, Table::bytes)
    }

    /// Stores a new object.
    pub fn create(&self, name: &TableName, key: Key, body: Value) -> Result<Arc<Object>, WriteRefused> {
        // The lock is not held while the object becomes JSON.
        let draft = Draft::new(key, body);
        let mut state = self.write();
        let revision = state.revision + 1;
        let table = state.tables.get_mut(name).ok_or(WriteRefused::Missing)?;
        if table.get(draft.key()).is_some() {
            return Err(WriteRefused::Exists);
        }
        let object = Arc::new(draft.at_revision(revision));
        let change = table.put(object.clone(), self.window);
        state.revision = revision;
        drop(state);
        self.notify(name, &change);
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
        let draft = Draft::new(key.clone(), body);
        let mut state = self.write();
        let revision = state.revision + 1;
        let table = state.tables.get_mut(name).ok_or(WriteRefused::Missing)?;
        table.expect(key, expected)?;
        let object = Arc::new(draft.at_revision(revision));
        let change = table.put(object.clone(), self.window);
        state.revision = revision;
        drop(state);
        self.notify(name, &change);
        Ok(object)
    }

    /// Removes an object that has the expected revision; returns its last state.
    pub fn remove(&self, name: &TableName, key: &Key, expected: u64) -> Result<Arc<Object>, WriteRefused> {
        let old = self.read().tables.get(name).ok_or(WriteRefused::Missing)?.expect(key, expected)?;
        let draft = Draft::new(key.clone(), old.value());
        let mut state = self.write();
        let revision = state.revision + 1;
        let table = state.tables.get_mut(name).ok_or(WriteRefused::Missing)?;
        table.expect(key, expected)?;
        let last = Arc::new(draft.at_revision(revision));
        let change = table.delete(last.clone(), self.window);
        state.revision = revision;
        drop(state);
        self.notify(name, &change);
        Ok(last)
    }

    /// Calls `observer` after every change of the table, before the write returns that made the
    /// change.
    ///
    /// The observer may write to the store. It should read the object again: with concurrent
    /// writers a later change can be reported first.
    pub fn observe(&self, name: TableName, observer: impl Fn(&Change) + Send + Sync + 'static) {
        let mut observers = self.observers.write().unwrap_or_else(PoisonError::into_inner);
        observers.push((name, Arc::new(observer)));
    }

    fn notify(&self, name: &TableName, change: &Change) {
        // Observers write to the store, which notifies again: the lock must not be held meanwhile.
        let concerned: Vec<Observer> = {
            let observers = self.observers.read().unwrap_or_else(PoisonError::into_inner);
            observers
                .iter()
                .filter(|(table, _)| table == name)
                .map(|(_, observer)| observer.clone())
                .collect()
        };
        concerned.iter().for_each(|observer| observer(change));
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

    /// The changes after a revision, and the revision up to which they are complete.
    ///
    /// `None` when the table does not exist.
    pub fn changes_since(
        &self,
        name: &TableName,
        revision: u64,
    ) -> Option<Result<(Vec<Change>, u64), TooOld>> {
        let state = self.read();
        let table = state.tables.get(name)?;
        Some(table.changes_since(revision).map(|changes| (changes, state.revision)))
    }

    /// A channel that reports every change of the table. It closes when the table is removed.
    pub fn subscribe(&self, name: &TableName) -> Option<watch::Receiver<u64>> {
        self.read().tables.get(name).map(Table::subscribe)
    }

    /// Clears the history of all tables: watches and list pages that started earlier get 410.
    pub fn forget_history(&self) {
        let mut state = self.write();
        // A new revision makes the history too short also for clients that have seen every change.
        state.revision += 1;
        let revision = state.revision;
        for table in state.tables.values_mut() {
            table.forget(revision);
        }
    }
}
