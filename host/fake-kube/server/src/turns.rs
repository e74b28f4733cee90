//! Turns of large requests.
//!
//! What a request computes grows with its object: decoding, merging, validation, managed fields. On
//! the threads that serve connections, a few clients that change large objects would keep all
//! others waiting. Large requests therefore run on threads of their own, a few at a time, in the
//! order in which they ask. A request that waits, for example for a webhook, gives its turn away.

use std::panic;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use tokio::sync::{Notify, Semaphore};

/// Runs large requests.
pub struct Turns(Arc<Semaphore>);

impl Default for Turns {
    /// As many turns at a time as there are processors but one, and at least one.
    fn default() -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Self::new(processors.saturating_sub(1))
    }
}

/// Wakes a request that waits.
#[derive(Default)]
struct Wakeup(Notify);

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        // A wakeup during a turn counts for the time after it.
        self.0.notify_one();
    }
}

impl Turns {
    fn new(at_a_time: usize) -> Self {
        Self(Arc::new(Semaphore::new(at_a_time.max(1))))
    }

    /// Runs the work of a request. When the returned future is dropped, the work ends with its
    /// turn.
    pub async fn run<F>(&self, work: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let wakeup = Arc::new(Wakeup::default());
        let mut work = Box::pin(work);
        loop {
            // Acquiring fails only on a closed semaphore, and this one is never closed.
            let permit = self.0.clone().acquire_owned().await.ok();
            let waker = Waker::from(wakeup.clone());
            let turn = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                let polled = poll(work.as_mut(), &waker);
                (work, polled)
            });
            match turn.await {
                Ok((_, Poll::Ready(output))) => return output,
                Ok((rest, Poll::Pending)) => work = rest,
                Err(ended) => match ended.try_into_panic() {
                    Ok(cause) => panic::resume_unwind(cause),
                    // The runtime is ending.
                    Err(_) => return std::future::pending().await,
                },
            }
            wakeup.0.notified().await;
        }
    }
}

fn poll<F: Future>(work: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    work.poll(&mut Context::from_waker(waker))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn as_many_turns_run_at_a_time_as_allowed() {
        let turns = Arc::new(Turns::new(2));
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let work = |_| {
            let (turns, running, most) = (turns.clone(), running.clone(), most.clone());
            tokio::spawn(async move {
                let work = async move {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::yield_now();
                    running.fetch_sub(1, Ordering::SeqCst);
                };
                turns.run(work).await;
            })
        };
        for task in (0..200).map(work).collect::<Vec<_>>() {
            task.await.unwrap();
        }
        assert!(most.load(Ordering::SeqCst) <= 2);
    }

    #[tokio::test]
    async fn work_that_waits_gives_its_turn_away() {
        let turns = Turns::new(1);
        let (send, receive) = tokio::sync::oneshot::channel();
        let waiting = turns.run(async move { receive.await.unwrap() });
        let other = turns.run(async move { send.send(7).unwrap() });
        assert_eq!(tokio::join!(waiting, other).0, 7);
    }

    #[tokio::test]
    async fn a_panic_reaches_whoever_waits_for_the_work() {
        let task = tokio::spawn(async {
            Turns::new(1).run(async { std::panic::panic_any("as told") }).await;
        });
        assert!(task.await.unwrap_err().is_panic());
    }
}
