//! How long an endpoint for health and good calls take beside endless calls, on a runtime of two
//! threads. Exits with 1 when the worst answer of the endpoint takes more than 200 ms.

#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

#[path = "../tests/all/guest/mod.rs"]
mod guest;

use guest::{context, load, observed};
use orascache_runtime::{CallKind, CallLimits, Guest, Limits};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Endless calls of each sort.
const ENDLESS: u32 = 16;
/// Answers that are measured.
const PINGS: usize = 200;
/// What the endpoint may take.
const TARGET: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("threads");
    let never = CallLimits { deadline: Duration::from_secs(3_600), running: 32, waiting: 0 };
    let guest = load(Limits { review: never, reconcile: never, ..Limits::default() });
    let address = runtime.block_on(serve());
    report("health, nothing else running", pings(address));
    runtime.block_on(loops(&guest));
    let worst = report(&format!("health beside {} endless calls", 2 * ENDLESS), pings(address));
    let reviews = runtime.block_on(runtime.spawn(reviews(guest))).expect("no panic");
    report("a good review beside them", reviews);
    // What a pool of as many threads would do: the system alone shares the processors.
    let threads = 2 * ENDLESS;
    for _ in 0..threads {
        std::thread::spawn(|| while std::hint::black_box(true) {});
    }
    runtime.shutdown_background();
    let alone = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let alone = alone.expect("threads");
    let address = alone.block_on(serve());
    report(&format!("for comparison: health beside {threads} threads that loop"), pings(address));
    if worst <= TARGET { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Answers bytes, as an endpoint for health answers requests.
async fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                while let Ok(byte) = stream.read_u8().await {
                    stream.write_u8(byte).await.expect("an answer");
                }
            });
        }
    });
    address
}

async fn loops(guest: &Arc<Guest>) {
    for _ in 0..ENDLESS {
        let (reviewing, reconciling) = (guest.clone(), guest.clone());
        tokio::spawn(async move { reviewing.review("l", &context()).await });
        tokio::spawn(async move { reconciling.reconcile(&observed("l")).await });
    }
    let running = |kind| guest.engine().calls(kind).running;
    while running(CallKind::Review) < ENDLESS || running(CallKind::Reconcile) < ENDLESS {
        tokio::task::yield_now().await;
    }
}

/// From a thread of its own: what somebody outside of the process sees.
fn pings(address: SocketAddr) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_nodelay(true).expect("set");
    let ping = |_| {
        std::thread::sleep(Duration::from_millis(7));
        let began = Instant::now();
        stream.write_all(b"x").expect("a request");
        stream.read_exact(&mut [0]).expect("an answer");
        began.elapsed()
    };
    (0..PINGS).map(ping).collect()
}

async fn reviews(guest: Arc<Guest>) -> Vec<Duration> {
    let mut times = Vec::new();
    for _ in 0..PINGS {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let began = Instant::now();
        guest.review("{}", &context()).await.expect("an answer");
        times.push(began.elapsed());
    }
    times
}

/// Prints the distribution, and returns the longest of the times.
fn report(what: &str, mut times: Vec<Duration>) -> Duration {
    times.sort();
    let at = |part: usize| times.get((times.len() - 1) * part / 100).copied().unwrap_or_default();
    println!("{what}: median {:?}, p99 {:?}, longest {:?}", at(50), at(99), at(100));
    at(100)
}
