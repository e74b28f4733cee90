//! Security: clients without credentials cannot use up connections, slots or memory, so that others
//! go on being answered.
//!
//! A program of its own, because it opens nearly all descriptors that a process may have.

#[path = "all/common/mod.rs"]
mod common;

use bytes::Bytes;
use common::{Caller, PATIENCE, Protocol, Running, start, trusting, until};
use futures::StreamExt;
use http_body_util::StreamBody;
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use orascache_webhook::ServerLimits;
use rustls_pki_types::ServerName;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

type Frames = Pin<Box<dyn futures::Stream<Item = Result<Frame<Bytes>, std::io::Error>> + Send>>;
type StalledBody = StreamBody<Frames>;

/// A body that begins with `first` and never ends.
fn stalled_body(first: &[u8]) -> StalledBody {
    let first = futures::stream::iter([Ok(Frame::data(Bytes::copy_from_slice(first)))]);
    let frames: Frames = Box::pin(first.chain(futures::stream::pending()));
    StreamBody::new(frames)
}

/// Another address of this host, so that connections seem to come from several peers. Linux has all
/// of 127.0.0.0/8; elsewhere the connection comes from the usual address.
async fn connect_from(last: u8, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    // Without the bind, the test still runs, with one peer in place of several.
    let _ = socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), 0));
    socket.connect(to).await.unwrap()
}

async fn tls(running: &Running, stream: TcpStream, alpn: &str) -> TlsStream<TcpStream> {
    let mut config = trusting(std::slice::from_ref(&running.identity.der));
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

/// An HTTP/2 connection of an attacker.
struct Attacker {
    sender: SendRequest<StalledBody>,
    address: SocketAddr,
    _driver: JoinHandle<Result<(), hyper::Error>>,
}

impl Attacker {
    async fn connect(running: &Running, last: u8) -> Self {
        let stream = connect_from(last, running.address()).await;
        let stream = TokioIo::new(tls(running, stream, "h2").await);
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        Self { sender, address: running.address(), _driver: tokio::spawn(connection) }
    }

    /// Sends the headers of a review, the first bytes of its body, and then nothing more.
    fn stall(&mut self, first: &[u8]) -> JoinHandle<hyper::Result<http::Response<Incoming>>> {
        let request = http::Request::post(format!("https://{}/mutate?timeout=30s", self.address))
            .header("Content-Type", "application/json")
            .body(stalled_body(first))
            .unwrap();
        tokio::spawn(self.sender.send_request(request))
    }
}

/// Limits without any time that could end a stalled body during a test.
fn patient() -> ServerLimits {
    ServerLimits {
        deadline: PATIENCE,
        body_grace: PATIENCE,
        handshake: PATIENCE,
        first_request: PATIENCE,
        ..ServerLimits::default()
    }
}

/// File descriptors that this process may open (`Max open files` of /proc/self/limits).
fn descriptors() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(1024)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_streams_and_silent_connections_keep_nobody_from_being_answered() {
    // A connection takes two descriptors here, since client and server are one process.
    let silent_connections = 2_000.min((descriptors() - 300) / 2);
    let limits = ServerLimits {
        connections: 1_024.min(silent_connections / 2),
        connections_per_peer: 256.min(silent_connections / 4),
        ..patient()
    };
    let connections = limits.connections as u64;
    let running = start(limits).await;
    let reviewed = running.caller(Protocol::Http1);
    assert_eq!(reviewed.act("allow").await.unwrap().status, 200);

    let mut attackers = Vec::new();
    let mut stalled = Vec::new();
    for number in 0..4 {
        let mut attacker = Attacker::connect(&running, 2 + number).await;
        stalled.extend((0..100).map(|_| attacker.stall(b"{")));
        attackers.push(attacker);
    }
    until("400 bodies are arriving", async || running.in_flight() == 400).await;
    // More than `running` and `queued` together: none of them holds a slot.
    for protocol in [Protocol::Http1, Protocol::Http2] {
        assert_eq!(running.caller(protocol).act("allow").await.unwrap().status, 200);
    }

    let mut silent = Vec::new();
    for number in 0..silent_connections {
        silent.push(connect_from(2 + (number % 16) as u8, running.address()).await);
        // New clients are served all along, and within the deadline that their query names.
        if number % 250 == 249 {
            let caller = running.caller(Protocol::Http1);
            let answer = caller.post("/mutate?timeout=5s", "\"allow\"").await.unwrap();
            assert_eq!(answer.status, 200);
        }
    }
    until("the bound is held", async || {
        running.metric("webhook_connections") <= connections
            && running.metric("webhook_connections_evicted_total") + connections >= silent_connections as u64
    })
    .await;
    assert_eq!(reviewed.act("allow").await.unwrap().status, 200);
    assert_eq!(running.caller(Protocol::Http2).act("allow").await.unwrap().status, 200);
    drop((attackers, stalled, silent));
}

#[tokio::test]
async fn silent_connections_of_one_peer_are_bounded() {
    let running = start(ServerLimits { connections_per_peer: 8, ..patient() }).await;
    let other = connect_from(9, running.address()).await;
    let other = tls(&running, other, "http/1.1").await;
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(connect_from(2, running.address()).await);
    }
    until("the bound is held", async || {
        running.metric("webhook_connections") == 9
            && running.metric("webhook_connections_evicted_total") == 32
    })
    .await;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(other)).await.unwrap();
    let driver = tokio::spawn(connection);
    let request = http::Request::get("/healthz").header("Host", "localhost");
    let answer = sender.send_request(request.body(String::new()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200, "the connection of another peer stays open");
    driver.abort();
}

#[tokio::test]
async fn idle_tls_connections_make_room_for_new_ones() {
    let running = start(ServerLimits { connections: 4, ..patient() }).await;
    let reviewed = running.caller(Protocol::Http1);
    assert_eq!(reviewed.act("allow").await.unwrap().status, 200);
    let mut idle = Vec::new();
    for _ in 0..12 {
        let stream = TcpStream::connect(running.address()).await.unwrap();
        idle.push(tls(&running, stream, "http/1.1").await);
    }
    assert_eq!(running.metric("webhook_connections_evicted_total"), 9);
    assert_eq!(reviewed.act("allow").await.unwrap().status, 200);
    assert_eq!(
        running.metric("webhook_connections_evicted_total"),
        9,
        "a connection that had a review is evicted after those that had none"
    );
}

#[tokio::test]
async fn a_connection_whose_review_runs_is_not_evicted() {
    let running = start(ServerLimits { connections: 1, ..patient() }).await;
    let caller = running.caller(Protocol::Http1);
    let request = tokio::spawn({
        let caller = caller.clone();
        async move { caller.act("wait").await.unwrap().status }
    });
    until("the review runs", async || running.script.waiting.load(std::sync::atomic::Ordering::SeqCst) == 1)
        .await;
    assert!(running.caller(Protocol::Http1).act("allow").await.is_err(), "no connection is idle");
    running.script.turns.add_permits(1);
    assert_eq!(request.await.unwrap(), 200);
}

#[tokio::test]
async fn the_oldest_arriving_body_makes_room_for_a_new_one() {
    let running = start(ServerLimits { arriving_bodies: 10, ..patient() }).await;
    let mut attacker = Attacker::connect(&running, 2).await;
    let first = attacker.stall(b"{");
    until("the first body is arriving", async || running.in_flight() == 1).await;
    let stalled: Vec<_> = (0..10).map(|_| attacker.stall(b"{")).collect();
    assert_eq!(first.await.unwrap().unwrap().status(), 429);
    until("the bound is held", async || running.in_flight() == 10).await;
    assert_eq!(running.caller(Protocol::Http2).act("allow").await.unwrap().status, 200);
    assert_eq!(running.metric("webhook_bodies_evicted_total"), 2);
    drop(stalled);
}

#[tokio::test]
async fn stalled_bodies_give_their_memory_to_new_ones() {
    let running = start(ServerLimits { all_bodies_bytes: 64 << 10, ..patient() }).await;
    let mut attacker = Attacker::connect(&running, 2).await;
    let stalled = attacker.stall(&[b' '; 60 << 10]);
    until("the stalled body is arriving", async || running.in_flight() == 1).await;
    let mut body = b"\"allow\"".to_vec();
    body.resize(40 << 10, b' ');
    // Once the stalled body has arrived so far, the next new one takes its memory.
    let caller = running.caller(Protocol::Http1);
    until("the stalled body is evicted", async || {
        let answer = caller.post("/mutate", body.clone()).await.unwrap();
        assert_eq!(answer.status, 200);
        running.metric("webhook_bodies_evicted_total") == 1
    })
    .await;
    assert_eq!(stalled.await.unwrap().unwrap().status(), 429);
}

#[tokio::test]
async fn a_body_that_stalls_is_answered_408() {
    let limits = ServerLimits { body_grace: Duration::from_millis(100), ..patient() };
    let running = start(limits).await;
    let mut attacker = Attacker::connect(&running, 2).await;
    let answer = attacker.stall(b"{").await.unwrap().unwrap();
    assert_eq!(answer.status(), 408);
    until("nothing is left", async || running.in_flight() == 0).await;
}

#[tokio::test]
async fn streams_of_one_connection_are_bounded() {
    let running = start(ServerLimits { streams_per_connection: 10, ..patient() }).await;
    let mut attacker = Attacker::connect(&running, 2).await;
    let stalled: Vec<_> = (0..50).map(|_| attacker.stall(b"{")).collect();
    until("ten bodies are arriving", async || running.in_flight() == 10).await;
    // A review on another connection shows that the server has handled what it received before.
    let caller: Caller = running.caller(Protocol::Http2);
    assert_eq!(caller.act("allow").await.unwrap().status, 200);
    assert_eq!(running.in_flight(), 10);
    drop(stalled);
}
