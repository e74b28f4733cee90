//! When to try again, and when to give up.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

use crate::error::Error;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);
/// A registry may ask for more than a workflow can wait.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

/// Waits longer from failure to failure, until nothing has moved for the patience that it was given.
pub(crate) struct Backoff {
    patience: Duration,
    since: Instant,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(patience: Duration) -> Self {
        Backoff { patience, since: Instant::now(), next: FIRST }
    }

    /// Something was transferred: patience is whole again.
    pub(crate) fn progress(&mut self) {
        self.since = Instant::now();
        self.next = FIRST;
    }

    /// Sleeps before the next attempt; the error itself when it will not pass or has lasted too long.
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
        // The last attempt is made when patience ends, not before.
        Some(delay.min(left))
    }
}

/// Between half of the delay and all of it, so that the pods of a Job do not come back together.
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
    fn what_the_registry_asks_for_is_kept_within_reason() {
        let mut backoff = Backoff::new(Duration::from_secs(600));
        assert_eq!(backoff.delay(Some(Duration::from_secs(7)), Duration::ZERO), Some(Duration::from_secs(7)));
        assert_eq!(backoff.delay(Some(Duration::from_secs(3600)), Duration::ZERO), Some(LONGEST_ASKED));
    }
}
