//! How long certificates are valid.

use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long certificates are valid. Each is renewed after two thirds of that time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationPolicy {
    /// Validity of a CA, ten years by default. At least three times that of a serving certificate.
    pub authority: Duration,
    /// Validity of a serving certificate, 90 days by default.
    pub leaf: Duration,
    /// How long a CA has to be in the webhook configurations before it signs, a minute by default:
    /// API servers learn of changes by a watch.
    pub settle: Duration,
}

impl Default for RotationPolicy {
    fn default() -> Self {
        Self { authority: 3650 * DAY, leaf: 90 * DAY, settle: Duration::from_secs(60) }
    }
}
