//! From when until when a certificate is valid.

use std::time::Duration;
use time::OffsetDateTime;

/// Certificates become valid this long before they are made, for clients whose clocks are behind.
const BACKDATED: Duration = Duration::from_secs(60 * 60);

/// From when until when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: OffsetDateTime,
    pub(super) until: OffsetDateTime,
}

impl Validity {
    /// The validity of a certificate that is made now and ends after `lifetime`.
    pub(super) fn beginning(now: OffsetDateTime, lifetime: Duration) -> Self {
        // X.509 times have no fractions of seconds.
        let now = now.replace_nanosecond(0).unwrap_or(now);
        let until = now.checked_add(signed(lifetime)).unwrap_or(now);
        let from = now.checked_sub(signed(BACKDATED.min(lifetime / 10))).unwrap_or(now);
        Self { from, until }
    }

    /// Whether it includes a time.
    pub(super) fn covers(&self, now: OffsetDateTime) -> bool {
        self.from <= now && now < self.until
    }

    /// When two thirds of it have passed.
    pub(super) fn renewal(&self) -> OffsetDateTime {
        self.until.checked_sub((self.until - self.from) / 3).unwrap_or(self.from)
    }

    /// The time that is in both.
    pub(super) fn within(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), until: self.until.min(other.until) }
    }
}

/// A duration for calendar arithmetic; one that does not fit becomes the longest that does.
pub(super) fn signed(duration: Duration) -> time::Duration {
    time::Duration::try_from(duration).unwrap_or(time::Duration::MAX)
}
