//! A work queue of keys.
//!
//! A key is queued at most once and is given to one worker at a time. A key that is added while a
//! worker has it is queued again when the worker is done. Failures back off exponentially.

use crate::activity::Activity;
use crate::backoff::Backoff;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

pub(crate) struct Queue<K> {
    state: Mutex<State<K>>,
    /// Wakes workers.
    changed: Notify,
    /// Is notified whenever a worker is done.
    activity: Activity,
    backoff: Backoff,
}

struct State<K> {
    ready: VecDeque<K>,
    /// Keys in `ready`, and keys to be put there when their worker is done.
    queued: HashSet<K>,
    working: HashSet<K>,
    /// By due time; the number keeps equal times apart.
    delayed: BTreeMap<(Instant, u64), K>,
    due: HashMap<K, (Instant, u64)>,
    failures: HashMap<K, u32>,
    counter: u64,
    /// How often a worker got a key.
    taken: u64,
    closed: bool,
}

impl<K: Clone + Eq + Hash> Queue<K> {
    pub(crate) fn new(backoff: Backoff, activity: Activity) -> Self {
        let state = State {
            ready: VecDeque::new(),
            queued: HashSet::new(),
            working: HashSet::new(),
            delayed: BTreeMap::new(),
            due: HashMap::new(),
            failures: HashMap::new(),
            counter: 0,
            taken: 0,
            closed: false,
        };
        Self { state: Mutex::new(state), changed: Notify::new(), activity, backoff }
    }

    /// Queues a key. A closed queue takes none.
    pub(crate) fn add(&self, key: K) {
        let mut state = self.lock();
        if !state.closed && state.queued.insert(key.clone()) && !state.working.contains(&key) {
            state.ready.push_back(key);
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Queues a key later. An earlier time that is set already stays.
    pub(crate) fn add_after(&self, key: K, delay: Duration) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
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

    /// Queues a key that failed after its backoff, and returns that. `at_least` is the shortest
    /// wait.
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

    /// Forgets the failures and delays of a key whose object does not exist any more.
    pub(crate) fn remove(&self, key: &K) {
        let mut state = self.lock();
        state.failures.remove(key);
        if let Some(due) = state.due.remove(key) {
            state.delayed.remove(&due);
        }
    }

    /// The next key to work on; `None` when the queue is closed. The worker calls [`Queue::done`]
    /// afterwards.
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
                    state.queued.remove(&key);
                    state.working.insert(key.clone());
                    state.taken += 1;
                    let more = !state.ready.is_empty();
                    drop(state);
                    if more {
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

    /// A worker is done with a key.
    pub(crate) fn done(&self, key: &K) {
        let mut state = self.lock();
        state.working.remove(key);
        if state.queued.contains(key) {
            state.ready.push_back(key.clone());
            drop(state);
            self.changed.notify_one();
        } else {
            drop(state);
            self.activity.notify();
        }
    }

    /// How many keys wait for a worker; delayed ones do not count.
    pub(crate) fn depth(&self) -> usize {
        self.lock().ready.len()
    }

    /// Whether no worker has a key and none waits for one; delayed ones do not count.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.lock();
        state.ready.is_empty() && state.working.is_empty()
    }

    /// How often a worker got a key so far.
    pub(crate) fn taken(&self) -> u64 {
        self.lock().taken
    }

    /// Returns when the queue is idle.
    pub(crate) async fn idle(&self) {
        let mut ends = self.activity.subscribe();
        while !self.is_idle() {
            // The queue keeps the sender, so that waiting cannot fail.
            let _ = ends.changed().await;
        }
    }

    /// Ends all waiting: keys that no worker has are dropped, and workers get no more.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.ready.clear();
        state.queued.clear();
        state.delayed.clear();
        state.due.clear();
        drop(state);
        self.changed.notify_waiters();
        self.changed.notify_one();
        self.activity.notify();
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash> State<K> {
    /// Makes delayed keys ready that are due.
    fn promote(&mut self, now: Instant) {
        while let Some(entry) = self.delayed.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let key = entry.remove();
            self.due.remove(&key);
            if self.queued.insert(key.clone()) && !self.working.contains(&key) {
                self.ready.push_back(key);
            }
        }
    }
}

#[cfg(test)]
mod tests;
