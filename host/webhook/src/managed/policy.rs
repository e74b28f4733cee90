//! How long certificates live.

use std::time::Duration;
use time::OffsetDateTime;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Certificates begin to be valid this long before they are made, for clients whose clocks are behind.
const BACKDATED: Duration = Duration::from_secs(60 * 60);

/// How long certificates live. Each is renewed when two thirds of its life are over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Life of a CA: ten years by default. At least three times that of a certificate.
    pub authority: Duration,
    /// Life of a serving certificate: 90 days by default.
    pub leaf: Duration,
    /// How long a CA has to be published before certificates by it are served: API servers learn of the change by
    /// a watch. A minute by default.
    pub settle: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self { authority: 3650 * DAY, leaf: 90 * DAY, settle: Duration::from_secs(60) }
    }
}

/// From when until when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: OffsetDateTime,
    pub(super) until: OffsetDateTime,
}

impl Validity {
    /// That of a certificate made now, with a life of `life`.
    pub(super) fn beginning(now: OffsetDateTime, life: Duration) -> Self {
        // X.509 has no fractions of seconds.
        let now = now.replace_nanosecond(0).unwrap_or(now);
        let until = now.checked_add(signed(life)).unwrap_or(now);
        let from = now.checked_sub(signed(BACKDATED.min(life / 10))).unwrap_or(now);
        Self { from, until }
    }

    /// Whether it is valid at a time.
    pub(super) fn covers(&self, now: OffsetDateTime) -> bool {
        self.from <= now && now < self.until
    }

    /// When two thirds of it are over.
    pub(super) fn renewal(&self) -> OffsetDateTime {
        self.until.checked_sub((self.until - self.from) / 3).unwrap_or(self.from)
    }

    /// The time that both are valid.
    pub(super) fn within(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), until: self.until.min(other.until) }
    }
}

/// A duration as calendar arithmetic takes it; what is too long for it is as long as it can be.
pub(super) fn signed(duration: Duration) -> time::Duration {
    time::Duration::try_from(duration).unwrap_or(time::Duration::MAX)
}
