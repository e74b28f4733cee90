//! Faults that tests inject: wrong, slow and lost answers, cut and silent watches.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::requests::{Matcher, Request};
use crate::store::Store;

/// A fault of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request is answered with an error and changes nothing.
    Answer {
        /// The HTTP status, for example 409, 429 or 503.
        code: u16,
        /// `Retry-After`, in seconds.
        retry_after: Option<u32>,
    },
    /// The request is handled after this time.
    Delay(Duration),
    /// The request is handled, but the connection is cut before the answer.
    LoseResponse,
    /// The watch opens and then sends nothing: no events, no bookmarks, no end.
    FreezeWatch,
}

/// The state of an open watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WatchState {
    /// It sends events.
    Running,
    /// It sends nothing.
    Frozen,
    /// It ends, as after its timeout.
    Ended,
    /// Its connection is cut.
    Dropped,
}

/// Identifies an injected fault.
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

/// Injects faults into one server.
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

    /// Injects a fault into the next `times` requests that match. A request has at most one fault:
    /// of several that match, the one that was injected first.
    pub fn inject(&self, matcher: Matcher, fault: Fault, times: usize) -> FaultId {
        let mut state = self.state();
        state.next_id += 1;
        let id = state.next_id;
        state.rules.push(Rule { id, matcher, fault, left: times });
        FaultId(id)
    }

    /// How many more requests the fault will affect.
    pub fn remaining(&self, id: FaultId) -> usize {
        self.state().rules.iter().find(|rule| rule.id == id.0).map_or(0, |rule| rule.left)
    }

    /// Removes all injected faults and thaws all watches.
    pub fn clear(&self) {
        self.state().rules.clear();
        self.set_watches(&Matcher::any(), WatchState::Running);
    }

    /// Cuts the connections of the matching open watches, and returns their number.
    pub fn drop_watches(&self, matcher: &Matcher) -> usize {
        self.set_watches(matcher, WatchState::Dropped)
    }

    /// Ends the matching open watches as if their timeouts were over, and returns their number.
    pub fn end_watches(&self, matcher: &Matcher) -> usize {
        self.set_watches(matcher, WatchState::Ended)
    }

    /// Makes the matching open watches silent, and returns their number.
    pub fn freeze_watches(&self, matcher: &Matcher) -> usize {
        self.set_watches(matcher, WatchState::Frozen)
    }

    /// Lets the matching watches send again from where they stopped, and returns their number.
    pub fn thaw_watches(&self, matcher: &Matcher) -> usize {
        self.set_watches(matcher, WatchState::Running)
    }

    /// The number of open watches that match.
    pub fn open_watches(&self, matcher: &Matcher) -> usize {
        let mut state = self.state();
        state.watches.retain(|(_, control)| !control.is_closed());
        state.watches.iter().filter(|(request, _)| matcher.matches(request)).count()
    }

    /// Clears the history of all resources: open watches and later pages of earlier lists get 410.
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

    /// Takes the fault for a request, if there is one.
    pub(crate) fn take(&self, request: &Request) -> Option<Fault> {
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
    fn a_fault_affects_as_many_requests_as_asked() {
        let faults = Faults::new(Arc::new(Store::new(1)));
        let answer = Fault::Answer { code: 409, retry_after: None };
        let id = faults.inject(Matcher::any().verb("patch"), answer.clone(), 2);
        let patch = Request { verb: "patch".into(), ..Request::default() };
        assert_eq!(faults.take(&Request { verb: "get".into(), ..Request::default() }), None);
        assert_eq!(faults.take(&patch), Some(answer.clone()));
        assert_eq!(faults.remaining(id), 1);
        assert_eq!(faults.take(&patch), Some(answer));
        assert_eq!(faults.take(&patch), None);
    }

    #[test]
    fn open_watches_are_selected_by_their_resource() {
        let faults = Faults::new(Arc::new(Store::new(1)));
        let watch = Request { verb: "watch".into(), resource: "pods".into(), ..Request::default() };
        let control = faults.control_watch(watch, false);
        assert_eq!(faults.drop_watches(&Matcher::any().resource("apps", "statefulsets")), 0);
        assert_eq!(faults.drop_watches(&Matcher::any().resource("", "pods")), 1);
        assert_eq!(*control.borrow(), WatchState::Dropped);
    }
}
