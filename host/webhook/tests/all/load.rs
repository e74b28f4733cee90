//! Many requests at the same time: bounds, certificate changes, shutdown.

use crate::common;
use crate::common::{Caller, PATIENCE, PROTOCOLS, Protocol, identity, start, until};
use futures::future::join_all;
use orascache_webhook::ServerLimits;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn connections_are_reused() {
    for protocol in PROTOCOLS {
        // A second connection would evict the first.
        let running = start(ServerLimits { connections: 1, ..ServerLimits::default() }).await;
        let caller = running.caller(protocol);
        for _ in 0..20 {
            assert_eq!(caller.act("allow").await.unwrap().status, 200);
        }
        assert_eq!(running.metric("webhook_connections_evicted_total"), 0);
        assert_eq!(running.caller(protocol).act("allow").await.unwrap().status, 200);
        assert_eq!(running.metric("webhook_connections_evicted_total"), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_connections_are_answered() {
    let running = start(ServerLimits::default()).await;
    for protocol in PROTOCOLS {
        let callers: Vec<Caller> = (0..64).map(|_| running.caller(protocol)).collect();
        let answers = join_all(callers.iter().map(|caller| async {
            let mut statuses = Vec::new();
            for _ in 0..5 {
                statuses.push(caller.act("allow").await.unwrap().status.as_u16());
            }
            statuses
        }))
        .await;
        assert!(answers.concat().iter().all(|status| *status == 200));
    }
}

#[tokio::test]
async fn reviews_beyond_the_slots_get_429() {
    let limits = ServerLimits { running: 2, queued: 3, deadline: PATIENCE, ..ServerLimits::default() };
    for protocol in PROTOCOLS {
        let running = start(limits.clone()).await;
        let caller = running.caller(protocol);
        let waiting: Vec<_> = (0..5)
            .map(|_| {
                let caller = caller.clone();
                tokio::spawn(async move { caller.act("wait").await.unwrap().status.as_u16() })
            })
            .collect();
        until("a sixth review gets 429", async || {
            running.in_flight() == 5 && caller.act("allow").await.unwrap().status == 429
        })
        .await;
        assert!(running.script.waiting.load(Ordering::SeqCst) <= 2);
        let answer = caller.act("allow").await.unwrap();
        assert_eq!(answer.status, 429);
        assert_eq!(answer.headers["retry-after"], "1");
        assert!(answer.text().contains("try again"), "{}", answer.text());
        running.script.turns.add_permits(5);
        for waiting in waiting {
            assert_eq!(waiting.await.unwrap(), 200);
        }
        assert_eq!(caller.act("allow").await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn all_bodies_share_a_bound_of_memory() {
    let limits = ServerLimits { all_bodies_bytes: 64 << 10, deadline: PATIENCE, ..ServerLimits::default() };
    let running = start(limits).await;
    let caller = running.caller(Protocol::Http2);
    let mut body = b"\"wait\"".to_vec();
    body.resize(40 << 10, b' ');
    let first = tokio::spawn({
        let (caller, body) = (caller.clone(), body.clone());
        async move { caller.post("/mutate?timeout=30s", body).await.unwrap().status.as_u16() }
    });
    until("the first review runs", async || running.script.waiting.load(Ordering::SeqCst) == 1).await;
    let answer = caller.post("/mutate?timeout=30s", body.clone()).await.unwrap();
    assert_eq!(answer.status, 429);
    assert!(answer.text().contains("memory"), "{}", answer.text());
    running.script.turns.add_permits(2);
    assert_eq!(first.await.unwrap(), 200);
    assert_eq!(caller.post("/mutate?timeout=30s", body).await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_fails_no_request() {
    let running = start(ServerLimits::default()).await;
    let identities: Vec<_> = (0..10).map(|_| identity()).collect();
    let mut roots = vec![running.identity.der.clone()];
    roots.extend(identities.iter().map(|identity| identity.der.clone()));
    let done = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicUsize::new(0));
    let mut load = Vec::new();
    for protocol in PROTOCOLS {
        for keeps_connection in [true, false] {
            let (address, roots) = (running.address(), roots.clone());
            let (done, count) = (done.clone(), count.clone());
            load.push(tokio::spawn(async move {
                let mut caller = Caller::new(address, protocol, &roots);
                while !done.load(Ordering::SeqCst) {
                    if !keeps_connection {
                        caller = Caller::new(address, protocol, &roots);
                    }
                    let answer = caller.act("allow").await.expect("a request failed");
                    assert_eq!(answer.status, 200);
                    count.fetch_add(1, Ordering::SeqCst);
                }
            }));
        }
    }
    for identity in &identities {
        let before = count.load(Ordering::SeqCst);
        running.resolver.replace_pem(identity.certificate.as_bytes(), identity.key.as_bytes()).unwrap();
        until("requests go on", async || count.load(Ordering::SeqCst) > before + 20).await;
    }
    done.store(true, Ordering::SeqCst);
    for task in load {
        task.await.unwrap();
    }
    // New connections get the last certificate.
    let last = std::slice::from_ref(&identities[9].der);
    assert!(Caller::new(running.address(), Protocol::Http2, last).act("allow").await.is_ok());
    assert!(running.caller(Protocol::Http2).act("allow").await.is_err());
}

#[tokio::test]
async fn shutdown_lets_running_requests_finish() {
    for protocol in PROTOCOLS {
        let running =
            start(ServerLimits { deadline: PATIENCE, shutdown: PATIENCE, ..ServerLimits::default() }).await;
        let caller = running.caller(protocol);
        let idle = running.caller(protocol);
        assert_eq!(idle.act("allow").await.unwrap().status, 200);
        let request = tokio::spawn(async move { caller.act("wait").await.unwrap().status });
        until("the review runs", async || running.script.waiting.load(Ordering::SeqCst) == 1).await;
        let (server, script) = (running.server, running.script);
        let address = server.local_addr();
        let stopping = tokio::spawn(server.shutdown());
        until("connections are refused", async || TcpStream::connect(address).await.is_err()).await;
        assert!(!stopping.is_finished());
        script.turns.add_permits(1);
        assert_eq!(request.await.unwrap(), 200);
        tokio::time::timeout(PATIENCE, stopping).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn shutdown_drops_reviews_that_do_not_end() {
    let limits =
        ServerLimits { deadline: PATIENCE, shutdown: Duration::from_millis(50), ..ServerLimits::default() };
    let running = start(limits).await;
    let caller = running.caller(Protocol::Http2);
    let request = tokio::spawn(async move { caller.act("wait").await });
    until("the review runs", async || running.script.waiting.load(Ordering::SeqCst) == 1).await;
    tokio::time::timeout(PATIENCE, running.server.shutdown()).await.unwrap();
    assert!(request.await.unwrap().is_err());
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let short = Duration::from_millis(50);
    let limits =
        ServerLimits { handshake: short, first_request: short, idle: short, ..ServerLimits::default() };
    let running = start(limits).await;
    // No handshake.
    let mut silent = TcpStream::connect(running.address()).await.unwrap();
    silent.write_all(&[0x16, 0x03]).await.unwrap();
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, silent.read_to_end(&mut rest)).await.expect("the server waits");
    // A finished handshake, and then nothing or an unfinished request.
    for (alpn, bytes) in [("http/1.1", ""), ("http/1.1", "POST /mutate HT"), ("h2", ""), ("h2", "PRI * HTT")]
    {
        let mut config = common::trusting(std::slice::from_ref(&running.identity.der));
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        let stream = TcpStream::connect(running.address()).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let name = rustls_pki_types::ServerName::try_from("localhost").unwrap();
        let mut stream = connector.connect(name, stream).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let closed = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "{alpn} with {bytes:?} stays open");
    }
    assert_eq!(running.caller(Protocol::Http2).act("allow").await.unwrap().status, 200);
}
