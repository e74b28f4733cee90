//! When to repeat a request, and when to give up.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::policy::TransferPolicy;

/// Delay after the first failure.
const FIRST: Duration = Duration::from_millis(100);
/// Longest delay that is chosen here.
const LONGEST: Duration = Duration::from_secs(5);
/// Longest delay that a registry can ask for. Some ask for more than a workflow can wait.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

/// Delays that grow from failure to failure, until nothing was transferred for as long as the
/// patience.
pub(crate) struct Backoff {
    policy: TransferPolicy,
    since: Instant,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(policy: TransferPolicy) -> Self {
        Backoff { policy, since: Instant::now(), next: FIRST }
    }

    /// Begins anew, since something was transferred.
    pub(crate) fn progress(&mut self) {
        self.since = Instant::now();
        self.next = FIRST;
    }

    /// Sleeps before the next attempt.
    ///
    /// # Errors
    /// The error itself, when it does not pass by waiting, or patience has ended.
    pub(crate) async fn wait(&mut self, error: Error) -> Result<(), Error> {
        if !error.is_transient() {
            return Err(error);
        }
        let patience = if error.is_read_only() {
            self.policy.patience.max(self.policy.read_only)
        } else {
            self.policy.patience
        };
        let Some(delay) = self.delay(patience, error.retry_after(), self.since.elapsed()) else {
            return Err(error);
        };
        tokio::time::sleep(delay).await;
        Ok(())
    }

    fn delay(&mut self, patience: Duration, asked: Option<Duration>, waited: Duration) -> Option<Duration> {
        let left = patience.checked_sub(waited).filter(|left| !left.is_zero())?;
        let delay = match asked {
            Some(asked) => asked.min(LONGEST_ASKED).max(FIRST),
            None => spread(self.next),
        };
        self.next = (self.next * 2).min(LONGEST);
        // The last attempt is made when the patience ends, not before.
        Some(delay.min(left))
    }
}

/// A random duration between half of the delay and all of it, so that the pods of a Job do not all
/// come back at once.
fn spread(delay: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    let half = delay / 2;
    half + half.mul_f64((random % 1024) as f64 / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_and_end_with_patience() {
        let patience = Duration::from_secs(60);
        let mut backoff = Backoff::new(TransferPolicy::default());
        let mut delay = |waited| backoff.delay(patience, None, waited);
        let delays: Vec<_> = (0..8).map(|_| delay(Duration::ZERO).unwrap()).collect();
        assert!(delays[0] >= FIRST / 2 && delays[0] <= FIRST);
        assert!(delays[7] >= LONGEST / 2 && delays[7] <= LONGEST);
        assert_eq!(delay(patience), None);
        assert!(delay(Duration::from_millis(59_990)).unwrap() <= Duration::from_millis(10));
    }

    #[test]
    fn delays_that_the_registry_asks_for_are_bounded() {
        let mut backoff = Backoff::new(TransferPolicy::default());
        let mut delay = |seconds| {
            let asked = Some(Duration::from_secs(seconds));
            backoff.delay(Duration::from_secs(600), asked, Duration::ZERO)
        };
        assert_eq!(delay(7), Some(Duration::from_secs(7)));
        assert_eq!(delay(3600), Some(LONGEST_ASKED));
    }
}
