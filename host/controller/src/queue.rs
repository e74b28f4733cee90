//! A queue of keys: a key waits at most once, is never worked on twice at a time, and is worked on again when it
//! was marked meanwhile. Failures back off exponentially.

use rand::Rng;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Backoff of a failing key.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// Wait after the first failure.
    pub first: Duration,
    /// Longest wait.
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(200), longest: Duration::from_secs(300) }
    }
}

impl Backoff {
    /// Doubles with every failure, up to the longest; a fifth of it is chance, so that keys spread.
    fn after(&self, failures: u32) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
        let wait = doubled.min(self.longest);
        wait.mul_f64(rand::rng().random_range(0.8..=1.0))
    }
}

pub(crate) struct Queue<K> {
    state: Mutex<State<K>>,
    changed: Notify,
    backoff: Backoff,
}

struct State<K> {
    ready: VecDeque<K>,
    /// In `ready`, or to be put there when the worker is done.
    marked: HashSet<K>,
    working: HashSet<K>,
    /// By due time; the number keeps equal times apart.
    delayed: BTreeMap<(Instant, u64), K>,
    due: HashMap<K, (Instant, u64)>,
    failures: HashMap<K, u32>,
    counter: u64,
    closed: bool,
}

impl<K: Clone + Eq + Hash> Queue<K> {
    pub(crate) fn new(backoff: Backoff) -> Self {
        let state = State {
            ready: VecDeque::new(),
            marked: HashSet::new(),
            working: HashSet::new(),
            delayed: BTreeMap::new(),
            due: HashMap::new(),
            failures: HashMap::new(),
            counter: 0,
            closed: false,
        };
        Self { state: Mutex::new(state), changed: Notify::new(), backoff }
    }

    /// Marks a key for work.
    pub(crate) fn add(&self, key: K) {
        let mut state = self.lock();
        if state.marked.insert(key.clone()) && !state.working.contains(&key) {
            state.ready.push_back(key);
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Marks a key for work later; an earlier time that is set already stays.
    pub(crate) fn add_after(&self, key: K, delay: Duration) {
        let mut state = self.lock();
        let at = Instant::now() + delay;
        if let Some(due) = state.due.get(&key).copied() {
            if due.0 <= at {
                return;
            }
            state.delayed.remove(&due);
        }
        state.counter += 1;
        let due = (at, state.counter);
        state.delayed.insert(due, key.clone());
        state.due.insert(key, due);
        drop(state);
        self.changed.notify_one();
    }

    /// Marks a key that failed, after its backoff.
    pub(crate) fn add_failed(&self, key: K, at_least: Option<Duration>) -> Duration {
        let failures = {
            let mut state = self.lock();
            let failures = state.failures.entry(key.clone()).or_default();
            *failures = failures.saturating_add(1);
            *failures
        };
        let delay = self.backoff.after(failures).max(at_least.unwrap_or_default());
        self.add_after(key, delay);
        delay
    }

    /// Forgets the failures of a key.
    pub(crate) fn forget(&self, key: &K) {
        self.lock().failures.remove(key);
    }

    /// Forgets everything planned for a key that does not exist any more.
    pub(crate) fn remove(&self, key: &K) {
        let mut state = self.lock();
        state.failures.remove(key);
        if let Some(due) = state.due.remove(key) {
            state.delayed.remove(&due);
        }
    }

    /// The next key to work on; `None` when the queue is closed. The caller says [`Queue::done`] afterwards.
    pub(crate) async fn next(&self) -> Option<K> {
        loop {
            let changed = self.changed.notified();
            let wait = {
                let mut state = self.lock();
                if state.closed {
                    return None;
                }
                state.promote(Instant::now());
                if let Some(key) = state.ready.pop_front() {
                    state.marked.remove(&key);
                    state.working.insert(key.clone());
                    let more = !state.ready.is_empty();
                    drop(state);
                    if more {
                        // A notification wakes one worker; others may be needed too.
                        self.changed.notify_one();
                    }
                    return Some(key);
                }
                state.delayed.first_key_value().map(|((at, _), _)| *at)
            };
            match wait {
                Some(at) => tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep_until(at) => {}
                },
                None => changed.await,
            }
        }
    }

    /// Says that work on a key has ended.
    pub(crate) fn done(&self, key: &K) {
        let mut state = self.lock();
        state.working.remove(key);
        if state.marked.contains(key) {
            state.ready.push_back(key.clone());
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Keys that wait for a worker, delayed ones not counted.
    pub(crate) fn depth(&self) -> usize {
        self.lock().ready.len()
    }

    /// Whether nobody works and nothing waits, delayed keys not counted.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.lock();
        state.ready.is_empty() && state.working.is_empty()
    }

    /// Lets all workers end.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash> State<K> {
    /// Moves keys whose time has come.
    fn promote(&mut self, now: Instant) {
        while let Some(entry) = self.delayed.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let key = entry.remove();
            self.due.remove(&key);
            if self.marked.insert(key.clone()) && !self.working.contains(&key) {
                self.ready.push_back(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Backoff, Queue};
    use proptest::prelude::*;
    use std::collections::HashSet;
    use std::time::Duration;

    fn queue() -> Queue<u8> {
        Queue::new(Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(8) })
    }

    #[test]
    fn backoff_doubles_and_ends() {
        let backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(8) };
        for (failures, seconds) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 8), (400, 8)] {
            let wait = backoff.after(failures).as_secs_f64();
            assert!(wait >= 0.79 * f64::from(seconds) && wait <= f64::from(seconds), "{failures}: {wait}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn delays_come_due_in_order_and_the_earliest_wins() {
        let queue = queue();
        queue.add_after(1, Duration::from_secs(10));
        queue.add_after(2, Duration::from_secs(5));
        queue.add_after(1, Duration::from_secs(1));
        queue.add_after(1, Duration::from_secs(20));
        assert_eq!(queue.next().await, Some(1));
        assert_eq!(queue.next().await, Some(2));
        queue.done(&1);
        queue.remove(&1);
        queue.close();
        assert_eq!(queue.next().await, None);
    }

    #[tokio::test]
    async fn a_key_that_is_marked_during_work_is_worked_on_again() {
        let queue = queue();
        queue.add(1);
        queue.add(1);
        assert_eq!(queue.next().await, Some(1));
        assert_eq!(queue.depth(), 0);
        queue.add(1);
        assert_eq!(queue.depth(), 0, "not twice at a time");
        queue.done(&1);
        assert_eq!(queue.next().await, Some(1));
        queue.done(&1);
        assert!(queue.is_idle());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Add(u8),
        Take,
        Finish(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![(0_u8..4).prop_map(Step::Add), Just(Step::Take), (0_usize..4).prop_map(Step::Finish)]
    }

    proptest! {
        /// Against a model: never twice at a time, and no mark is lost.
        #[test]
        fn no_key_twice_and_no_mark_lost(steps in proptest::collection::vec(step(), 0..60)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let queue = queue();
                let mut working: Vec<u8> = Vec::new();
                let mut marked: HashSet<u8> = HashSet::new();
                for step in steps {
                    match step {
                        Step::Add(key) => { queue.add(key); marked.insert(key); }
                        Step::Take => {
                            if marked.iter().any(|key| !working.contains(key)) {
                                let key = queue.next().await.unwrap();
                                prop_assert!(!working.contains(&key));
                                prop_assert!(marked.remove(&key));
                                working.push(key);
                            }
                        }
                        Step::Finish(position) => {
                            if position < working.len() { queue.done(&working.remove(position)); }
                        }
                    }
                }
                for key in working.drain(..) { queue.done(&key); }
                while !queue.is_idle() {
                    let key = queue.next().await.unwrap();
                    prop_assert!(marked.remove(&key));
                    queue.done(&key);
                }
                prop_assert!(marked.is_empty());
                Ok(())
            })?;
        }
    }
}
