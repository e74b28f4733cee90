//! Bounds how many calls of one sort run, and how many wait for that.

use super::limits::{CallKind, CallLimits};
use orascache_contract::GuestError;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::{Semaphore, SemaphorePermit};

/// The slots for calls of one sort. A call holds a slot until it has ended or was dropped.
pub(super) struct Slots {
    kind: CallKind,
    limits: CallLimits,
    free: Semaphore,
    waiting: AtomicU32,
}

/// How many calls of one sort there are just now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallCounts {
    /// Calls that have an instance.
    pub running: u32,
    /// Calls that wait for one.
    pub waiting: u32,
}

impl Slots {
    pub(super) fn new(kind: CallKind, limits: CallLimits) -> Self {
        let free = Semaphore::new(usize::try_from(limits.running).unwrap_or(Semaphore::MAX_PERMITS));
        Self { kind, limits, free, waiting: AtomicU32::new(0) }
    }

    pub(super) fn counts(&self) -> CallCounts {
        let free = u32::try_from(self.free.available_permits()).unwrap_or(u32::MAX);
        CallCounts {
            running: self.limits.running.saturating_sub(free),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
    }

    /// Waits for a slot, first come, first served.
    pub(super) async fn enter(&self) -> Result<SemaphorePermit<'_>, GuestError> {
        if let Ok(slot) = self.free.try_acquire() {
            return Ok(slot);
        }
        let _waiting = Waiting::begin(&self.waiting, self.limits.waiting).ok_or_else(|| self.busy())?;
        // Nobody closes the semaphore.
        self.free.acquire().await.map_err(|_| self.busy())
    }

    fn busy(&self) -> GuestError {
        let sort = match self.kind {
            CallKind::Review => "reviews",
            CallKind::Reconcile => "reconciles",
        };
        let CallLimits { running, waiting, .. } = self.limits;
        GuestError::Busy(format!(
            "{running} {sort} run and {waiting} wait, which is as many as may: ask again later"
        ))
    }
}

/// Counts a waiting call until it is dropped.
struct Waiting<'s>(&'s AtomicU32);

impl<'s> Waiting<'s> {
    fn begin(waiting: &'s AtomicU32, at_most: u32) -> Option<Self> {
        let one_more = |count: u32| (count < at_most).then_some(count + 1);
        waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok().map(|_| Self(waiting))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
