//! When to repeat a request, and when to give up.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

use crate::error::Error;

/// Delay after the first failure.
const FIRST: Duration = Duration::from_millis(100);
/// Longest delay that is chosen here.
const LONGEST: Duration = Duration::from_secs(5);
/// Longest delay that a registry can ask for. Some ask for more than a workflow can wait.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

/// Delays that grow from failure to failure, until nothing was transferred for as long as the
/// patience.
pub(crate) struct Backoff {
    patience: Duration,
    since: Instant,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(patience: Duration) -> Self {
        Backoff { patience, since: Instant::now(), next: FIRST }
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
        let Some(delay) = self.delay(error.retry_after(), self.since.elapsed()) else { return Err(error) };
        tokio::time::sleep(delay).await;
        Ok(())
    }

    fn delay(&mut self, asked: Option<Duration>, waited: Duration) -> Option<Duration> {
        let left = self.patience.checked_sub(waited).filter(|left| !left.is_zero())?;
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
        let mut backoff = Backoff::new(Duration::from_secs(60));
        let delays: Vec<_> = (0..8).map(|_| backoff.delay(None, Duration::ZERO).unwrap()).collect();
        assert!(delays[0] >= FIRST / 2 && delays[0] <= FIRST);
        assert!(delays[7] >= LONGEST / 2 && delays[7] <= LONGEST);
        assert_eq!(backoff.delay(None, Duration::from_secs(60)), None);
        assert!(backoff.delay(None, Duration::from_millis(59_990)).unwrap() <= Duration::from_millis(10));
    }

    #[test]
    fn delays_that_the_registry_asks_for_are_bounded() {
        let mut backoff = Backoff::new(Duration::from_secs(600));
        assert_eq!(backoff.delay(Some(Duration::from_secs(7)), Duration::ZERO), Some(Duration::from_secs(7)));
        assert_eq!(backoff.delay(Some(Duration::from_secs(3600)), Duration::ZERO), Some(LONGEST_ASKED));
    }
}
