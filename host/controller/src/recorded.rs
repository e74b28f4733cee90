//! The events that were last recorded about each object of others.

use crate::object::Key;
use orascache_contract::Event;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// UID of the object, and the events of its last plan that had any.
type Entry = (Box<str>, Vec<Event>);

/// Such objects have no status of ours that would tell what is new.
#[derive(Default)]
pub(crate) struct Recorded(Mutex<HashMap<Key, Entry>>);

impl Recorded {
    /// Removes events that the last plan with events had too.
    pub(crate) fn keep_new(&self, key: &Key, uid: &str, events: &mut Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let all = events.clone();
        let before = self.lock().insert(key.clone(), (uid.into(), all));
        if let Some((_, before)) = before.filter(|(of, _)| **of == *uid) {
            events.retain(|event| !before.contains(event));
        }
    }

    /// Forgets an object that does not exist any more.
    pub(crate) fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Recorded;
    use crate::object::Key;
    use orascache_contract::{Event, Severity};

    #[test]
    fn the_same_event_is_new_once_and_again_after_another_one() {
        let (recorded, key) = (Recorded::default(), Key::new("n", "p"));
        let new = |uid: &str, notes: &[&str]| {
            let event = |note: &&str| Event {
                severity: Severity::Normal,
                reason: "R".into(),
                action: "A".into(),
                note: (*note).to_owned(),
            };
            let mut events = notes.iter().map(event).collect();
            recorded.keep_new(&key, uid, &mut events);
            events.into_iter().map(|event| event.note).collect::<Vec<_>>()
        };
        assert_eq!(new("u", &["a"]), ["a"]);
        assert_eq!(new("u", &[]), [""; 0]);
        assert_eq!(new("u", &["a", "b"]), ["b"]);
        assert_eq!(new("u", &["c"]), ["c"]);
        assert_eq!(new("u", &["a"]), ["a"]);
        assert_eq!(new("another", &["a"]), ["a"]);
    }
}
