//! Failures of the last plan of each primary.

use crate::object::Key;
use orascache_contract::{Failure, FailureReason};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// UID of the primary, and its failures.
type Entry = (Box<str>, Vec<Failure>);

#[derive(Default)]
pub(crate) struct Failures(Mutex<HashMap<Key, Entry>>);

impl Failures {
    /// Failures of the primary with this key and UID. A primary that was deleted and created again
    /// has none.
    pub(crate) fn of(&self, key: &Key, uid: &str) -> Vec<Failure> {
        let all = self.lock();
        all.get(key).filter(|(of, _)| **of == *uid).map(|(_, failures)| failures.clone()).unwrap_or_default()
    }

    /// Stores the failures of a plan in place of those of the last one; returns whether they
    /// differ.
    ///
    /// A failure that lasts keeps its first message: some messages change with every attempt
    /// (times, ports), and the primary's status must not change with them.
    pub(crate) fn replace(&self, key: &Key, uid: &str, mut failures: Vec<Failure>) -> bool {
        let old = self.of(key, uid);
        for failure in &mut failures {
            if let Some(lasting) = old.iter().find(|old| is_same(old, failure)) {
                failure.message.clone_from(&lasting.message);
            }
        }
        let changed = failures != old;
        if failures.is_empty() {
            self.forget(key);
        } else {
            self.lock().insert(key.clone(), (uid.into(), failures));
        }
        changed
    }

    /// Forgets a primary that does not exist any more.
    pub(crate) fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether two failures are the same one at different times.
pub(crate) fn is_same(one: &Failure, other: &Failure) -> bool {
    // Messages of the API server may differ between two attempts. For `FieldOwnedByOther` the
    // controller writes the message: it names the fields, so that another message means other
    // fields.
    let same_fields = one.reason != FailureReason::FieldOwnedByOther || one.message == other.message;
    (&one.target, one.verb, one.code, &one.reason) == (&other.target, other.verb, other.code, &other.reason)
        && same_fields
}

#[cfg(test)]
mod tests {
    use super::Failures;
    use crate::object::Key;
    use crate::testing::kind;
    use orascache_contract::{Failure, FailureReason, ObjectRef, Verb};

    fn failure(reason: FailureReason, message: &str) -> Failure {
        Failure {
            target: ObjectRef { kind: kind("K"), namespace: None, name: "n".to_owned(), uid: None },
            verb: Verb::Apply,
            code: 500,
            reason,
            message: message.to_owned(),
        }
    }

    #[test]
    fn a_failure_that_lasts_keeps_its_first_message() {
        let (failures, key) = (Failures::default(), Key::new("n", "p"));
        let at = |time: &str| failure(FailureReason::Other("InternalError".to_owned()), time);
        assert!(failures.replace(&key, "u", vec![at("12:00")]));
        assert!(!failures.replace(&key, "u", vec![at("12:01")]));
        assert_eq!(failures.of(&key, "u"), [at("12:00")]);
        assert_eq!(failures.of(&key, "another"), []);
        assert!(failures.replace(&key, "u", Vec::new()));
    }

    #[test]
    fn other_fields_that_are_left_are_another_failure() {
        let (failures, key) = (Failures::default(), Key::new("n", "p"));
        let left = |field: &str| failure(FailureReason::FieldOwnedByOther, field);
        assert!(failures.replace(&key, "u", vec![left("spec.a")]));
        assert!(failures.replace(&key, "u", vec![left("spec.b")]));
        assert_eq!(failures.of(&key, "u"), [left("spec.b")]);
    }
}
