//! Polls a future again at once when it woke itself.
//!
//! An HTTP connection wakes itself two to three times for each request: when the service asks for
//! the body, when the body is there, and when the answer is. The scheduler of tokio answers such a
//! wake by queueing the task and by waking another thread to take it over, which costs more than
//! the HTTP of a review.

use futures::task::AtomicWaker;
use std::cell::Cell;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};
use tokio::task::coop;

/// How often a future is polled in a row. A request needs three to four polls.
const MOST_POLLS: u32 = 16;
/// How long a future is polled in a row before other tasks of the thread get their turn.
const SLICE: Duration = Duration::from_millis(1);

/// Set while the future is being polled. Otherwise a wake goes to its task.
const POLLED: u8 = 1;
/// Set when the future was woken.
const WOKEN: u8 = 2;

thread_local! {
    /// When the poll that runs in this thread began.
    static BEGAN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Whether the poll that runs in this thread may begin something that takes a while. Other tasks of
/// the thread wait for it.
pub(super) fn has_time_left() -> bool {
    BEGAN.get().is_none_or(|began| began.elapsed() <= SLICE)
}

/// Notes when a poll began, until it is dropped.
struct Slice(Instant);

impl Slice {
    fn begin() -> Self {
        let now = Instant::now();
        BEGAN.set(Some(now));
        Slice(now)
    }

    fn is_over(&self) -> bool {
        self.0.elapsed() > SLICE
    }
}

impl Drop for Slice {
    fn drop(&mut self) {
        BEGAN.set(None);
    }
}

/// A future that is polled again when it woke itself. Wakes at other times go to its task.
pub(super) struct InPlace<F> {
    future: Pin<Box<F>>,
    wakes: Arc<Wakes>,
    waker: Waker,
}

struct Wakes {
    state: AtomicU8,
    task: AtomicWaker,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Every wake writes, so that the poll that reads it also sees what the wake is about.
        if self.state.fetch_or(WOKEN, Ordering::AcqRel) & POLLED == 0 {
            self.task.wake();
        }
    }
}

impl<F> InPlace<F> {
    pub(super) fn new(future: F) -> Self {
        let wakes = Arc::new(Wakes { state: AtomicU8::new(0), task: AtomicWaker::new() });
        let waker = Waker::from(wakes.clone());
        Self { future: Box::pin(future), wakes, waker }
    }

    /// The future itself. Whoever changes it polls this afterwards.
    pub(super) fn future(&mut self) -> Pin<&mut F> {
        self.future.as_mut()
    }
}

impl<F: Future> Future for InPlace<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Self { future, wakes, waker } = &mut *self;
        // From here on a wake outside of a poll reaches this task.
        wakes.task.register(cx.waker());
        let mut own = Context::from_waker(waker);
        let slice = Slice::begin();
        for _ in 0..MOST_POLLS {
            wakes.state.swap(POLLED, Ordering::AcqRel);
            let polled = future.as_mut().poll(&mut own);
            let unwoken = wakes.state.fetch_and(!POLLED, Ordering::AcqRel) & WOKEN == 0;
            if polled.is_ready() || unwoken {
                return polled;
            }
            // Without a budget, everything of tokio is pending and wakes the task.
            if !coop::has_budget_remaining() || slice.is_over() {
                break;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::future::poll_fn;
    use std::sync::atomic::AtomicUsize;

    /// Counts how often the task is woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn poll<F: Future + Unpin>(future: &mut F) -> (Poll<F::Output>, usize) {
        let count = Arc::new(Count::default());
        let polled = future.poll_unpin(&mut Context::from_waker(&Waker::from(count.clone())));
        (polled, count.0.load(Ordering::SeqCst))
    }

    /// A future that wakes itself that many times before it is ready.
    fn waking_itself(times: u32) -> InPlace<impl Future<Output = u32>> {
        let mut polls = 0;
        InPlace::new(poll_fn(move |cx| {
            polls += 1;
            if polls > times {
                return Poll::Ready(polls);
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }))
    }

    #[test]
    fn a_future_that_wakes_itself_is_polled_again_without_its_task() {
        assert_eq!(poll(&mut waking_itself(3)), (Poll::Ready(4), 0));
    }

    #[test]
    fn a_future_that_never_stops_waking_itself_gives_way_to_other_tasks() {
        let mut endless = waking_itself(u32::MAX);
        assert_eq!(poll(&mut endless), (Poll::Pending, 1));
        assert_eq!(poll(&mut endless), (Poll::Pending, 1));
    }

    #[test]
    fn a_long_poll_gives_way_to_other_tasks() {
        let mut polls = 0;
        let mut slow = InPlace::new(poll_fn(|cx| {
            polls += 1;
            let began = Instant::now();
            while began.elapsed() <= SLICE {
                std::hint::spin_loop();
            }
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        }));
        assert_eq!(poll(&mut slow), (Poll::Pending, 1));
        drop(slow);
        assert_eq!(polls, 1);
    }

    #[test]
    fn what_takes_long_is_not_begun_in_a_poll_that_has_taken_long() {
        let mut answers = InPlace::new(poll_fn(|_| {
            let before = has_time_left();
            let began = Instant::now();
            while began.elapsed() <= SLICE {
                std::hint::spin_loop();
            }
            Poll::Ready((before, has_time_left()))
        }));
        assert_eq!(poll(&mut answers).0, Poll::Ready((true, false)));
        assert!(has_time_left(), "the poll has ended");
    }

    #[test]
    fn a_wake_between_two_polls_reaches_the_task() {
        let (sender, receiver) = futures::channel::oneshot::channel();
        let mut waiting = InPlace::new(receiver);
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        assert!(waiting.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(count.0.load(Ordering::SeqCst), 0);
        sender.send(7).unwrap();
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert_eq!(poll(&mut waiting), (Poll::Ready(Ok(7)), 0));
    }

    /// Each wake comes from another thread, at any moment of a poll or between two.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_wake_of_another_thread_is_lost() {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
        let sending = tokio::spawn(async move {
            for number in 0..50_000_u32 {
                sender.send(number).await.unwrap();
            }
        });
        let received = InPlace::new(async move {
            let mut count = 0;
            while let Some(number) = receiver.recv().await {
                assert_eq!(number, count);
                count += 1;
            }
            count
        });
        assert_eq!(received.await, 50_000);
        sending.await.unwrap();
    }
}
