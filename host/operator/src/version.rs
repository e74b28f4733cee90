//! A version of the component at work: its decisions are recorded where that is asked for, and while it is new, an
//! older version stands behind it.
//!
//! Decisions have no effect of their own, so that two versions can be asked about the same input. When a new version
//! fails where the old one does not, the old one's answer counts, and nobody notices but the log.

use crate::engine::{Guest, Outcome, ReviewContext};
use crate::record::{Decision, Recorder};
use arc_swap::{ArcSwap, ArcSwapOption};
use orascache_controller::contract::{DecideError, Description, Observed, Plan, Reconciler};
use prometheus_client::metrics::counter::Counter;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Where reviews find the version that decides. A switch takes effect between two calls.
pub type Current = ArcSwap<Version>;

/// How long a new version is on probation, and what it is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// It lasts at least that long,
    pub period: Duration,
    /// and for at least so many calls.
    pub calls: u64,
    /// With so many failures where the old version does not fail, the old one takes over again.
    pub faults: u64,
}

impl Default for Terms {
    fn default() -> Self {
        Self { period: Duration::from_secs(60), calls: 100, faults: 3 }
    }
}

/// A version of the component at work.
pub struct Version {
    guest: Arc<Guest>,
    recorder: Option<Arc<Recorder>>,
    probation: ArcSwapOption<Probation>,
}

/// What is known of a version since it took over.
pub struct Probation {
    predecessor: Arc<Guest>,
    terms: Terms,
    began: Instant,
    calls: AtomicU64,
    faults: AtomicU64,
    /// Faults of all versions, as a metric.
    counted: Counter,
    failed: Notify,
}

impl Probation {
    /// Begins now. The predecessor decides where the new version fails.
    pub fn new(predecessor: Arc<Guest>, terms: Terms, counted: Counter) -> Arc<Self> {
        Arc::new(Self {
            predecessor,
            terms,
            began: Instant::now(),
            calls: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            counted,
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
        self.faults() >= self.terms.faults
    }

    /// How often the new version failed where the old one did not.
    pub fn faults(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }

    /// Whether the new version is to be trusted by now.
    pub fn is_passed(&self) -> bool {
        !self.has_failed()
            && self.began.elapsed() >= self.terms.period
            && self.calls.load(Ordering::Relaxed) >= self.terms.calls
    }

    fn count_fault(&self, new: &Guest, error: &DecideError) {
        let faults = self.faults.fetch_add(1, Ordering::Relaxed) + 1;
        self.counted.inc();
        tracing::error!(
            component = new.interface().digest, %error, faults, at_most = self.terms.faults,
            "the new version of the component fails where the one before it does not; that one's decision counts"
        );
        if faults >= self.terms.faults {
            self.failed.notify_one();
        }
    }
}

impl Version {
    /// A version that is trusted.
    pub fn trusted(guest: Arc<Guest>, recorder: Option<Arc<Recorder>>) -> Self {
        Self { guest, recorder, probation: ArcSwapOption::empty() }
    }

    /// A version that has yet to show what it is worth.
    pub fn on_probation(
        guest: Arc<Guest>,
        recorder: Option<Arc<Recorder>>,
        probation: Arc<Probation>,
    ) -> Self {
        Self { guest, recorder, probation: ArcSwapOption::new(Some(probation)) }
    }

    /// Ends its probation.
    pub fn trust(&self) {
        self.probation.store(None);
    }

    /// Its component.
    pub fn guest(&self) -> &Arc<Guest> {
        &self.guest
    }

    /// Asks the component about an AdmissionReview, JSON text.
    ///
    /// # Errors
    /// As [`Guest::review`].
    pub fn review(&self, review: &str, context: &ReviewContext) -> Result<Outcome, DecideError> {
        self.decide(
            |guest| guest.review(review, context),
            |output| Decision::Review { review: review.into(), context: context.clone(), output },
        )
    }

    fn decide<T: Clone>(
        &self,
        ask: impl Fn(&Guest) -> Result<T, DecideError>,
        decision: impl Fn(Result<T, DecideError>) -> Decision,
    ) -> Result<T, DecideError> {
        let record = |by: &Arc<Guest>, output: &Result<T, DecideError>| {
            if let Some(recorder) = &self.recorder {
                recorder.record(by, decision(output.clone()));
            }
        };
        let output = ask(&self.guest);
        record(&self.guest, &output);
        let probation = self.probation.load();
        let Some(probation) = probation.as_deref() else { return output };
        probation.calls.fetch_add(1, Ordering::Relaxed);
        let Err(error) = &output else { return output };
        let fallback = ask(&probation.predecessor);
        record(&probation.predecessor, &fallback);
        if fallback.is_err() {
            // The input is to blame, or both are.
            return output;
        }
        probation.count_fault(&self.guest, error);
        fallback
    }
}

impl Reconciler for Version {
    fn describe(&self) -> Description {
        self.guest.describe()
    }

    fn reconcile(&self, observed: &Observed) -> Result<Plan, DecideError> {
        self.decide(
            |guest| guest.reconcile(observed),
            |output| Decision::Reconcile { observed: observed.clone(), output },
        )
    }
}
