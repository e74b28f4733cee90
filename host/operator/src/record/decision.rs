//! One call of the component: what went in and what came out.

use crate::engine::{Guest, Outcome, ReviewContext};
use orascache_controller::contract::{DecideError, Observed, Plan, Reconciler};
use std::sync::Arc;

/// One call of the component.
#[derive(Clone, Debug)]
pub enum Decision {
    /// What to do about a primary.
    Reconcile {
        /// What was observed.
        observed: Observed,
        /// What was decided.
        output: Result<Plan, DecideError>,
    },
    /// What to answer to an AdmissionReview.
    Review {
        /// The review, JSON text.
        review: Arc<str>,
        /// What it may depend on beside the request.
        context: ReviewContext,
        /// What was decided.
        output: Result<Outcome, DecideError>,
    },
}

impl Decision {
    /// What this guest decides about the same input.
    pub fn again(&self, guest: &Guest) -> Self {
        match self {
            Self::Reconcile { observed, .. } => {
                Self::Reconcile { observed: observed.clone(), output: guest.reconcile(observed) }
            }
            Self::Review { review, context, .. } => Self::Review {
                review: review.clone(),
                context: context.clone(),
                output: guest.review(review, context),
            },
        }
    }

    /// Why nothing was decided, if so.
    pub fn error(&self) -> Option<&DecideError> {
        match self {
            Self::Reconcile { output, .. } => output.as_ref().err(),
            Self::Review { output, .. } => output.as_ref().err(),
        }
    }

    /// Whether both have the same output, byte for byte. Two that were stopped count as the same: the sentence names
    /// limits of the host, and nothing was decided.
    pub fn decides_like(&self, other: &Self) -> bool {
        if let (Some(DecideError::Stopped(_)), Some(DecideError::Stopped(_))) = (self.error(), other.error())
        {
            return true;
        }
        match (self, other) {
            (Self::Reconcile { output, .. }, Self::Reconcile { output: others, .. }) => output == others,
            (Self::Review { output, .. }, Self::Review { output: others, .. }) => output == others,
            _ => false,
        }
    }

    /// About how many bytes it keeps in memory.
    pub(super) fn size(&self) -> usize {
        let texts = |texts: &[Arc<str>]| texts.iter().map(|text| text.len()).sum::<usize>();
        /// What is not text: a few hundred bytes at most.
        const REST: usize = 512;
        REST + match self {
            Self::Reconcile { observed, output } => {
                let planned = output.as_ref().map_or(0, |plan| {
                    let secrets = plan.generate.iter().map(|generated| generated.secret.len());
                    let applied = plan.apply.iter().map(String::len);
                    secrets.chain(applied).chain(plan.status.iter().map(String::len)).sum()
                });
                observed.primary.len() + texts(&observed.owned) + texts(&observed.related) + planned
            }
            Self::Review { review, context, output } => {
                let patch = match output {
                    Ok(Outcome::Decided(verdict)) => verdict.patch.as_ref().map_or(0, String::len),
                    _ => 0,
                };
                review.len() + texts(&context.objects) + context.settings.len() + patch
            }
        }
    }
}
