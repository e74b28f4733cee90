//! Limits how often a field is taken back: a dispute with another manager ends when we leave the
//! field alone.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A field that was taken back so often within [`WINDOW`] is left alone.
const LIMIT: usize = 5;
/// Ten minutes.
pub(crate) const WINDOW: Duration = Duration::from_secs(600);

/// UID of an object, and path of a field.
type Field = (Box<str>, String);

/// When fields were taken back.
#[derive(Default)]
pub(crate) struct ForceLimiter(Mutex<HashMap<Field, Vec<Instant>>>);

impl ForceLimiter {
    /// Whether the field may be taken back once more.
    pub(crate) fn allows(&self, uid: &str, path: &str, now: Instant) -> bool {
        let times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = times.get(&(uid.into(), path.to_owned())).map_or(0, |times| recent(times, now).count());
        recent < LIMIT
    }

    /// Notes that fields were taken back, and forgets what is older than the window.
    pub(crate) fn record(&self, uid: &str, paths: &[String], now: Instant) {
        if paths.is_empty() {
            return;
        }
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        times.retain(|_, times| recent(times, now).next().is_some());
        for path in paths {
            times.entry((uid.into(), path.clone())).or_default().push(now);
        }
    }
}

fn recent(times: &[Instant], now: Instant) -> impl Iterator<Item = &Instant> {
    times.iter().filter(move |time| now.duration_since(**time) < WINDOW)
}

#[cfg(test)]
mod tests {
    use super::{ForceLimiter, LIMIT, WINDOW};
    use std::time::Instant;

    #[test]
    fn a_field_is_taken_back_five_times_in_ten_minutes() {
        let limiter = ForceLimiter::default();
        let now = Instant::now();
        for _ in 0..LIMIT {
            assert!(limiter.allows("u", "spec.x", now));
            limiter.record("u", &["spec.x".to_owned()], now);
        }
        assert!(!limiter.allows("u", "spec.x", now));
        assert!(limiter.allows("u", "spec.y", now));
        assert!(limiter.allows("v", "spec.x", now));
        assert!(limiter.allows("u", "spec.x", now + WINDOW));
    }
}
