//! Failures of the last plan, by UID of the primary, until the next plan is carried out.

use crate::contract::Failure;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

#[derive(Default)]
pub(crate) struct Failures(Mutex<HashMap<Box<str>, Vec<Failure>>>);

impl Failures {
    pub(crate) fn of(&self, uid: &str) -> Vec<Failure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(uid).cloned().unwrap_or_default()
    }

    /// Remembers the failures of a plan; returns whether they are others than before.
    pub(crate) fn replace(&self, uid: &str, failures: Vec<Failure>) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let old =
            if failures.is_empty() { all.remove(uid) } else { all.insert(uid.into(), failures.clone()) };
        old.unwrap_or_default() != failures
    }

    /// Forgets primaries that do not exist any more.
    pub(crate) fn retain(&self, exists: impl Fn(&str) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|uid, _| exists(uid));
    }
}
