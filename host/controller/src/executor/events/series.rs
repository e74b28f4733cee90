//! Repetitions of events: which event of the API server the next one of its kind belongs to.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// How long after an event another one like it is a repetition. client-go's recorders have the same
/// time (`refreshTime` of k8s.io/client-go/tools/events).
const REMEMBERED: Duration = Duration::from_secs(6 * 60);

/// The events of one lane that may be repeated, by a digest of what a repetition has in common with
/// them.
#[derive(Default)]
pub(super) struct Series {
    events: HashMap<u64, Recorded>,
    /// When each of them is to be looked at again, the earliest first.
    ends: VecDeque<(Instant, u64)>,
}

/// An event of the API server.
struct Recorded {
    name: Box<str>,
    count: u32,
    last: Instant,
}

impl Series {
    /// The event that one with this digest repeats, and how often it happened with that.
    pub(super) fn repeated(&mut self, digest: u64, now: Instant) -> Option<(&str, u32)> {
        self.forget_old(now);
        let event = self.events.get(&digest)?;
        Some((&event.name, event.count.saturating_add(1)))
    }

    /// Remembers that an event was recorded, with the number of times that it happened.
    pub(super) fn remember(&mut self, digest: u64, name: &str, count: u32, now: Instant) {
        let recorded = Recorded { name: name.into(), count, last: now };
        if self.events.insert(digest, recorded).is_none() {
            self.ends.push_back((now + REMEMBERED, digest));
        }
    }

    /// Has the next event with this digest be a new one.
    pub(super) fn forget(&mut self, digest: u64) {
        self.events.remove(&digest);
        self.ends.retain(|(_, other)| *other != digest);
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some((at, digest)) = self.ends.front().copied()
            && at <= now
        {
            self.ends.pop_front();
            let Some(event) = self.events.get(&digest) else { continue };
            let end = event.last + REMEMBERED;
            if end <= now {
                self.events.remove(&digest);
            } else {
                self.ends.push_back((end, digest));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{REMEMBERED, Series};
    use std::time::{Duration, Instant};

    #[test]
    fn an_event_is_repeated_until_it_was_quiet_for_a_while() {
        let (mut series, start) = (Series::default(), Instant::now());
        assert_eq!(series.repeated(1, start), None);
        series.remember(1, "e", 1, start);
        series.remember(2, "f", 1, start);
        let second = start + REMEMBERED - Duration::from_secs(1);
        assert_eq!(series.repeated(1, second), Some(("e", 2)));
        series.remember(1, "e", 2, second);
        let third = second + REMEMBERED - Duration::from_secs(1);
        assert_eq!(series.repeated(1, third), Some(("e", 3)));
        assert_eq!(series.repeated(2, third), None);
        assert_eq!((series.events.len(), series.ends.len()), (1, 1));
        assert_eq!(series.repeated(1, second + REMEMBERED), None);
        assert_eq!((series.events.len(), series.ends.len()), (0, 0));
    }

    #[test]
    fn an_event_that_is_forgotten_begins_again() {
        let (mut series, now) = (Series::default(), Instant::now());
        series.remember(1, "e", 4, now);
        series.forget(1);
        assert_eq!(series.repeated(1, now), None);
        series.remember(1, "g", 1, now);
        assert_eq!(series.repeated(1, now), Some(("g", 2)));
        assert_eq!(series.ends.len(), 1);
    }
}
