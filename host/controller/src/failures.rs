//! Failures of the last plan, by primary, until the next plan is carried out.

use crate::contract::Failure;
use crate::object::Key;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// UID of the primary, and its failures.
type Remembered = (Box<str>, Vec<Failure>);

#[derive(Default)]
pub(crate) struct Failures(Mutex<HashMap<Key, Remembered>>);

impl Failures {
    /// Failures of the primary with this key and UID; one that was made anew has none.
    pub(crate) fn of(&self, key: &Key, uid: &str) -> Vec<Failure> {
        let all = self.lock();
        all.get(key).filter(|(of, _)| **of == *uid).map(|(_, failures)| failures.clone()).unwrap_or_default()
    }

    /// Remembers the failures of a plan; returns whether they are others than before.
    ///
    /// Of a failure that lasts the first message is kept: some messages change with every attempt (times, ports), and
    /// the status must not change with them.
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

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Remembered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_same(one: &Failure, other: &Failure) -> bool {
    // What is left to whom is in the message; it is made here and does not change by itself.
    let same_fields = one.reason != "FieldOwnedByOther" || one.message == other.message;
    (&one.target, &one.verb, one.code, &one.reason) == (&other.target, &other.verb, other.code, &other.reason)
        && same_fields
}

#[cfg(test)]
mod tests {
    use super::Failures;
    use crate::contract::{Failure, Kind, ObjectRef};
    use crate::object::Key;

    fn failure(message: &str) -> Failure {
        let kind = Kind { api_version: "v1".into(), kind: "K".into(), plural: "ks".into(), namespaced: true };
        Failure {
            target: ObjectRef { kind, namespace: None, name: "n".into(), uid: None },
            verb: "apply".into(),
            code: 500,
            reason: "InternalError".into(),
            message: message.into(),
        }
    }

    #[test]
    fn a_lasting_failure_keeps_its_first_message() {
        let (failures, key) = (Failures::default(), Key::new("n", "p"));
        assert!(failures.replace(&key, "u", vec![failure("at 12:00")]));
        assert!(!failures.replace(&key, "u", vec![failure("at 12:01")]));
        assert_eq!(failures.of(&key, "u"), [failure("at 12:00")]);
        assert_eq!(failures.of(&key, "another"), []);
        assert!(failures.replace(&key, "u", Vec::new()));
    }
}
