//! Shares the processors between guests and everything else in the process.
//!
//! A guest's call is a future that is pending only when its turn has ended: guests import nothing,
//! so that there is nothing else to wait for. The first turn of a call lasts one to two ticks, on
//! the thread that polls the call. Almost every call ends within it, and costs no more than a
//! synchronous one. A call that does not end is *slow*. It goes on in turns of at most one tick,
//! and four rules keep slow calls from holding up the process:
//!
//! - before each turn, the runtime looks after its other tasks, network and timers included;
//! - during each turn, another thread takes over the other tasks of this one (`block_in_place`), so
//!   that the system shares the processors between the two;
//! - slow reviews have half of the processors at most, and slow reconciles the other half, both in
//!   the order in which they asked;
//! - while there are slow calls, first turns are taken one at a time, since the next call may turn
//!   out to be slow as well.
//!
//! `docs/decisions/guest-calls.md` compares this with a pool of threads.

use super::limits::CallKind;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;

/// Ticks until the first turn of a call ends. The first of them may come at once, so that with two
/// of them a turn has at least one whole tick.
pub(super) const FIRST_TURN_TICKS: u64 = 2;
/// Ticks until a later turn ends.
pub(super) const LATER_TURN_TICKS: u64 = 1;
/// How much of the clock a call may take, as a multiple of its deadline, when others run too.
const PATIENCE: u32 = 2;

/// Why a call was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overrun {
    /// The call ran for longer than its deadline.
    Ran(Duration),
    /// The call did not end within that time, since other calls ran too.
    Waited(Duration),
}

/// Decides which call runs next.
pub(super) struct Turns {
    /// Calls whose first turn was not enough.
    slow: AtomicU32,
    /// Taken for the first turn of a call, while there are slow ones.
    first: Semaphore,
    reviews: Semaphore,
    reconciles: Semaphore,
}

impl Turns {
    /// For a machine with that many processors.
    pub(super) fn new(processors: usize) -> Self {
        let half = (processors / 2).max(1);
        Self {
            slow: AtomicU32::new(0),
            first: Semaphore::new(1),
            reviews: Semaphore::new(half),
            reconciles: Semaphore::new(half),
        }
    }

    /// Runs a call to its end, unless that takes too long. A call that is given up is dropped.
    pub(super) async fn run<F: Future>(
        &self,
        kind: CallKind,
        deadline: Duration,
        call: F,
    ) -> Result<F::Output, Overrun> {
        let mut call = pin!(call);
        let first = match self.slow.load(Ordering::Relaxed) {
            0 => None,
            // Nobody closes the semaphores.
            _ => self.first.acquire().await.ok(),
        };
        let began = Instant::now();
        if let Poll::Ready(output) = turn(call.as_mut()) {
            return Ok(output);
        }
        let mut ran = began.elapsed();
        let _slow = Slow::begin(&self.slow);
        drop(first);
        let turns = match kind {
            CallKind::Review => &self.reviews,
            CallKind::Reconcile => &self.reconciles,
        };
        while ran < deadline {
            let _turn = turns.acquire().await;
            // tokio polls its drivers before it comes back to a task that yields this way, which
            // waking the task would not guarantee.
            tokio::task::yield_now().await;
            let waited = began.elapsed();
            if waited >= deadline * PATIENCE {
                return Err(Overrun::Waited(deadline * PATIENCE));
            }
            if let Poll::Ready(output) = aside(|| turn(call.as_mut())) {
                return Ok(output);
            }
            ran += began.elapsed().saturating_sub(waited);
        }
        Err(Overrun::Ran(deadline))
    }
}

/// Runs a call to its end on a thread that may block, unless that takes too long.
pub(super) fn run_blocking<F: Future>(deadline: Duration, call: F) -> Result<F::Output, Overrun> {
    let mut call = pin!(call);
    let began = Instant::now();
    loop {
        if let Poll::Ready(output) = turn(call.as_mut()) {
            return Ok(output);
        }
        if began.elapsed() >= deadline {
            return Err(Overrun::Ran(deadline));
        }
    }
}

/// Runs a turn while another thread takes over the other tasks of this one. Runtimes with a single
/// thread cannot do that: their other tasks wait until the turn has ended.
fn aside<T>(turn: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(turn),
        _ => turn(),
    }
}

/// One turn. Nobody has to be woken: the caller comes back by itself.
fn turn<F: Future>(call: Pin<&mut F>) -> Poll<F::Output> {
    call.poll(&mut Context::from_waker(Waker::noop()))
}

/// Counts a slow call until it is dropped.
struct Slow<'s>(&'s AtomicU32);

impl<'s> Slow<'s> {
    fn begin(slow: &'s AtomicU32) -> Self {
        slow.fetch_add(1, Ordering::Relaxed);
        Self(slow)
    }
}

impl Drop for Slow<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{CallKind, Ordering, Overrun, Turns, run_blocking};
    use std::future::poll_fn;
    use std::sync::Mutex;
    use std::task::Poll;
    use std::time::Duration;

    const NEVER: Duration = Duration::from_secs(3_600);

    /// A call that takes that many turns and notes each of them.
    async fn call(turns: u32, name: &'static str, log: &Mutex<Vec<&'static str>>) {
        let mut taken = 0;
        poll_fn(|_| {
            log.lock().expect("whole").push(name);
            taken += 1;
            if taken == turns { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    #[tokio::test]
    async fn slow_calls_of_one_sort_take_turns_and_the_other_sort_goes_on() {
        let (turns, log) = (Turns::new(2), Mutex::default());
        let run = |kind, count, name| turns.run(kind, NEVER, call(count, name, &log));
        let (one, other, review) = futures::join!(
            run(CallKind::Reconcile, 3, "one"),
            run(CallKind::Reconcile, 3, "other"),
            run(CallKind::Review, 2, "review"),
        );
        assert_eq!((one, other, review), (Ok(()), Ok(()), Ok(())));
        let log = log.into_inner().expect("whole");
        assert_eq!(log, ["one", "other", "review", "one", "review", "other", "one", "other"]);
    }

    #[tokio::test]
    async fn first_turns_come_one_at_a_time_while_there_is_a_slow_call() {
        let (turns, log) = (Turns::new(2), Mutex::default());
        let held = turns.first.acquire().await.expect("open");
        // No slow call: nobody asks for the permit.
        turns.run(CallKind::Review, NEVER, call(1, "quick", &log)).await.expect("it ends");
        let slow = super::Slow::begin(&turns.slow);
        let mut waiting = std::pin::pin!(turns.run(CallKind::Review, NEVER, call(1, "next", &log)));
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(held);
        waiting.await.expect("it ends");
        drop(slow);
        assert_eq!(turns.slow.load(Ordering::Relaxed), 0);
        assert_eq!(*log.lock().expect("whole"), ["quick", "next"]);
    }

    #[tokio::test]
    async fn a_call_that_is_dropped_is_not_slow_any_more() {
        let (turns, log) = (Turns::new(2), Mutex::default());
        {
            let mut endless =
                std::pin::pin!(turns.run(CallKind::Review, NEVER, call(u32::MAX, "endless", &log)));
            assert!(futures::poll!(&mut endless).is_pending());
            assert_eq!(turns.slow.load(Ordering::Relaxed), 1);
        }
        assert_eq!(turns.slow.into_inner(), 0);
        assert_eq!(turns.reviews.available_permits(), 1);
    }

    #[tokio::test]
    async fn a_call_past_its_deadline_is_given_up() {
        let (turns, log) = (Turns::new(2), Mutex::default());
        let run = turns.run(CallKind::Review, Duration::ZERO, call(2, "late", &log));
        assert_eq!(run.await, Err(Overrun::Ran(Duration::ZERO)));
        let blocking = run_blocking(Duration::ZERO, call(2, "late", &log));
        assert_eq!(blocking, Err(Overrun::Ran(Duration::ZERO)));
        assert_eq!(log.into_inner().expect("whole"), ["late", "late"]);
        assert_eq!(run_blocking(NEVER, async { 7 }), Ok(7));
    }
}
