//! Failures of the last plan of each primary.

use crate::object::Key;
use orascache_contract::{Failure, FailureReason};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A failure that reconciliations had in a row.
struct Lasting {
    failure: Failure,
    /// How many.
    attempts: u32,
}

impl Lasting {
    /// Whether the failure is worth a line in the log. One that trying again usually mends is so
    /// only when it lasts.
    fn is_logged(&self) -> bool {
        self.attempts >= attempts_until_log(&self.failure)
    }
}

/// A conflict, or an API server that is busy or does not answer, is nothing special at first.
fn attempts_until_log(failure: &Failure) -> u32 {
    match failure.reason {
        FailureReason::Conflict | FailureReason::TooManyRequests | FailureReason::Unreachable => 3,
        _ => 1,
    }
}

/// UID of the primary, and its failures.
type Entry = (Box<str>, Vec<Lasting>);

#[derive(Default)]
pub(crate) struct Failures(Mutex<HashMap<Key, Entry>>);

/// How the failures of a plan differ from those of the plan before.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Change {
    /// Whether the reconciler is shown other failures than before.
    pub(crate) differs: bool,
    /// Failures to log.
    pub(crate) began: Vec<Failure>,
    /// Failures that were logged and that are over.
    pub(crate) ended: Vec<Failure>,
}

impl Failures {
    /// Failures of the primary with this key and UID. A primary that was deleted and created again
    /// has none.
    pub(crate) fn of(&self, key: &Key, uid: &str) -> Vec<Failure> {
        let all = self.lock();
        let entry = all.get(key).filter(|(of, _)| **of == *uid);
        entry.into_iter().flat_map(|(_, lasting)| lasting).map(|one| one.failure.clone()).collect()
    }

    /// Stores the failures of a plan in place of those of the last one; returns how they differ.
    ///
    /// A failure that lasts keeps its first message: some messages change with every attempt
    /// (times, ports), and the primary's status must not change with them.
    pub(crate) fn replace(&self, key: &Key, uid: &str, failures: Vec<Failure>) -> Change {
        let mut all = self.lock();
        let before = all.remove(key).filter(|(of, _)| **of == *uid).map(|(_, old)| old).unwrap_or_default();
        let lasts = |failure: &Failure| before.iter().find(|old| is_same(&old.failure, failure));
        let after: Vec<Lasting> = failures
            .into_iter()
            .map(|failure| match lasts(&failure) {
                Some(old) => {
                    Lasting { failure: old.failure.clone(), attempts: old.attempts.saturating_add(1) }
                }
                None => Lasting { failure, attempts: 1 },
            })
            .collect();
        let shown = |all: &[Lasting]| all.iter().map(|one| one.failure.clone()).collect::<Vec<_>>();
        let begins = |one: &&Lasting| one.attempts == attempts_until_log(&one.failure);
        let ended =
            |old: &&Lasting| old.is_logged() && !after.iter().any(|new| is_same(&new.failure, &old.failure));
        let change = Change {
            differs: shown(&before) != shown(&after),
            began: after.iter().filter(begins).map(|one| one.failure.clone()).collect(),
            ended: before.iter().filter(ended).map(|one| one.failure.clone()).collect(),
        };
        if !after.is_empty() {
            all.insert(key.clone(), (uid.into(), after));
        }
        change
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
    use super::{Change, Failures};
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
        assert!(failures.replace(&key, "u", vec![at("12:00")]).differs);
        assert!(!failures.replace(&key, "u", vec![at("12:01")]).differs);
        assert_eq!(failures.of(&key, "u"), [at("12:00")]);
        assert_eq!(failures.of(&key, "another"), []);
        assert!(failures.replace(&key, "u", Vec::new()).differs);
    }

    #[test]
    fn a_failure_that_lasts_is_logged_when_it_begins_and_when_it_is_over() {
        let (failures, key) = (Failures::default(), Key::new("n", "p"));
        let taken = || failure(FailureReason::NotControlled, "taken");
        assert_eq!(failures.replace(&key, "u", vec![taken()]).began, [taken()]);
        for _ in 0..7 {
            assert_eq!(failures.replace(&key, "u", vec![taken()]), Change::default());
        }
        let change = failures.replace(&key, "u", Vec::new());
        assert_eq!((change.began, change.ended), (vec![], vec![taken()]));
    }

    #[test]
    fn a_failure_that_usually_passes_is_logged_when_it_does_not() {
        let (failures, key) = (Failures::default(), Key::new("n", "p"));
        for reason in [FailureReason::Conflict, FailureReason::TooManyRequests, FailureReason::Unreachable] {
            let busy = || failure(reason.clone(), "busy");
            let began = || failures.replace(&key, "u", vec![busy()]).began.len();
            assert_eq!([began(), began()], [0, 0]);
            assert_eq!(failures.replace(&key, "u", Vec::new()).ended, [], "it was not logged");
            assert_eq!([began(), began(), began(), began()], [0, 0, 1, 0]);
            assert_eq!(failures.replace(&key, "u", Vec::new()).ended, [busy()]);
        }
    }

    #[test]
    fn other_fields_that_are_left_are_another_failure() {
        let (failures, key) = (Failures::default(), Key::new("n", "p"));
        let left = |field: &str| failure(FailureReason::FieldOwnedByOther, field);
        assert!(failures.replace(&key, "u", vec![left("spec.a")]).differs);
        assert!(failures.replace(&key, "u", vec![left("spec.b")]).differs);
        assert_eq!(failures.of(&key, "u"), [left("spec.b")]);
    }
}
