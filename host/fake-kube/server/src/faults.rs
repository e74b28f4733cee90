//! Faults that tests inject: wrong answers, slow answers, lost answers, broken and silent watches.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::requests::{Matcher, Request};
use crate::store::Store;

/// What goes wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is answered with this HTTP status (409, 410, 429, 500, 503, ...) and changes nothing.
    Answer {
        /// The status.
        code: u16,
        /// Seconds for `Retry-After`.
        retry_after: Option<u32>,
    },
    /// It is handled later.
    Delay(Duration),
    /// It is handled, but the connection is cut before the answer.
    LoseResponse,
    /// A watch opens and then stays silent, without bookmarks and without an end.
    FreezeWatch,
}

/// The state of an open watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WatchState {
    /// As it should be.
    Running,
    /// Silent.
    Frozen,
    /// The connection is cut.
    Dropped,
}

/// Names an injected fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultId(u64);

struct Rule {
    id: u64,
    matcher: Matcher,
    fault: Fault,
    left: usize,
}

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    watches: Vec<(Request, watch::Sender<WatchState>)>,
    next_id: u64,
}

/// Injects faults into the server that it was taken from.
pub struct Faults {
    state: Mutex<State>,
    store: Arc<Store>,
}

impl Faults {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { state: Mutex::default(), store }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next `times` requests that match go wrong. Every request meets at most one fault, the oldest.
    pub fn inject(&self, matcher: Matcher, fault: Fault, times: usize) -> FaultId {
        let mut state = self.state();
        state.next_id += 1;
        let id = state.next_id;
        state.rules.push(Rule { id, matcher, fault, left: times });
        FaultId(id)
    }

    /// How often the fault will still happen.
    pub fn remaining(&self, id: FaultId) -> usize {
        self.state().rules.iter().find(|rule| rule.id == id.0).map_or(0, |rule| rule.left)
    }

    /// Forgets all injected faults and thaws all watches.
    pub fn clear(&self) {
        self.state().rules.clear();
        self.set_watches(&Matcher::any(), WatchState::Running);
    }

    /// Cuts the connections of the matching open watches; returns how many.
    pub fn drop_watches(&self, matcher: &Matcher) -> usize {
        self.set_watches(matcher, WatchState::Dropped)
    }

    /// Makes the matching open watches silent; returns how many.
    pub fn freeze_watches(&self, matcher: &Matcher) -> usize {
        self.set_watches(matcher, WatchState::Frozen)
    }

    /// Lets silent watches go on where they stopped; returns how many there are.
    pub fn thaw_watches(&self, matcher: &Matcher) -> usize {
        self.set_watches(matcher, WatchState::Running)
    }

    /// How many watches are open.
    pub fn open_watches(&self, matcher: &Matcher) -> usize {
        let mut state = self.state();
        state.watches.retain(|(_, control)| !control.is_closed());
        state.watches.iter().filter(|(request, _)| matcher.matches(request)).count()
    }

    /// Forgets the history of all resources: every watch and every list page from before ends with 410.
    pub fn expire_history(&self) {
        self.store.forget_history();
    }

    fn set_watches(&self, matcher: &Matcher, to: WatchState) -> usize {
        let mut state = self.state();
        state.watches.retain(|(_, control)| !control.is_closed());
        let mut changed = 0;
        for (_, control) in state.watches.iter().filter(|(request, _)| matcher.matches(request)) {
            control.send_replace(to);
            changed += 1;
        }
        changed
    }

    /// The fault for a request, if one is due.
    pub(crate) fn meet(&self, request: &Request) -> Option<Fault> {
        let mut state = self.state();
        let rule = state.rules.iter_mut().find(|rule| {
            rule.left > 0
                && rule.matcher.matches(request)
                && (rule.fault != Fault::FreezeWatch || request.verb == "watch")
        })?;
        rule.left -= 1;
        let fault = rule.fault.clone();
        state.rules.retain(|rule| rule.left > 0);
        Some(fault)
    }

    /// Registers an open watch.
    pub(crate) fn control_watch(&self, request: Request, frozen: bool) -> watch::Receiver<WatchState> {
        let start = if frozen { WatchState::Frozen } else { WatchState::Running };
        let (control, receiver) = watch::channel(start);
        let mut state = self.state();
        state.watches.retain(|(_, control)| !control.is_closed());
        state.watches.push((request, control));
        receiver
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_happen_as_often_as_asked() {
        let faults = Faults::new(Arc::new(Store::new(1)));
        let answer = Fault::Answer { code: 409, retry_after: None };
        let id = faults.inject(Matcher::any().verb("patch"), answer.clone(), 2);
        let patch = Request { verb: "patch".into(), ..Request::default() };
        assert_eq!(faults.meet(&Request { verb: "get".into(), ..Request::default() }), None);
        assert_eq!(faults.meet(&patch), Some(answer.clone()));
        assert_eq!(faults.remaining(id), 1);
        assert_eq!(faults.meet(&patch), Some(answer));
        assert_eq!(faults.meet(&patch), None);
    }

    #[test]
    fn open_watches_are_dropped_by_what_they_watch() {
        let faults = Faults::new(Arc::new(Store::new(1)));
        let watch = Request { verb: "watch".into(), resource: "pods".into(), ..Request::default() };
        let control = faults.control_watch(watch, false);
        assert_eq!(faults.drop_watches(&Matcher::any().resource("apps", "statefulsets")), 0);
        assert_eq!(faults.drop_watches(&Matcher::any().resource("", "pods")), 1);
        assert_eq!(*control.borrow(), WatchState::Dropped);
    }
}
