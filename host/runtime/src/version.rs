//! A version of the component at work: its decisions are recorded where that is asked for, and
//! while it is a canary, the version before it answers where it fails.
//!
//! Decisions have no effect of their own, so that two versions can be asked about the same input.
//! When a new version fails where the old one does not, the old one's answer is used, and nobody
//! notices but the log.

use crate::canary::Canary;
use crate::engine::Guest;
use crate::record::{Decision, Recorder};
use arc_swap::{ArcSwap, ArcSwapOption};
use orascache_contract::{AttendedKind, Context, Description, GuestError, Observed, Outcome, Plan};
use std::sync::Arc;

/// The version that decides now. Another one can take its place between two calls.
pub type ActiveVersion = ArcSwap<Version>;

/// A version of the component at work.
pub struct Version {
    guest: Arc<Guest>,
    recorder: Option<Arc<Recorder>>,
    canary: ArcSwapOption<Canary>,
}

impl Version {
    /// A version that has proved itself, or that there is no other one for.
    pub fn trusted(guest: Arc<Guest>, recorder: Option<Arc<Recorder>>) -> Self {
        Self { guest, recorder, canary: ArcSwapOption::empty() }
    }

    /// A version that has yet to prove itself.
    pub fn canary(guest: Arc<Guest>, recorder: Option<Arc<Recorder>>, canary: Arc<Canary>) -> Self {
        Self { guest, recorder, canary: ArcSwapOption::new(Some(canary)) }
    }

    /// Ends the version's time as a canary.
    pub fn trust(&self) {
        self.canary.store(None);
    }

    /// Its component.
    pub fn guest(&self) -> &Arc<Guest> {
        &self.guest
    }

    /// What it manages.
    pub fn describe(&self) -> &Description {
        self.guest.describe()
    }

    /// What to do about one primary.
    ///
    /// # Errors
    /// As [`Guest::reconcile`].
    pub async fn reconcile(&self, observed: &Observed) -> Result<Plan, GuestError> {
        self.decide(
            async |guest| guest.reconcile(observed).await,
            |output| Decision::Reconcile { observed: observed.clone(), output },
        )
        .await
    }

    /// Which objects of others it decides about.
    pub fn attended(&self) -> &[AttendedKind] {
        self.guest.attended()
    }

    /// What to do about one attended object.
    ///
    /// # Errors
    /// As [`Guest::attend`].
    pub async fn attend(&self, observed: &Observed) -> Result<Plan, GuestError> {
        self.decide(
            async |guest| guest.attend(observed).await,
            |output| Decision::Attend { observed: observed.clone(), output },
        )
        .await
    }

    /// What to answer to an AdmissionReview (admission.k8s.io/v1), JSON text.
    ///
    /// # Errors
    /// As [`Guest::review`].
    pub async fn review(&self, review: &str, context: &Context) -> Result<Outcome, GuestError> {
        self.decide(
            async |guest| guest.review(review, context).await,
            |output| Decision::Review { review: review.into(), context: context.clone(), output },
        )
        .await
    }

    async fn decide<T: Clone, F: Future<Output = Result<T, GuestError>>>(
        &self,
        ask: impl Fn(Arc<Guest>) -> F,
        decision: impl Fn(Result<T, GuestError>) -> Decision,
    ) -> Result<T, GuestError> {
        let record = |by: &Arc<Guest>, output: &Result<T, GuestError>| {
            if let Some(recorder) = &self.recorder {
                recorder.record(by, decision(output.clone()));
            }
        };
        let output = ask(self.guest.clone()).await;
        if let Err(GuestError::Busy(_)) = output {
            // No guest was asked, so that there is nothing to record or to count.
            return output;
        }
        record(&self.guest, &output);
        let Some(canary) = self.canary.load_full() else { return output };
        canary.count_call();
        let Err(error) = &output else { return output };
        let fallback = ask(canary.predecessor().clone()).await;
        if let Err(GuestError::Busy(_)) = fallback {
            return output;
        }
        record(canary.predecessor(), &fallback);
        if fallback.is_err() {
            // Both fail: the input is to blame, not the new version.
            return output;
        }
        canary.count_failure(&self.guest, error);
        fallback
    }
}
