//! One call of a guest: its input and its output.

use crate::engine::Guest;
use orascache_contract::{Context, GuestError, Observed, Outcome, Plan};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One call of a guest.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Decision {
    /// What to do about a primary.
    Reconcile {
        /// The input.
        observed: Observed,
        /// The output.
        #[serde(with = "output")]
        output: Result<Plan, GuestError>,
    },
    /// What to do about an attended object.
    Attend {
        /// The input. The object is in the place of the primary.
        observed: Observed,
        /// The output.
        #[serde(with = "output")]
        output: Result<Plan, GuestError>,
    },
    /// What to answer to an AdmissionReview.
    Review {
        /// The review, JSON text.
        review: Arc<str>,
        /// What it may depend on beside the request.
        context: Context,
        /// The output.
        #[serde(with = "output")]
        output: Result<Outcome, GuestError>,
    },
}

impl Decision {
    /// What this guest decides about the same input. Blocks the thread.
    pub fn again(&self, guest: &Guest) -> Self {
        match self {
            Self::Reconcile { observed, .. } => {
                let output = guest.blocking().reconcile(observed);
                Self::Reconcile { observed: observed.clone(), output }
            }
            Self::Attend { observed, .. } => {
                let output = guest.blocking().attend(observed);
                Self::Attend { observed: observed.clone(), output }
            }
            Self::Review { review, context, .. } => Self::Review {
                review: review.clone(),
                context: context.clone(),
                output: guest.blocking().review(review, context),
            },
        }
    }

    /// Why nothing was decided, if so.
    pub fn error(&self) -> Option<&GuestError> {
        match self {
            Self::Reconcile { output, .. } | Self::Attend { output, .. } => output.as_ref().err(),
            Self::Review { output, .. } => output.as_ref().err(),
        }
    }

    /// Whether both have the same output, byte for byte. Two calls that were stopped count as the
    /// same: nothing was decided, and the sentence is about limits of the host.
    pub fn decides_like(&self, other: &Self) -> bool {
        if let (Some(GuestError::Stopped(_)), Some(GuestError::Stopped(_))) = (self.error(), other.error()) {
            return true;
        }
        match (self, other) {
            (Self::Reconcile { output, .. }, Self::Reconcile { output: others, .. })
            | (Self::Attend { output, .. }, Self::Attend { output: others, .. }) => output == others,
            (Self::Review { output, .. }, Self::Review { output: others, .. }) => output == others,
            _ => false,
        }
    }

    /// About how many bytes of memory it keeps.
    pub(super) fn size(&self) -> usize {
        /// Estimate for everything but the texts of objects: a few hundred bytes at most.
        const OTHER_BYTES: usize = 512;
        let texts = |texts: &[Arc<str>]| texts.iter().map(|text| text.len()).sum::<usize>();
        OTHER_BYTES
            + match self {
                Self::Reconcile { observed, output } | Self::Attend { observed, output } => {
                    let planned = output.as_ref().map_or(0, |plan| {
                        let secrets = plan.generate.iter().map(|generated| generated.secret.len());
                        let rotated = plan.rotate.iter().map(|rotation| rotation.secret.len());
                        let applied = plan.apply.iter().map(String::len);
                        let patches = plan.patch.iter().map(|patch| patch.patch.len());
                        let status = plan.status.iter().map(String::len);
                        secrets.chain(rotated).chain(applied).chain(patches).chain(status).sum()
                    });
                    observed.primary.len()
                        + texts(&observed.owned)
                        + texts(&observed.related)
                        + observed.settings.len()
                        + planned
                }
                Self::Review { review, context, output } => {
                    let patch = match output {
                        Ok(Outcome::Decided(response)) => response.patch().map_or(0, str::len),
                        _ => 0,
                    };
                    review.len() + texts(&context.objects) + context.settings.len() + patch
                }
            }
    }
}

/// An output as `{"decided": ...}` or `{"failed": ...}`.
mod output {
    use orascache_contract::GuestError;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    enum Output<T, E> {
        Decided(T),
        Failed(E),
    }

    pub(super) fn serialize<T: Serialize, S: Serializer>(
        output: &Result<T, GuestError>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match output {
            Ok(decided) => Output::Decided(decided),
            Err(error) => Output::Failed(error),
        }
        .serialize(serializer)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Result<T, GuestError>, D::Error> {
        Ok(match Output::deserialize(deserializer)? {
            Output::Decided(decided) => Ok(decided),
            Output::Failed(error) => Err(error),
        })
    }
}
