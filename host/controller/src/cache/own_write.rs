//! Writes under way: what the watch says about an object before the answer to our own write of it.
//!
//! The API server often reports a write to its watches before it answers the write. Such an event
//! says nothing that the answer does not say, so that the primary that wrote is not worked on for
//! it.

use super::{Cache, State};
use crate::object::{Key, Stored};
use crate::watches::KindIndex;

/// A write of one object for one primary, from before it is sent until its answer is in the cache.
pub(crate) struct OwnWrite<'c> {
    cache: &'c Cache,
    /// `None` for a write of an object that another write is under way for.
    object: Option<(KindIndex, Key)>,
}

/// What became known of the object since its write began.
pub(super) struct Known {
    /// The primary that the write is for. It is not told of events before the write ended.
    primary: Key,
    events: Events,
    /// The resourceVersion of the last answer.
    answer: Option<Box<str>>,
}

/// Events that the primary was not told of.
enum Events {
    None,
    /// One state, with its resourceVersion.
    One(Box<str>),
    /// Several states, of which the write made one at most.
    Several,
}

impl Cache {
    /// A write of an object for a primary begins.
    pub(crate) fn begin_write(&self, kind: KindIndex, key: &Key, primary: &Key) -> OwnWrite<'_> {
        let object = (kind, key.clone());
        let mut state = self.write();
        if state.own_writes.contains_key(&object) {
            return OwnWrite { cache: self, object: None };
        }
        state
            .own_writes
            .insert(object.clone(), Known { primary: primary.clone(), events: Events::None, answer: None });
        OwnWrite { cache: self, object: Some(object) }
    }
}

impl OwnWrite<'_> {
    /// The write has ended. Returns whether the watch reported a state of the object that no answer
    /// had.
    pub(crate) fn end(mut self) -> bool {
        self.remove().is_some_and(|known| known.has_news())
    }

    fn remove(&mut self) -> Option<Known> {
        let object = self.object.take()?;
        self.cache.write().own_writes.remove(&object)
    }
}

/// Nothing is held back for a write that was given up.
impl Drop for OwnWrite<'_> {
    fn drop(&mut self) {
        self.remove();
    }
}

impl Known {
    fn has_news(&self) -> bool {
        match &self.events {
            Events::None => false,
            Events::One(version) => self.answer.as_ref() != Some(version),
            Events::Several => true,
        }
    }
}

impl State {
    /// Notes an answer to a write of the object.
    pub(super) fn note_answer(&mut self, kind: KindIndex, object: &Stored) {
        if let Some(known) = self.own_write(kind, object) {
            known.answer = Some(object.resource_version.clone());
        }
    }

    /// Takes the primary whose write of the object is under way out of those that an event
    /// concerns.
    pub(super) fn hold_back(&mut self, kind: KindIndex, object: &Stored, concerned: &mut Vec<Key>) {
        let Some(known) = self.own_write(kind, object) else { return };
        let before = concerned.len();
        concerned.retain(|primary| *primary != known.primary);
        if concerned.len() < before {
            known.events = match known.events {
                Events::None => Events::One(object.resource_version.clone()),
                Events::One(_) | Events::Several => Events::Several,
            };
        }
    }

    fn own_write(&mut self, kind: KindIndex, object: &Stored) -> Option<&mut Known> {
        // Most of the time there is none.
        if self.own_writes.is_empty() {
            return None;
        }
        self.own_writes.get_mut(&(kind, object.key.clone()))
    }
}
