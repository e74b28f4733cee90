//! When a container that ended is started again.

use std::time::Duration;

/// Growing pauses before a container is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The pause before the second restart. The first restart comes at once.
    pub first: Duration,
    /// The longest pause. A container that ran for twice as long begins with no pause again.
    pub longest: Duration,
}

impl Default for Backoff {
    /// The kubelet's pauses: ten seconds to five minutes.
    fn default() -> Self {
        Self { first: Duration::from_secs(10), longest: Duration::from_secs(300) }
    }
}

impl Backoff {
    /// The pause after so many restarts in a row.
    pub(crate) fn pause(&self, restarts: u32) -> Duration {
        match restarts.checked_sub(1) {
            None => Duration::ZERO,
            Some(doublings) => self.first.saturating_mul(2_u32.saturating_pow(doublings)).min(self.longest),
        }
    }

    /// Whether a container that ran for so long counts as one that works.
    pub(crate) fn forgets(&self, ran: Duration) -> bool {
        ran > self.longest * 2
    }
}

/// When a container is started again (core/v1 `RestartPolicy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RestartPolicy {
    Always,
    OnFailure,
    Never,
}

impl RestartPolicy {
    /// The default is `Always`.
    pub(crate) fn parse(policy: Option<&str>) -> Self {
        match policy {
            Some("OnFailure") => Self::OnFailure,
            Some("Never") => Self::Never,
            _ => Self::Always,
        }
    }

    /// Whether a container is started again after this exit code.
    pub(crate) fn restarts_after(self, exit_code: i32) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => exit_code != 0,
            Self::Never => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Backoff, RestartPolicy};
    use std::time::Duration;

    #[test]
    fn pauses_double_to_a_limit() {
        let backoff = Backoff::default();
        let seconds = |restarts| backoff.pause(restarts).as_secs();
        assert_eq!([0, 1, 2, 3, 6, 7, u32::MAX].map(seconds), [0, 10, 20, 40, 300, 300, 300]);
        assert!(!backoff.forgets(Duration::from_secs(600)) && backoff.forgets(Duration::from_secs(601)));
    }

    #[test]
    fn policies_decide_by_the_exit_code() {
        let policy = |name| RestartPolicy::parse(Some(name));
        assert!(policy("Always").restarts_after(0) && policy("OnFailure").restarts_after(1));
        assert!(!policy("OnFailure").restarts_after(0) && !policy("Never").restarts_after(1));
        assert_eq!(RestartPolicy::parse(None), RestartPolicy::Always);
    }
}
