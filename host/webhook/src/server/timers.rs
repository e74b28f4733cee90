//! Timers that requests hand on to each other.
//!
//! A request needs a timer, and nearly never waits for it. Setting one up wakes the thread that
//! waits for the network whenever no other timer is due earlier, which costs a system call and the
//! thread's turn. A timer that was set for an earlier request is due too early for the next one:
//! that costs nothing until it fires, and then it is set anew.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use tokio::time::{Instant, Sleep, sleep_until};

/// Timers that are kept. Each is about 200 bytes.
const MOST_KEPT: usize = 1024;

/// The timers that no request uses just now.
#[derive(Clone, Default)]
pub(super) struct Timers(Arc<Mutex<Vec<Pin<Box<Sleep>>>>>);

impl Timers {
    /// A timer for one request.
    pub(super) fn timer(&self) -> Timer {
        Timer { timers: self.clone(), sleep: None }
    }

    /// Locks. No code panics while it holds this lock, so that poisoning means nothing.
    fn lock(&self) -> MutexGuard<'_, Vec<Pin<Box<Sleep>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The timer of one request. It takes one of those that are kept when something has to be waited
/// for.
pub(super) struct Timer {
    timers: Timers,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    /// What the future returns, or `None` if that takes longer than until `at`.
    pub(super) async fn until<F: Future>(&mut self, at: Instant, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            let sleep = self.sleep.get_or_insert_with(|| {
                let kept = self.timers.lock().pop();
                kept.unwrap_or_else(|| Box::pin(sleep_until(at)))
            });
            if sleep.deadline() > at {
                sleep.as_mut().reset(at);
            }
            while sleep.as_mut().poll(cx).is_ready() {
                if sleep.deadline() >= at {
                    return Poll::Ready(None);
                }
                sleep.as_mut().reset(at);
            }
            Poll::Pending
        })
        .await
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let Some(sleep) = self.sleep.take() else { return };
        let mut kept = self.timers.lock();
        if kept.len() < MOST_KEPT {
            kept.push(sleep);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::future::{pending, ready};
    use std::time::Duration;

    #[tokio::test]
    async fn a_future_that_is_ready_needs_no_timer() {
        let timers = Timers::default();
        let mut timer = timers.timer();
        assert_eq!(timer.until(Instant::now(), ready(7)).await, Some(7));
        drop(timer);
        assert!(timers.lock().is_empty());
    }

    #[tokio::test]
    async fn a_future_that_does_not_end_is_given_up_in_time() {
        let timers = Timers::default();
        let mut timer = timers.timer();
        for milliseconds in [30, 5] {
            let at = Instant::now() + Duration::from_millis(milliseconds);
            assert_eq!(timer.until(at, pending::<()>()).await, None);
            assert!(Instant::now() >= at);
        }
    }

    #[tokio::test]
    async fn a_timer_that_an_earlier_request_set_does_not_end_a_later_one() {
        let timers = Timers::default();
        let soon = Instant::now() + Duration::from_millis(5);
        assert!(timers.timer().until(soon, pending::<()>()).now_or_never().is_none());
        assert_eq!(timers.lock().len(), 1, "it is kept");
        let later = soon + Duration::from_millis(30);
        assert_eq!(timers.timer().until(later, pending::<()>()).await, None);
        assert!(Instant::now() >= later);
        assert_eq!(timers.lock().len(), 1, "the same timer is used again");
    }

    #[tokio::test]
    async fn a_timer_that_an_earlier_request_set_late_is_set_earlier() {
        let timers = Timers::default();
        let late = Instant::now() + Duration::from_secs(3_600);
        assert!(timers.timer().until(late, pending::<()>()).now_or_never().is_none());
        let soon = Instant::now() + Duration::from_millis(5);
        assert_eq!(timers.timer().until(soon, pending::<()>()).await, None);
    }
}
