//! The objects of one resource, and the changes that led to them.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use tokio::sync::watch;

use super::error::{TooOld, WriteRefused};
use super::object::{Key, Object};

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was created.
    Added,
    /// It was replaced.
    Modified,
    /// It was removed.
    Deleted,
}

/// One write, as watches see it.
#[derive(Clone, Debug)]
pub struct Change {
    /// What happened.
    pub kind: ChangeKind,
    /// The object after the write; its last state when it was deleted.
    pub object: Arc<Object>,
    /// The object before the write.
    pub previous: Option<Arc<Object>>,
}

pub(super) struct Table {
    objects: BTreeMap<Key, Arc<Object>>,
    /// Of all objects.
    bytes: usize,
    changes: VecDeque<Change>,
    /// The oldest revision that a watch can start from.
    watchable: u64,
    /// The oldest revision that can be listed.
    compacted: u64,
    wake: watch::Sender<u64>,
}

impl Table {
    pub(super) fn new(revision: u64) -> Self {
        // Before the table was created it had no objects, so it can be listed at every older
        // revision.
        Self {
            objects: BTreeMap::new(),
            bytes: 0,
            changes: VecDeque::new(),
            watchable: revision,
            compacted: 0,
            wake: watch::Sender::new(revision),
        }
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Object>> {
        self.objects.get(key).cloned()
    }

    /// The object, if it has the expected revision.
    pub(super) fn expect(&self, key: &Key, expected: u64) -> Result<Arc<Object>, WriteRefused> {
        let object = self.get(key).ok_or(WriteRefused::Missing)?;
        if object.revision == expected { Ok(object) } else { Err(WriteRefused::Stale) }
    }

    pub(super) fn len(&self) -> usize {
        self.objects.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.wake.subscribe()
    }

    pub(super) fn put(&mut self, object: Arc<Object>, window: usize) -> Change {
        let previous = self.objects.insert(object.key.clone(), object.clone());
        self.bytes += object.body().len();
        self.forget_bytes(previous.as_ref());
        let kind = if previous.is_some() { ChangeKind::Modified } else { ChangeKind::Added };
        self.record(Change { kind, object, previous }, window)
    }

    pub(super) fn delete(&mut self, last: Arc<Object>, window: usize) -> Change {
        let previous = self.objects.remove(&last.key);
        self.forget_bytes(previous.as_ref());
        self.record(Change { kind: ChangeKind::Deleted, object: last, previous }, window)
    }

    fn forget_bytes(&mut self, removed: Option<&Arc<Object>>) {
        self.bytes = self.bytes.saturating_sub(removed.map_or(0, |object| object.body().len()));
    }

    fn record(&mut self, change: Change, window: usize) -> Change {
        let revision = change.object.revision;
        while self.changes.len() >= window {
            if let Some(dropped) = self.changes.pop_front() {
                self.watchable = dropped.object.revision;
                self.compacted = dropped.object.revision;
            }
        }
        self.changes.push_back(change.clone());
        self.wake.send_replace(revision);
        change
    }

    pub(super) fn forget(&mut self, revision: u64) {
        self.changes.clear();
        self.watchable = revision;
        self.compacted = revision;
        self.wake.send_replace(revision);
    }

    pub(super) fn list(&self, namespace: Option<&str>) -> Vec<Arc<Object>> {
        match namespace {
            None => self.objects.values().cloned().collect(),
            Some(namespace) => {
                let first = Key::new(Some(namespace), "");
                self.objects
                    .range((Bound::Included(first), Bound::Unbounded))
                    .take_while(|(key, _)| key.namespace == namespace)
                    .map(|(_, object)| object.clone())
                    .collect()
            }
        }
    }

    /// The objects at a revision: the present ones, with the changes since then undone, newest
    /// first.
    pub(super) fn list_at(&self, namespace: Option<&str>, revision: u64) -> Result<Vec<Arc<Object>>, TooOld> {
        if revision < self.compacted {
            return Err(TooOld(self.compacted));
        }
        let mut objects: BTreeMap<&Key, &Arc<Object>> = self.objects.iter().collect();
        for change in self.changes.iter().rev().take_while(|change| change.object.revision > revision) {
            match &change.previous {
                Some(previous) => objects.insert(&previous.key, previous),
                None => objects.remove(&change.object.key),
            };
        }
        let wanted = |key: &Key| namespace.is_none_or(|namespace| key.namespace == namespace);
        Ok(objects.into_iter().filter(|(key, _)| wanted(key)).map(|(_, object)| object.clone()).collect())
    }

    pub(super) fn changes_since(&self, revision: u64) -> Result<Vec<Change>, TooOld> {
        if revision < self.watchable {
            return Err(TooOld(self.watchable));
        }
        let start = self.changes.partition_point(|change| change.object.revision <= revision);
        Ok(self.changes.iter().skip(start).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Store, TableName};
    use super::*;

    fn body(name: &str) -> serde_json::Value {
        json!({"metadata": {"name": name, "labels": {"app": name}}})
    }

    fn names(objects: &[Arc<Object>]) -> Vec<&str> {
        objects.iter().map(|object| object.key.name.as_str()).collect()
    }

    fn store(window: usize) -> (Store, TableName) {
        let store = Store::new(window);
        let table = TableName::new("example.com", "things");
        store.open(&table);
        (store, table)
    }

    #[test]
    fn snapshots_show_the_past() {
        let (store, table) = store(10);
        let a = store.create(&table, Key::new(Some("x"), "a"), body("a")).unwrap();
        store.create(&table, Key::new(Some("y"), "b"), body("b")).unwrap();
        store.remove(&table, &a.key, a.revision).unwrap();
        assert_eq!(names(&store.list(&table, None).objects), ["b"]);
        assert_eq!(names(&store.list_at(&table, None, a.revision + 1).unwrap().objects), ["a", "b"]);
        assert_eq!(names(&store.list_at(&table, Some("x"), a.revision + 1).unwrap().objects), ["a"]);
        assert!(store.list_at(&table, None, 1).unwrap().objects.is_empty());
    }

    #[test]
    fn observers_see_every_change_of_their_table_and_may_write() {
        use std::sync::Mutex;
        let (store, table) = store(10);
        let store = Arc::new(store);
        let other = TableName::new("example.com", "others");
        store.open(&other);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, weak, own) = (seen.clone(), Arc::downgrade(&store), table.clone());
        store.observe(table.clone(), move |change| {
            let store = weak.upgrade().unwrap();
            log.lock().unwrap().push((change.kind, change.object.revision));
            if change.kind == ChangeKind::Added {
                store.replace(&own, &change.object.key, change.object.revision, body("changed")).unwrap();
            }
        });
        store.create(&other, Key::new(None, "x"), body("x")).unwrap();
        let added = store.create(&table, Key::new(None, "a"), body("a")).unwrap();
        let last = store.remove(&table, &added.key, added.revision + 1).unwrap();
        let expected = [
            (ChangeKind::Added, added.revision),
            (ChangeKind::Modified, added.revision + 1),
            (ChangeKind::Deleted, last.revision),
        ];
        assert_eq!(*seen.lock().unwrap(), expected);
    }

    #[test]
    fn the_history_is_bounded_and_names_its_oldest_revision() {
        let (store, table) = store(2);
        for name in ["a", "b", "c"] {
            store.create(&table, Key::new(None, name), body(name)).unwrap();
        }
        assert_eq!(store.changes_since(&table, 1).unwrap().unwrap_err(), TooOld(2));
        let (changes, revision) = store.changes_since(&table, 2).unwrap().unwrap();
        assert_eq!((changes.len(), revision), (2, 4));
        assert!(store.list_at(&table, None, 1).is_err());
        store.forget_history();
        assert!(store.changes_since(&table, 4).unwrap().is_err());
    }

    #[test]
    fn writes_are_refused_when_the_object_is_not_the_expected_one() {
        let (store, table) = store(10);
        let key = Key::new(None, "a");
        let first = store.create(&table, key.clone(), body("a")).unwrap();
        assert_eq!(store.create(&table, key.clone(), body("a")).unwrap_err(), WriteRefused::Exists);
        let second = store.replace(&table, &key, first.revision, body("a")).unwrap();
        assert_eq!(store.remove(&table, &key, first.revision).unwrap_err(), WriteRefused::Stale);
        let last = store.remove(&table, &key, second.revision).unwrap();
        assert!(last.metadata().contains(&format!("\"resourceVersion\":\"{}\"", second.revision + 1)));
        assert_eq!(store.replace(&table, &key, 1, body("a")).unwrap_err(), WriteRefused::Missing);
    }
}
