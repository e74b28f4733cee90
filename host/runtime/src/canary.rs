//! A new version of the component that has yet to prove itself: what is counted about it, and when
//! it has passed or failed.

use crate::engine::Guest;
use orascache_contract::GuestError;
use prometheus_client::metrics::counter::Counter;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How long a new version is a canary, and how often it may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CanaryPolicy {
    /// Shortest time for which a new version is a canary.
    pub period: Duration,
    /// Smallest number of calls for which a new version is a canary. Both bounds must be reached.
    pub calls: u64,
    /// Number of failures after which the version before the canary decides again. A failure counts
    /// only where the version before does not fail.
    pub failures: u64,
}

impl Default for CanaryPolicy {
    fn default() -> Self {
        Self { period: Duration::from_secs(60), calls: 100, failures: 3 }
    }
}

/// Calls and failures of a new version since it took over.
pub struct Canary {
    predecessor: Arc<Guest>,
    policy: CanaryPolicy,
    began: Instant,
    calls: AtomicU64,
    failures: AtomicU64,
    /// Failures of all canaries, as a metric.
    counter: Counter,
    failed: Notify,
}

impl Canary {
    /// Begins now. The predecessor answers where the new version fails.
    pub fn new(predecessor: Arc<Guest>, policy: CanaryPolicy, counter: Counter) -> Arc<Self> {
        Arc::new(Self {
            predecessor,
            policy,
            began: Instant::now(),
            calls: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            counter,
            failed: Notify::new(),
        })
    }

    /// Ends when the new version has failed too often.
    pub async fn failed(&self) {
        while !self.has_failed() {
            self.failed.notified().await;
        }
    }

    /// Whether the new version has failed too often.
    pub fn has_failed(&self) -> bool {
        self.failures() >= self.policy.failures
    }

    /// How often the new version failed where its predecessor did not.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Whether the new version has proved itself.
    pub fn has_passed(&self) -> bool {
        !self.has_failed()
            && self.began.elapsed() >= self.policy.period
            && self.calls.load(Ordering::Relaxed) >= self.policy.calls
    }

    pub(crate) fn predecessor(&self) -> &Arc<Guest> {
        &self.predecessor
    }

    pub(crate) fn count_call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_failure(&self, new: &Guest, error: &GuestError) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        self.counter.inc();
        tracing::error!(
            component = new.interface().digest, %error, failures, at_most = self.policy.failures,
            "the new version of the component fails where the one before it does not: that one's answer is used"
        );
        if failures >= self.policy.failures {
            self.failed.notify_one();
        }
    }
}
