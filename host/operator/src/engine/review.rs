//! Reviews through the component: what goes in beside the request, and what comes out.

use super::bindings::exports::orascache::operator::admission as wit;
use super::{Guest, convert};
use orascache_controller::contract::{DecideError, ObjectRef};
use orascache_webhook::Verdict;
use std::sync::Arc;

/// What a review may depend on beside the request itself.
#[derive(Clone, Debug, Default)]
pub struct ReviewContext {
    /// Primaries of the request's namespace, JSON text.
    pub objects: Vec<Arc<str>>,
    /// Whether what was asked for with [`Outcome::Need`] has been read from the API itself.
    pub complete: bool,
    /// The administrator's settings, JSON text; empty for the component's defaults.
    pub settings: Arc<str>,
    /// Seconds since the Unix epoch.
    pub now: u64,
}

/// What a review leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The answer.
    Decided(Verdict),
    /// These are not in the context: read them from the API and ask again.
    Need(Vec<ObjectRef>),
}

impl Guest {
    /// Asks the component about an AdmissionReview, JSON text.
    ///
    /// # Errors
    /// When the text is no review, or the component was stopped.
    pub fn review(&self, review: &str, context: &ReviewContext) -> Result<Outcome, DecideError> {
        let objects: Vec<&str> = context.objects.iter().map(AsRef::as_ref).collect();
        let context = wit::Context {
            objects: &objects,
            complete: context.complete,
            settings: &context.settings,
            now: context.now,
        };
        self.instances()
            .call(|store, operator| {
                operator.orascache_operator_admission().call_review(store, review, context)
            })?
            .map(convert::outcome)
            .map_err(convert::error)
    }

    /// Asks the component whether it takes these settings, JSON text.
    ///
    /// # Errors
    /// When it does not, with everything that is wrong in them, or the component was stopped.
    pub fn check_settings(&self, settings: &str) -> Result<(), DecideError> {
        self.instances()
            .call(|store, operator| {
                operator.orascache_operator_admission().call_check_settings(store, settings)
            })?
            .map_err(convert::error)
    }
}
