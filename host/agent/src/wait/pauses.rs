//! How long to wait before the registry is asked again. Time is what has passed since the wait
//! began, by a clock that is never set, so that the time of day does not matter.

use std::time::Duration;

/// Pause after the first round.
const FIRST: Duration = Duration::from_millis(500);
/// Longest pause that is chosen here.
const LONGEST: Duration = Duration::from_secs(15);

/// Pauses that grow from round to round.
#[derive(Clone, Debug)]
pub struct Pauses {
    /// How long the whole wait may take.
    limit: Duration,
    next: Duration,
}

/// What happens after a round in which something was missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// There is another round after this pause.
    Pause(Duration),
    /// There is one more round after this pause.
    LastPause(Duration),
    /// The time is up, or will be before the registry wants to be asked again.
    End,
}

impl Pauses {
    /// The pauses of a wait that may take this long.
    pub fn new(limit: Duration) -> Self {
        Pauses { limit, next: FIRST }
    }

    /// What comes after a round. `passed` is the time since the wait began, `asked` how long the
    /// registry asks to stay away, and `share` a random number from 0 to 1, which spreads the pods
    /// of a Job.
    pub fn next(&mut self, passed: Duration, asked: Option<Duration>, share: f64) -> Next {
        let left = self.limit.saturating_sub(passed);
        let asked = asked.unwrap_or_default();
        if left.is_zero() || asked > left {
            return Next::End;
        }
        let half = self.next / 2;
        let pause = (half + half.mul_f64(share.clamp(0.0, 1.0))).max(asked);
        self.next = (self.next * 3 / 2).min(LONGEST);
        // The last round is at the end of the time, not before.
        if pause < left { Next::Pause(pause) } else { Next::LastPause(left) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn pauses_grow_to_a_limit_and_are_spread() {
        for (share, first, longest) in [(0.0, 250, 7_500), (1.0, 500, 15_000), (7.0, 500, 15_000)] {
            let mut pauses = Pauses::new(seconds(3600));
            let all: Vec<u128> = (0..20)
                .map(|_| match pauses.next(Duration::ZERO, None, share) {
                    Next::Pause(pause) => pause.as_millis(),
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!((all[0], all[19]), (first, longest));
            assert!(all.windows(2).all(|two| two[0] <= two[1]), "{all:?}");
        }
    }

    #[test]
    fn the_last_round_is_at_the_end_of_the_time() {
        let mut pauses = Pauses::new(seconds(10));
        assert_eq!(pauses.next(Duration::from_millis(9_900), None, 1.0), Next::LastPause(seconds(1) / 10));
        assert_eq!(pauses.next(seconds(10), None, 1.0), Next::End);
        assert_eq!(pauses.next(seconds(11), None, 1.0), Next::End);
    }

    #[test]
    fn the_registry_says_when_it_wants_to_be_asked_again() {
        let mut pauses = Pauses::new(seconds(100));
        assert_eq!(pauses.next(seconds(0), Some(seconds(40)), 0.5), Next::Pause(seconds(40)));
        assert_eq!(pauses.next(seconds(40), Some(seconds(60)), 0.5), Next::LastPause(seconds(60)));
        assert_eq!(pauses.next(seconds(50), Some(seconds(51)), 0.5), Next::End);
        // A shorter time than one's own pause changes nothing.
        assert_eq!(pauses.next(seconds(0), Some(Duration::ZERO), 1.0), Next::Pause(FIRST * 9 / 4));
    }
}
