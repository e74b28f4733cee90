//! Status and events of plans that wait until other primaries have their children.
//!
//! A plan that changed children is followed by another one. Where other primaries are queued, the
//! status and the events of the plan wait until then: the queue gives every primary that is queued
//! now its turn before. That may be thousands of plans, so that their statuses are compressed.

use crate::cache::View;
use crate::compressed::{Compressed, Compressor};
use crate::object::Key;
use orascache_contract::{Event, Plan};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The status and the events of a plan.
pub(crate) struct PlanEnd {
    /// The primary that the plan was made for.
    pub(crate) view: View,
    pub(crate) status: Option<Compressed>,
    pub(crate) events: Vec<Event>,
}

/// The ends of plans that wait, one at most for each primary.
#[derive(Default)]
pub(crate) struct Postponed {
    ends: Mutex<HashMap<Key, PlanEnd>>,
    statuses: Compressor,
}

impl Postponed {
    /// Takes the status and the events out of a plan.
    pub(crate) fn put(&self, key: &Key, plan: &mut Plan, view: View) {
        let status = plan.status.take().map(|status| self.statuses.compress(&status));
        let mut events = std::mem::take(&mut plan.events);
        events.shrink_to_fit();
        self.lock().insert(key.clone(), PlanEnd { view, status, events });
    }

    /// The end that waits for a primary, unless it is one of another primary of that name.
    pub(crate) fn take(&self, key: &Key, uid: &str) -> Option<PlanEnd> {
        let mut ends = self.lock();
        let end = ends.remove(key);
        if ends.is_empty() {
            // Nothing is left of the room for thousands of them.
            ends.shrink_to_fit();
        }
        end.filter(|end| *end.view.uid == *uid)
    }

    /// Forgets a primary that does not exist any more, or that another process writes.
    pub(crate) fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    /// All ends that wait.
    pub(crate) fn take_all(&self) -> HashMap<Key, PlanEnd> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, PlanEnd>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
