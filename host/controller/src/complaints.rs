//! What the log says about primaries that make trouble. A problem that lasts is logged when it
//! begins and when it is over, and not at every attempt in between.

use crate::object::Key;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a problem is about. A primary has at most one problem of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Topic {
    /// The reconciler gives no plan.
    Plan,
    /// A plan is not carried out as a whole, or the status is not written.
    Execution,
}

/// Problems that were logged and that are not over.
#[derive(Default)]
pub(crate) struct Complaints(Mutex<HashMap<(Key, Topic), String>>);

impl Complaints {
    /// Notes a problem. Returns whether it is to be logged: another one was there before, or none.
    pub(crate) fn begins(&self, primary: &Key, topic: Topic, problem: &str) -> bool {
        let before = self.lock().insert((primary.clone(), topic), problem.to_owned());
        before.is_none_or(|before| before != problem)
    }

    /// Notes that there is no problem. Returns whether there was one.
    pub(crate) fn ends(&self, primary: &Key, topic: Topic) -> bool {
        self.lock().remove(&(primary.clone(), topic)).is_some()
    }

    /// Forgets a primary that does not exist any more.
    pub(crate) fn forget(&self, primary: &Key) {
        for topic in [Topic::Plan, Topic::Execution] {
            self.ends(primary, topic);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Key, Topic), String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Complaints, Topic};
    use crate::object::Key;

    #[test]
    fn a_problem_is_logged_when_it_begins_and_when_it_is_over() {
        let (complaints, key) = (Complaints::default(), Key::new("n", "p"));
        assert!(!complaints.ends(&key, Topic::Plan));
        assert!(complaints.begins(&key, Topic::Plan, "a"));
        assert!(!complaints.begins(&key, Topic::Plan, "a"));
        assert!(complaints.begins(&key, Topic::Plan, "b"), "another problem");
        assert!(complaints.begins(&key, Topic::Execution, "b"), "another topic");
        assert!(complaints.ends(&key, Topic::Plan) && !complaints.ends(&key, Topic::Plan));
        complaints.forget(&key);
        assert!(complaints.begins(&key, Topic::Execution, "b"));
    }
}
