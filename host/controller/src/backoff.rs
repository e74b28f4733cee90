//! Waits that grow with every failure.

use rand::Rng;
use std::time::Duration;

/// Exponential backoff: the wait doubles with every failure in a row.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// Wait after the first failure.
    pub first: Duration,
    /// Longest wait.
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(200), longest: Duration::from_secs(300) }
    }
}

impl Backoff {
    /// The wait after so many failures in a row. Up to a fifth of it is cut off at random, so that
    /// retries of many objects do not come at the same moment.
    pub(crate) fn after(&self, failures: u32) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
        let wait = doubled.min(self.longest);
        wait.mul_f64(rand::rng().random_range(0.8..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::Backoff;
    use std::time::Duration;

    #[test]
    fn the_wait_doubles_up_to_the_longest() {
        let backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(8) };
        for (failures, seconds) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 8), (400, 8)] {
            let wait = backoff.after(failures).as_secs_f64();
            assert!(wait >= 0.79 * f64::from(seconds) && wait <= f64::from(seconds), "{failures}: {wait}");
        }
    }
}
