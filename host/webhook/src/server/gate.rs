//! Who is let in: a bounded number of requests, reviews and bytes.

use super::limits::Limits;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes are counted in these, because a semaphore takes at most `u32::MAX` at once.
const UNIT: usize = 1024;

/// Lets requests in.
pub(super) struct Gate {
    places: Arc<Semaphore>,
    running: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

impl Gate {
    pub(super) fn new(limits: &Limits) -> Self {
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits.clamp(1, Semaphore::MAX_PERMITS)));
        Self {
            places: semaphore(limits.running.saturating_add(limits.queued)),
            running: semaphore(limits.running),
            bytes: semaphore(limits.all_bodies_bytes / UNIT),
        }
    }

    /// A place among those that run or wait, if one is free now.
    pub(super) fn enter(&self) -> Option<Place> {
        let permit = self.places.clone().try_acquire_owned().ok()?;
        Some(Place { _permit: permit, running: None })
    }

    /// Waits for the turn of one who has a place. The first who came is the first to run.
    pub(super) async fn wait(&self, place: &mut Place) {
        // It is never closed, so there is no error.
        place.running = self.running.clone().acquire_owned().await.ok();
    }

    /// Room for a body that is about to come.
    pub(super) fn room(&self) -> Room {
        Room { all: self.bytes.clone(), held: None }
    }
}

/// A place among those that run or wait, until dropped.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    running: Option<OwnedSemaphorePermit>,
}

/// Room that a body takes up, until dropped.
pub(super) struct Room {
    all: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// Makes it large enough for `bytes` in total. It never waits: bodies that hold some room and wait for more
    /// could wait for each other. `false` if there is none.
    #[must_use]
    pub(super) fn grow_to(&mut self, bytes: usize) -> bool {
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let Some(missing) = bytes.div_ceil(UNIT).checked_sub(held).filter(|missing| *missing > 0) else {
            return true;
        };
        let Ok(missing) = u32::try_from(missing) else { return false };
        let Ok(more) = self.all.clone().try_acquire_many_owned(missing) else { return false };
        match &mut self.held {
            Some(held) => held.merge(more),
            none => *none = Some(more),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn gate() -> Gate {
        Gate::new(&Limits { running: 1, queued: 1, all_bodies_bytes: 10 * UNIT, ..Limits::default() })
    }

    #[test]
    fn no_more_than_run_and_wait_are_let_in() {
        let gate = gate();
        let mut first = gate.enter().unwrap();
        let mut second = gate.enter().unwrap();
        assert!(gate.enter().is_none());
        gate.wait(&mut first).now_or_never().unwrap();
        assert!(gate.wait(&mut second).now_or_never().is_none());
        drop(first);
        gate.wait(&mut second).now_or_never().unwrap();
        assert!(gate.enter().is_some());
    }

    #[test]
    fn bytes_of_all_bodies_are_bounded() {
        let gate = gate();
        let (mut one, mut other) = (gate.room(), gate.room());
        assert!(one.grow_to(1));
        assert!(one.grow_to(6 * UNIT));
        assert!(one.grow_to(5 * UNIT), "it does not shrink");
        assert!(!other.grow_to(4 * UNIT + 1));
        assert!(other.grow_to(4 * UNIT));
        drop(one);
        assert!(other.grow_to(10 * UNIT));
        assert!(!other.grow_to(10 * UNIT + 1));
    }
}
