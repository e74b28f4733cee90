//! Bounds the number of reviews: those that run, and those that wait for their turn.

use super::limits::ServerLimits;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Hands out slots.
pub(super) struct LoadShedder {
    slots: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl LoadShedder {
    pub(super) fn new(limits: &ServerLimits) -> Self {
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits.clamp(1, Semaphore::MAX_PERMITS)));
        Self {
            slots: semaphore(limits.running.saturating_add(limits.queued)),
            running: semaphore(limits.running),
        }
    }

    /// Takes a slot, if one is free now.
    pub(super) fn take_slot(&self) -> Option<Slot> {
        let permit = self.slots.clone().try_acquire_owned().ok()?;
        Some(Slot { _permit: permit, running: None })
    }

    /// Waits until the review of a slot may run. Slots run in the order in which they wait.
    pub(super) async fn wait_for_turn(&self, slot: &mut Slot) {
        // Acquiring fails only on a closed semaphore, and this one is never closed.
        slot.running = self.running.clone().acquire_owned().await.ok();
    }
}

/// One review that waits or runs. The slot is free again when this is dropped.
pub(super) struct Slot {
    _permit: OwnedSemaphorePermit,
    running: Option<OwnedSemaphorePermit>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn slots_are_bounded_and_run_in_order() {
        let shedder = LoadShedder::new(&ServerLimits { running: 1, queued: 1, ..ServerLimits::default() });
        let mut first = shedder.take_slot().unwrap();
        let mut second = shedder.take_slot().unwrap();
        assert!(shedder.take_slot().is_none());
        shedder.wait_for_turn(&mut first).now_or_never().unwrap();
        assert!(shedder.wait_for_turn(&mut second).now_or_never().is_none());
        drop(first);
        shedder.wait_for_turn(&mut second).now_or_never().unwrap();
        assert!(shedder.take_slot().is_some());
    }
}
