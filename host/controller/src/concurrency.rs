//! How many writes are under way at the same time: additive increase, multiplicative decrease
//! (AIMD), as TCP controls congestion (RFC 5681).
//!
//! Writes are counted in *windows* of as many answers as may be under way. A window in which the API
//! server was overloaded halves the limit. One in which it was slow keeps it. One in which writes
//! waited raises it by one.

use prometheus_client::metrics::gauge::Gauge;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How many writes are under way at first, at most: as many as is usual for workers.
const AT_FIRST: usize = 16;

/// How many times as long as the fastest window a slow one takes.
const SLOW: u32 = 3;

/// The share by which the time of the fastest window rises with every window.
const AGEING: u32 = 64;

/// How an answer to a write came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered {
    pub(crate) took: Duration,
    /// Whether the API server refused the write because it is overloaded, or gave no answer.
    pub(crate) is_overloaded: bool,
}

/// How many writes may be under way.
#[derive(Debug)]
struct Limit {
    now: usize,
    most: usize,
    /// Mean time of the fastest window. It rises with every window, so that an API server which has
    /// become slower for good counts as fast again.
    fastest: Option<Duration>,
    window: Window,
}

/// The answers since the limit was looked at last.
#[derive(Debug, Default)]
struct Window {
    answers: u32,
    took: Duration,
    /// Whether a write waited for another one to end.
    waited: bool,
    is_overloaded: bool,
    /// How many answers are to writes that were sent under an earlier limit.
    earlier: usize,
}

impl Limit {
    fn new(most: usize) -> Self {
        let most = most.max(1);
        Limit { now: AT_FIRST.min(most), most, fastest: None, window: Window::default() }
    }

    /// Takes an answer into account, while that many other writes are under way.
    fn take(&mut self, answered: Answered, others: usize) {
        let window = &mut self.window;
        if window.earlier > 0 {
            // The limit was lowered for what these were part of.
            window.earlier -= 1;
            return;
        }
        window.answers += 1;
        window.took += answered.took;
        window.is_overloaded |= answered.is_overloaded;
        if window.is_overloaded || usize::try_from(window.answers).unwrap_or(usize::MAX) >= self.now {
            let window = std::mem::take(&mut self.window);
            self.decide(&window, others);
        }
    }

    fn show(&self, shown: &Gauge) {
        shown.set(i64::try_from(self.now).unwrap_or(i64::MAX));
    }

    fn decide(&mut self, window: &Window, others: usize) {
        if window.is_overloaded {
            self.now = (self.now / 2).max(1);
            self.window.earlier = others;
            return;
        }
        let mean = window.took / window.answers.max(1);
        let fastest = self.fastest.map_or(mean, |fastest| (fastest + fastest / AGEING).min(mean));
        self.fastest = Some(fastest);
        if window.waited && mean <= fastest * SLOW {
            self.now = (self.now + 1).min(self.most);
        }
    }
}

/// Has writes wait while too many are under way.
pub(crate) struct Concurrency {
    state: Mutex<State>,
    /// Wakes one that waits.
    changed: Notify,
    /// Shows the limit.
    shown: Gauge,
}

struct State {
    limit: Limit,
    under_way: usize,
}

/// A write that is under way until this is dropped.
pub(crate) struct UnderWay<'c> {
    concurrency: &'c Concurrency,
    began: Instant,
    is_overloaded: Option<bool>,
}

impl Concurrency {
    /// At most that many writes are ever under way at the same time. `shown` is the limit that
    /// applies now.
    pub(crate) fn new(most: usize, shown: Gauge) -> Self {
        let limit = Limit::new(most);
        limit.show(&shown);
        Self { state: Mutex::new(State { limit, under_way: 0 }), changed: Notify::new(), shown }
    }

    /// Waits until another write may be sent.
    pub(crate) async fn begin(&self) -> UnderWay<'_> {
        loop {
            let changed = self.changed.notified();
            if self.try_begin() {
                return UnderWay { concurrency: self, began: Instant::now(), is_overloaded: None };
            }
            changed.await;
        }
    }

    fn try_begin(&self) -> bool {
        let mut state = self.lock();
        if state.under_way >= state.limit.now {
            state.limit.window.waited = true;
            return false;
        }
        state.under_way += 1;
        let has_more = state.under_way < state.limit.now;
        drop(state);
        if has_more {
            self.changed.notify_one();
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnderWay<'_> {
    /// The write was answered. `is_overloaded` says whether the API server refused it because it is
    /// overloaded, or gave no answer.
    pub(crate) fn end(mut self, is_overloaded: bool) {
        self.is_overloaded = Some(is_overloaded);
    }
}

/// A write that was given up says nothing about the API server.
impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut state = self.concurrency.lock();
        state.under_way -= 1;
        let others = state.under_way;
        if let Some(is_overloaded) = self.is_overloaded {
            state.limit.take(Answered { took: self.began.elapsed(), is_overloaded }, others);
            state.limit.show(&self.concurrency.shown);
        }
        drop(state);
        self.concurrency.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::{AT_FIRST, Answered, Concurrency, Limit};
    use futures::FutureExt;
    use prometheus_client::metrics::gauge::Gauge;
    use std::time::Duration;

    fn answered(milliseconds: u64) -> Answered {
        Answered { took: Duration::from_millis(milliseconds), is_overloaded: false }
    }

    fn overloaded() -> Answered {
        Answered { is_overloaded: true, ..answered(1) }
    }

    /// Takes a whole window of such answers, in which writes waited.
    fn window(limit: &mut Limit, answered: Answered) -> usize {
        limit.window.waited = true;
        for _ in 0..limit.now {
            limit.take(answered, 0);
        }
        limit.now
    }

    #[test]
    fn the_limit_rises_by_one_while_writes_wait_and_answers_are_fast() {
        let mut limit = Limit::new(AT_FIRST + 2);
        let after: Vec<usize> = (0..3).map(|_| window(&mut limit, answered(10))).collect();
        assert_eq!(after, [AT_FIRST + 1, AT_FIRST + 2, AT_FIRST + 2]);
    }

    #[test]
    fn the_limit_stays_where_no_write_waits_or_answers_are_slow() {
        let mut limit = Limit::new(100);
        for _ in 0..3 * AT_FIRST {
            limit.take(answered(10), 0);
        }
        assert_eq!(limit.now, AT_FIRST, "no write waited");
        assert_eq!(window(&mut limit, answered(35)), AT_FIRST, "more than three times as slow");
        assert_eq!(window(&mut limit, answered(30)), AT_FIRST + 1);
    }

    #[test]
    fn a_server_that_has_become_slower_for_good_counts_as_fast_again() {
        let mut limit = Limit::new(100);
        window(&mut limit, answered(10));
        let before = limit.now;
        assert_eq!(window(&mut limit, answered(100)), before);
        let rises = (0..100).any(|_| window(&mut limit, answered(100)) > before);
        assert!(rises, "{limit:?}");
    }

    #[test]
    fn an_overload_halves_the_limit_once_for_all_writes_that_were_under_way() {
        let mut limit = Limit::new(100);
        limit.take(overloaded(), 3);
        assert_eq!(limit.now, AT_FIRST / 2);
        for others in [2, 1, 0] {
            limit.take(overloaded(), others);
        }
        assert_eq!(limit.now, AT_FIRST / 2, "they were sent before the limit was lowered");
        limit.take(overloaded(), 0);
        assert_eq!(limit.now, AT_FIRST / 4);
        for _ in 0..10 {
            limit.take(overloaded(), 0);
        }
        assert_eq!(limit.now, 1, "one write may always be sent");
        assert_eq!(window(&mut limit, answered(1)), 2);
    }

    #[test]
    fn as_many_writes_are_under_way_as_may_be() {
        let concurrency = Concurrency::new(2, Gauge::default());
        let begin = || concurrency.begin().now_or_never();
        let (one, other) = (begin().expect("the first"), begin().expect("the second"));
        assert!(begin().is_none());
        one.end(false);
        let third = begin().expect("one has ended");
        assert!(begin().is_none());
        drop((other, third));
        assert!(begin().is_some());
    }

    #[test]
    fn the_limit_that_applies_is_shown() {
        let shown = Gauge::default();
        let concurrency = Concurrency::new(100, shown.clone());
        let write = || concurrency.begin().now_or_never().expect("few are under way");
        assert_eq!(shown.get(), AT_FIRST as i64);
        write().end(false);
        drop(write());
        assert_eq!(shown.get(), AT_FIRST as i64);
        write().end(true);
        assert_eq!(shown.get(), AT_FIRST as i64 / 2);
    }

    #[tokio::test]
    async fn a_write_that_waits_is_sent_when_another_one_ends() {
        let concurrency = Concurrency::new(1, Gauge::default());
        let first = concurrency.begin().await;
        let mut waiting = std::pin::pin!(async {
            concurrency.begin().await.end(false);
            concurrency.begin().await.end(false);
        });
        assert!(futures::poll!(&mut waiting).is_pending());
        first.end(true);
        waiting.await;
    }
}
