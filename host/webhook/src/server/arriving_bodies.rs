//! Bounds the bodies that are arriving: their number, and the memory of all bodies.
//!
//! A body of an honest client arrives within milliseconds. When a bound is reached, the body that
//! has been arriving for the longest time is therefore given up, and not the newest one: clients
//! that send bodies slowly or never take nothing away from others.

use super::limits::ServerLimits;
use futures::task::AtomicWaker;
use prometheus_client::metrics::counter::Counter;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of one permit of the semaphore: it takes at most `u32::MAX` permits at once.
const UNIT: usize = 1024;

/// All bodies that are arriving.
pub(super) struct ArrivingBodies {
    most: usize,
    memory: Arc<Semaphore>,
    by_age: Mutex<ByAge>,
    evicted: Counter,
}

/// Arriving bodies under ascending numbers, so that the first is the oldest.
#[derive(Default)]
struct ByAge {
    next: u64,
    bodies: BTreeMap<u64, Arc<Entry>>,
}

#[derive(Default)]
struct Entry {
    memory: Mutex<Option<OwnedSemaphorePermit>>,
    evicted: AtomicBool,
    /// The task that reads the body.
    reader: AtomicWaker,
}

impl Entry {
    /// Takes the memory away, and tells the task that reads the body.
    fn evict(&self) {
        drop(lock(&self.memory).take());
        self.evicted.store(true, Ordering::Release);
        self.reader.wake();
    }
}

impl ArrivingBodies {
    /// `evicted` counts bodies that are given up.
    pub(super) fn new(limits: &ServerLimits, evicted: Counter) -> Self {
        let units = (limits.all_bodies_bytes / UNIT).clamp(1, Semaphore::MAX_PERMITS);
        Self {
            most: limits.arriving_bodies.max(1),
            memory: Arc::new(Semaphore::new(units)),
            by_age: Mutex::default(),
            evicted,
        }
    }

    /// Begins a body. If as many as allowed are arriving, the oldest is evicted.
    pub(super) fn begin(self: &Arc<Self>) -> ArrivingBody {
        let entry = Arc::new(Entry::default());
        let mut by_age = lock(&self.by_age);
        if by_age.bodies.len() >= self.most
            && let Some((_, oldest)) = by_age.bodies.pop_first()
        {
            oldest.evict();
            self.evicted.inc();
        }
        let number = by_age.next;
        by_age.next += 1;
        by_age.bodies.insert(number, entry.clone());
        ArrivingBody { all: self.clone(), number, entry }
    }

    /// Evicts the oldest body that holds memory and is older than `number`. False if there is none.
    fn evict_older_than(&self, number: u64) -> bool {
        let mut by_age = lock(&self.by_age);
        let mut older = by_age.bodies.range(..number);
        let Some(oldest) = older.find(|(_, entry)| lock(&entry.memory).is_some()).map(|(number, _)| *number)
        else {
            return false;
        };
        if let Some(entry) = by_age.bodies.remove(&oldest) {
            entry.evict();
            self.evicted.inc();
        }
        true
    }
}

/// One body that is arriving. When this is dropped, its memory is free again.
pub(super) struct ArrivingBody {
    all: Arc<ArrivingBodies>,
    number: u64,
    entry: Arc<Entry>,
}

impl ArrivingBody {
    /// Reserves memory for `bytes` in total. If there is not enough, older bodies are evicted;
    /// false if that does not help either. This never waits: two bodies that hold some memory and
    /// wait for more would wait for each other.
    #[must_use]
    pub(super) fn grow_to(&self, bytes: usize) -> bool {
        loop {
            {
                let mut memory = lock(&self.entry.memory);
                let reserved = memory.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
                let missing = bytes.div_ceil(UNIT).saturating_sub(reserved);
                if missing == 0 {
                    return true;
                }
                let Ok(missing) = u32::try_from(missing) else { return false };
                if let Ok(more) = self.all.memory.clone().try_acquire_many_owned(missing) {
                    match memory.as_mut() {
                        Some(memory) => memory.merge(more),
                        None => *memory = Some(more),
                    }
                    return true;
                }
            }
            if !self.all.evict_older_than(self.number) {
                return false;
            }
        }
    }

    /// Returns when a newer body has taken the place or the memory of this one. Only one task may
    /// wait for that.
    pub(super) async fn evicted(&self) {
        poll_fn(|cx| {
            // An eviction that the second line does not see wakes the task.
            self.entry.reader.register(cx.waker());
            if self.entry.evicted.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// The body is complete: it cannot be evicted any more, and keeps its memory. None if it was
    /// evicted before.
    pub(super) fn complete(self) -> Option<MemoryPermit> {
        lock(&self.all.by_age).bodies.remove(&self.number)?;
        Some(MemoryPermit { _permit: lock(&self.entry.memory).take() })
    }
}

impl Drop for ArrivingBody {
    fn drop(&mut self) {
        lock(&self.all.by_age).bodies.remove(&self.number);
    }
}

/// Memory of a complete body. It is free again when this is dropped.
pub(super) struct MemoryPermit {
    _permit: Option<OwnedSemaphorePermit>,
}

/// Locks. No code panics while it holds one of these locks, so that poisoning means nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn bodies(arriving_bodies: usize, units: usize) -> Arc<ArrivingBodies> {
        let limits =
            ServerLimits { arriving_bodies, all_bodies_bytes: units * UNIT, ..ServerLimits::default() };
        Arc::new(ArrivingBodies::new(&limits, Counter::default()))
    }

    fn is_evicted(body: &ArrivingBody) -> bool {
        body.evicted().now_or_never().is_some()
    }

    #[test]
    fn the_oldest_body_makes_room_for_a_further_one() {
        let bodies = bodies(2, 10);
        let (first, second) = (bodies.begin(), bodies.begin());
        let third = bodies.begin();
        assert!(is_evicted(&first) && !is_evicted(&second) && !is_evicted(&third));
        assert!(first.complete().is_none());
        assert!(second.complete().is_some(), "a complete body leaves its place");
        let fourth = bodies.begin();
        assert!(!is_evicted(&third) && !is_evicted(&fourth));
        drop(third);
        let _fifth = bodies.begin();
        assert!(!is_evicted(&fourth), "a dropped body leaves its place");
        assert_eq!(bodies.evicted.get(), 1);
    }

    #[test]
    fn memory_of_all_bodies_is_bounded() {
        let bodies = bodies(9, 10);
        let only = bodies.begin();
        assert!(only.grow_to(1));
        assert!(only.grow_to(10 * UNIT));
        assert!(only.grow_to(5 * UNIT), "a smaller total is covered");
        assert!(!only.grow_to(10 * UNIT + 1));
        drop(only);
        assert!(bodies.begin().grow_to(10 * UNIT));
    }

    #[test]
    fn older_bodies_give_their_memory_to_newer_ones() {
        let bodies = bodies(9, 10);
        let (empty, old, older_than_new) = (bodies.begin(), bodies.begin(), bodies.begin());
        assert!(old.grow_to(6 * UNIT) && older_than_new.grow_to(4 * UNIT));
        let new = bodies.begin();
        assert!(new.grow_to(5 * UNIT));
        assert!(is_evicted(&old), "the oldest with memory");
        assert!(!is_evicted(&empty), "a body without memory has none to give");
        assert!(!is_evicted(&older_than_new), "enough is enough");
        assert!(!older_than_new.grow_to(6 * UNIT), "newer bodies give nothing to older ones");
        assert!(!is_evicted(&new));
    }

    #[test]
    fn complete_bodies_keep_their_memory() {
        let bodies = bodies(9, 10);
        let body = bodies.begin();
        assert!(body.grow_to(8 * UNIT));
        let permit = body.complete().unwrap();
        let new = bodies.begin();
        assert!(!new.grow_to(3 * UNIT));
        drop(permit);
        assert!(new.grow_to(3 * UNIT));
    }
}
