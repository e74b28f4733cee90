//! Status and events of plans that wait until other primaries have their children.
//!
//! A plan that changed children is followed by another one. Where other primaries are queued, the
//! status and the events of the plan wait until then: the queue gives every primary that is queued
//! now its turn before.

use crate::cache::View;
use crate::object::Key;
use orascache_contract::{Event, Plan};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The status and the events of a plan.
pub(crate) struct PlanEnd {
    /// The primary that the plan was made for, without objects.
    pub(crate) view: View,
    pub(crate) status: Option<String>,
    pub(crate) events: Vec<Event>,
}

impl PlanEnd {
    /// Takes the status and the events out of a plan.
    pub(crate) fn of(plan: &mut Plan, view: View) -> Self {
        PlanEnd { view, status: plan.status.take(), events: std::mem::take(&mut plan.events) }
    }
}

/// The ends of plans that wait, one at most for each primary.
#[derive(Default)]
pub(crate) struct Postponed(Mutex<HashMap<Key, PlanEnd>>);

impl Postponed {
    pub(crate) fn put(&self, key: &Key, end: PlanEnd) {
        self.lock().insert(key.clone(), end);
    }

    /// The end that waits for a primary, unless it is one of another primary of that name.
    pub(crate) fn take(&self, key: &Key, uid: &str) -> Option<PlanEnd> {
        self.lock().remove(key).filter(|end| *end.view.uid == *uid)
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
