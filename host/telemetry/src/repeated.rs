//! Log messages that repeat themselves: the first at once, then a count for each period.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Decides which messages are logged and which are counted, for each kind of message.
///
/// The number of kinds must be bounded by the program and not by what clients send: each kind that
/// has occurred within the last period takes memory and a task.
pub struct RepeatedMessages<K>(Arc<Shared<K>>);

struct Shared<K> {
    period: Duration,
    /// Kinds whose first message was logged, with the number of messages that were counted since
    /// the last summary.
    counts: Mutex<HashMap<K, u64>>,
}

impl<K: Clone + Eq + Hash + Send + 'static> RepeatedMessages<K> {
    /// Messages of one kind are summarized once in each period.
    pub fn new(period: Duration) -> Self {
        Self(Arc::new(Shared { period, counts: Mutex::default() }))
    }

    /// Notes a message. Returns whether the caller has to log it; otherwise it is counted.
    ///
    /// At the end of each period in which messages were counted, `summarize` gets their number. It
    /// is the function that was given with the first message. After a period without a message the
    /// next one is a first one again.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn is_first(&self, kind: K, summarize: impl Fn(u64) + Send + 'static) -> bool {
        if !self.0.begin_or_count(&kind) {
            return false;
        }
        let period = self.0.period;
        // A dropped owner ends the task.
        let shared = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(period).await;
                match shared.upgrade().and_then(|shared| shared.take_count(&kind)) {
                    Some(count) => summarize(count),
                    None => return,
                }
            }
        });
        true
    }
}

impl<K: Clone + Eq + Hash> Shared<K> {
    /// Whether a message is the first one of its kind. Otherwise counts it.
    fn begin_or_count(&self, kind: &K) -> bool {
        let mut counts = self.lock();
        if let Some(count) = counts.get_mut(kind) {
            *count = count.saturating_add(1);
            return false;
        }
        counts.insert(kind.clone(), 0);
        true
    }

    /// How many messages were counted since the last call. None for no message: the kind is
    /// forgotten then.
    fn take_count(&self, kind: &K) -> Option<u64> {
        let mut counts = self.lock();
        let count = counts.get_mut(kind).map(mem::take).filter(|count| *count > 0);
        if count.is_none() {
            counts.remove(kind);
        }
        count
    }

    /// Locks. No code panics while it holds this lock, so that poisoning means nothing.
    fn lock(&self) -> MutexGuard<'_, HashMap<K, u64>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K> fmt::Debug for RepeatedMessages<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RepeatedMessages").field("period", &self.0.period).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(60);

    type Summaries = Arc<Mutex<Vec<u64>>>;

    fn note(messages: &RepeatedMessages<&'static str>, kind: &'static str, summaries: &Summaries) -> bool {
        let summaries = summaries.clone();
        messages.is_first(kind, move |count| summaries.lock().unwrap().push(count))
    }

    /// Lets a period end, and the tasks that wait for it run.
    async fn end_period() {
        tokio::time::sleep(PERIOD + Duration::from_secs(1)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_message_is_logged_and_the_others_are_counted_in_each_period() {
        let (messages, summaries) = (RepeatedMessages::new(PERIOD), Summaries::default());
        let logged = (0..1_000).filter(|_| note(&messages, "a", &summaries)).count();
        assert_eq!(logged, 1);
        assert!(summaries.lock().unwrap().is_empty(), "a count comes at the end of a period");
        end_period().await;
        assert!(!note(&messages, "a", &summaries), "the kind still occurs");
        end_period().await;
        assert_eq!(*summaries.lock().unwrap(), [999, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_after_a_quiet_period_is_a_first_one() {
        let (messages, summaries) = (RepeatedMessages::new(PERIOD), Summaries::default());
        assert!(note(&messages, "a", &summaries));
        end_period().await;
        assert!(note(&messages, "a", &summaries));
        assert!(summaries.lock().unwrap().is_empty(), "nothing was counted");
    }

    #[tokio::test(start_paused = true)]
    async fn kinds_do_not_hide_each_other() {
        let (messages, summaries) = (RepeatedMessages::new(PERIOD), Summaries::default());
        assert!(note(&messages, "a", &summaries) && note(&messages, "b", &summaries));
        assert!(!note(&messages, "b", &summaries));
        end_period().await;
        assert_eq!(*summaries.lock().unwrap(), [1]);
    }
}
