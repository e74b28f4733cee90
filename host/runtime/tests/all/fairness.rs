//! Guests that never end leave room for everything else: the process answers, good calls are
//! answered, and what waits is bounded. Order and counters decide these tests; timeouts only end a
//! test that would hang.

use crate::guest::{context, load, observed};
use orascache_contract::{GuestError, Outcome, Response};
use orascache_runtime::{CallCounts, CallKind, CallLimits, Guest, Limits};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Ends a test that hangs.
const HANG: Duration = Duration::from_secs(120);
/// No call of these tests gets that far.
const NEVER: Duration = Duration::from_secs(3_600);
/// Three times as many as the runtimes of these tests have threads, for each sort.
const ENDLESS: u32 = 6;

fn limits(deadline: Duration, running: u32, waiting: u32) -> Limits {
    let calls = CallLimits { deadline, running, waiting };
    Limits { review: calls, reconcile: calls, ..Limits::default() }
}

async fn within<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(HANG, future).await.unwrap_or_else(|_| panic!("{what} hangs"))
}

/// Endless reviews and reconciles, all of which run.
async fn endless(guest: &Arc<Guest>) -> JoinSet<GuestError> {
    let mut calls = JoinSet::new();
    for _ in 0..ENDLESS {
        let (reviewing, reconciling) = (guest.clone(), guest.clone());
        calls.spawn(async move { reviewing.review("l", &context()).await.expect_err("endless") });
        calls.spawn(async move { reconciling.reconcile(&observed("l")).await.expect_err("endless") });
    }
    until(guest, CallKind::Review, CallCounts { running: ENDLESS, waiting: 0 }).await;
    until(guest, CallKind::Reconcile, CallCounts { running: ENDLESS, waiting: 0 }).await;
    calls
}

async fn until(guest: &Guest, kind: CallKind, counts: CallCounts) {
    let reached = async {
        while guest.engine().calls(kind) != counts {
            tokio::task::yield_now().await;
        }
    };
    within("reaching the number of calls", reached).await;
}

/// Answers one byte with another, as an endpoint for health does.
async fn health() -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        while let Ok(byte) = stream.read_u8().await {
            stream.write_u8(byte + 1).await.expect("an answer");
        }
    });
    TcpStream::connect(address).await.expect("a connection")
}

async fn ping(health: &mut TcpStream, byte: u8) -> u8 {
    health.write_u8(byte).await.expect("a request");
    health.read_u8().await.expect("an answer")
}

/// With endless calls on every thread, what else there is to do gets done, and good calls of both
/// sorts are answered. A lease is renewed by tasks with timers, as here.
async fn everything_else_goes_on() {
    let guest = load(limits(NEVER, 32, 0));
    let mut health = health().await;
    let mut calls = within("starting the endless calls", endless(&guest)).await;
    for round in 0..10 {
        assert_eq!(within("health", ping(&mut health, round)).await, round + 1);
        within("a timer", tokio::time::sleep(Duration::from_millis(1))).await;
        let outcome = within("a good review", guest.review("{}", &context())).await;
        assert_eq!(outcome, Ok(Outcome::Decided(Response::allowed(""))));
        let plan = within("a good reconcile", guest.reconcile(&observed("{}"))).await;
        assert_eq!(plan.expect("a plan").apply, ["{}"]);
    }
    let slow = within("a slow review", guest.review("s20000000", &context())).await;
    assert_eq!(slow, Ok(Outcome::Decided(Response::allowed(""))));
    assert!(calls.try_join_next().is_none(), "an endless call has ended");
    calls.shutdown().await;
    until(&guest, CallKind::Review, CallCounts::default()).await;
    until(&guest, CallKind::Reconcile, CallCounts::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_else_goes_on_beside_more_endless_calls_than_threads() {
    everything_else_goes_on().await;
}

#[tokio::test]
async fn everything_else_goes_on_beside_endless_calls_on_a_single_thread() {
    everything_else_goes_on().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_calls_are_stopped_at_their_deadline() {
    let mut limits = limits(Duration::from_millis(100), 32, 0);
    limits.reconcile.deadline = Duration::from_millis(150);
    let guest = load(limits);
    let mut calls = JoinSet::new();
    for _ in 0..ENDLESS {
        let (reviewing, reconciling) = (guest.clone(), guest.clone());
        calls.spawn(async move { ("100ms", "200ms", reviewing.review("l", &context()).await.map(drop)) });
        calls.spawn(async move { ("150ms", "300ms", reconciling.reconcile(&observed("l")).await.map(drop)) });
    }
    let mut stopped = 0;
    while let Some(ended) = within("stopping endless calls", calls.join_next()).await {
        let (ran, waited, result) = ended.expect("no panic");
        let Err(GuestError::Stopped(sentence)) = &result else { panic!("{result:?}") };
        // Which limit comes first depends on how many others run.
        let expected =
            [format!("more than {ran}"), format!("not ended after {waited}, while other calls ran")];
        assert!(expected.iter().any(|text| sentence.contains(text)), "{sentence}");
        stopped += 1;
    }
    assert_eq!(stopped, ENDLESS * 2);
    assert_eq!(guest.engine().calls(CallKind::Review), CallCounts::default());
    assert!(guest.review("{}", &context()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_and_waiting_reviews_are_bounded_and_reconciles_have_limits_of_their_own() {
    let guest = load(limits(NEVER, 2, 3));
    let mut calls = JoinSet::new();
    for _ in 0..5 {
        let guest = guest.clone();
        calls.spawn(async move { guest.review("l", &context()).await });
    }
    until(&guest, CallKind::Review, CallCounts { running: 2, waiting: 3 }).await;
    let refused = within("a refusal", guest.review("{}", &context())).await;
    let sentence = "2 reviews run and 3 wait, which is as many as may: ask again later";
    assert_eq!(refused, Err(GuestError::Busy(sentence.into())));
    let plan = within("a reconcile", guest.reconcile(&observed("{}"))).await;
    assert!(plan.is_ok(), "{plan:?}");
    calls.shutdown().await;
    until(&guest, CallKind::Review, CallCounts::default()).await;
    assert!(guest.review("{}", &context()).await.is_ok(), "there is room again");
}

/// An API server that gives up closes its connection, and the review's future is dropped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_call_gives_its_slot_back_and_its_instance_is_not_reused() {
    let guest = load(limits(NEVER, 1, 0));
    let counted = guest.reconcile(&observed("{}")).await.expect("a plan").requeue_after;
    assert_eq!(counted, Some(1));
    {
        let never_ends = observed("l");
        let mut endless = std::pin::pin!(guest.reconcile(&never_ends));
        tokio::select! {
            biased;
            ended = &mut endless => panic!("{ended:?}"),
            () = until(&guest, CallKind::Reconcile, CallCounts { running: 1, waiting: 0 }) => {}
        }
    }
    assert_eq!(guest.engine().calls(CallKind::Reconcile), CallCounts::default());
    let counted = guest.reconcile(&observed("{}")).await.expect("a plan").requeue_after;
    assert_eq!(counted, Some(1), "the instance of the dropped call is gone");
}
