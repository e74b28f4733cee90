//! Tells when something ended, so that waiting for quiescence needs no polling.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;

/// Counts work outside of the queue (watch events, questions) and notifies at every end of work.
#[derive(Clone, Default)]
pub(crate) struct Activity(Arc<Inner>);

struct Inner {
    running: AtomicUsize,
    ends: watch::Sender<()>,
}

impl Default for Inner {
    fn default() -> Self {
        Self { running: AtomicUsize::new(0), ends: watch::Sender::new(()) }
    }
}

/// A piece of work; it ends when this is dropped.
pub(crate) struct Work(Activity);

impl Activity {
    /// Begins a piece of work.
    pub(crate) fn begin(&self) -> Work {
        self.0.running.fetch_add(1, Ordering::AcqRel);
        Work(self.clone())
    }

    /// Whether any piece of work goes on.
    pub(crate) fn is_running(&self) -> bool {
        self.0.running.load(Ordering::Acquire) > 0
    }

    /// Waits until no piece of work goes on.
    pub(crate) async fn idle(&self) {
        let mut ends = self.subscribe();
        // An error cannot come: `self` has the sender.
        while self.is_running() && ends.changed().await.is_ok() {}
    }

    /// Wakes those that wait for silence: there is less to do than before.
    pub(crate) fn notify(&self) {
        self.0.ends.send_replace(());
    }

    /// Changes at every end of work from now on.
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.0.ends.subscribe()
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.0.running.fetch_sub(1, Ordering::AcqRel);
        self.0.notify();
    }
}
