//! The answers to all kinds of requests, over both protocols.

use crate::common;
use crate::common::{Answer, Caller, PROTOCOLS, Protocol, Running, start, start_uncooperative, trusting};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::{TokioExecutor, TokioIo};
use orascache_webhook::ServerLimits;
use rustls_pki_types::ServerName;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const MIB: usize = 1 << 20;

fn refused(answer: &Answer, status: u16, says: &str) {
    assert_eq!(answer.status.as_u16(), status, "{answer:?}");
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    assert!(answer.text().contains(says), "{}", answer.text());
}

async fn connect(running: &Running, alpn: &[&[u8]]) -> TlsStream<TcpStream> {
    let mut config = trusting(std::slice::from_ref(&running.identity.der));
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let stream = TcpStream::connect(running.address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

/// Writes the bytes of a request, optionally ends the sending side, and reads until the server
/// closes.
async fn raw(running: &Running, request: &[u8], end: bool) -> String {
    let mut stream = connect(running, &[b"http/1.1"]).await;
    stream.write_all(request).await.unwrap();
    stream.flush().await.unwrap();
    if end {
        stream.shutdown().await.unwrap();
    }
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    // The connection may end with an error; only what came before it counts.
    let _ = tokio::time::timeout(common::PATIENCE, read).await.expect("the server hangs");
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn reviews_are_answered() {
    let running = start(ServerLimits::default()).await;
    for protocol in PROTOCOLS {
        let caller = running.caller(protocol);
        for path in ["/mutate", "/mutate?timeout=5s", "/validate?timeout=10s"] {
            let answer = caller.post(path, "{}").await.unwrap();
            assert_eq!(answer.status, 200);
            assert_eq!(answer.headers["content-type"], "application/json");
            let response = json!({"uid": "u", "allowed": true, "patchType": "JSONPatch", "patch": "W10="});
            assert_eq!(answer.json()["response"], response);
        }
        let answer = caller.act("refuse").await.unwrap();
        let status = json!({"code": 403, "message": "not this one", "reason": "Forbidden"});
        assert_eq!(answer.status, 200, "a refusal is an answer, not an HTTP error");
        assert_eq!(answer.json()["response"], json!({"uid": "u", "allowed": false, "status": status}));
    }
}

#[tokio::test]
async fn unusable_requests_get_a_status_and_a_sentence() {
    let running = start(ServerLimits::default()).await;
    for protocol in PROTOCOLS {
        let caller = running.caller(protocol);
        refused(&caller.post("/mutate", "").await.unwrap(), 400, "no body");
        refused(&caller.post("/mutate", "{\"a\":").await.unwrap(), 400, "not JSON");
        refused(&caller.post("/mutate", b"\"\xff\"".to_vec()).await.unwrap(), 400, "not UTF-8");
        refused(&caller.post("/Mutate", "{}").await.unwrap(), 404, "/validate");
        refused(&caller.post("/", "{}").await.unwrap(), 404, "/mutate");
        let answer = caller.get("/mutate").await.unwrap();
        refused(&answer, 405, "POST");
        assert_eq!(answer.headers["allow"], "POST");
        for content_type in [None, Some("application/yaml"), Some("application/jsonx"), Some("text/plain")] {
            let mut request = caller.request("POST", "/validate");
            if let Some(content_type) = content_type {
                request = request.header("Content-Type", content_type);
            }
            let answer = caller.send(request.body(Full::new("{}".into())).unwrap()).await.unwrap();
            refused(&answer, 415, "application/json");
        }
        let request =
            caller.request("POST", "/validate").header("Content-Type", "Application/JSON; charset=utf-8");
        assert_eq!(caller.send(request.body(Full::new("{}".into())).unwrap()).await.unwrap().status, 200);
        refused(&caller.act("fail").await.unwrap(), 500, "the API is away");
    }
}

#[tokio::test]
async fn health_is_answered() {
    let running = start(ServerLimits::default()).await;
    for protocol in PROTOCOLS {
        let caller = running.caller(protocol);
        for path in ["/healthz", "/readyz"] {
            let answer = caller.get(path).await.unwrap();
            assert_eq!((answer.status.as_u16(), answer.text()), (200, "ok"));
            let answer = caller.post(path, "{}").await.unwrap();
            refused(&answer, 405, "GET");
            assert_eq!(answer.headers["allow"], "GET, HEAD");
        }
    }
}

#[tokio::test]
async fn a_panic_fails_only_its_own_request() {
    for running in [start(ServerLimits::default()).await, start_uncooperative(ServerLimits::default()).await]
    {
        for protocol in PROTOCOLS {
            let caller = running.caller(protocol);
            refused(&caller.act("panic").await.unwrap(), 500, "defect");
            assert_eq!(caller.act("allow").await.unwrap().status, 200);
        }
        let metrics = running.metrics();
        for line in [
            "controller_runtime_webhook_panics_total{webhook=\"/mutate\"} 2",
            "controller_runtime_webhook_requests_total{webhook=\"/mutate\",code=\"500\"} 2",
            "controller_runtime_webhook_requests_total{webhook=\"/mutate\",code=\"200\"} 2",
            "controller_runtime_webhook_requests_in_flight{webhook=\"/mutate\"} 0",
            "controller_runtime_webhook_latency_seconds_count{webhook=\"/mutate\"} 4",
        ] {
            assert!(metrics.lines().any(|found| found == line), "{line} is missing in\n{metrics}");
        }
    }
}

#[tokio::test]
async fn bodies_up_to_the_limit_are_reviewed() {
    let running = start(ServerLimits::default()).await;
    for protocol in PROTOCOLS {
        let caller = running.caller(protocol);
        let mut body = vec![b' '; 7 * MIB];
        body[0] = b'1';
        assert_eq!(caller.post("/mutate", body.clone()).await.unwrap().status, 200);
        body.push(b' ');
        refused(&caller.post("/mutate", body).await.unwrap(), 413, "7340032");
        assert_eq!(caller.act("allow").await.unwrap().status, 200);
    }
}

/// Bodies without Content-Length.
#[tokio::test]
async fn a_body_without_a_declared_length_is_bounded() {
    let running = start(ServerLimits::default()).await;
    let pieces = || {
        let pieces =
            (0..7 * 16 + 1).map(|_| Ok::<_, std::io::Error>(Frame::data(Bytes::from(vec![b' '; MIB / 16]))));
        StreamBody::new(futures::stream::iter(pieces))
    };
    let request = || {
        http::Request::post(format!("https://{}/mutate", running.address()))
            .header("Host", "localhost")
            .header("Content-Type", "application/json")
            .body(pieces())
            .unwrap()
    };
    let stream = TokioIo::new(connect(&running, &[b"http/1.1"]).await);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    let driver = tokio::spawn(connection);
    let response = sender.send_request(request()).await.unwrap();
    assert_eq!(response.status(), 413);
    assert!(response.into_body().collect().await.unwrap().to_bytes().starts_with(b"the body is longer"));
    driver.abort();

    let stream = TokioIo::new(connect(&running, &[b"h2"]).await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    let driver = tokio::spawn(connection);
    let response = sender.send_request(request()).await.unwrap();
    assert_eq!(response.status(), 413);
    driver.abort();
    assert_eq!(running.caller(Protocol::Http2).act("allow").await.unwrap().status, 200);
}

#[tokio::test]
async fn broken_requests_are_refused() {
    let limits = ServerLimits { body_grace: Duration::from_millis(200), ..ServerLimits::default() };
    let running = start(limits).await;
    let head = "POST /mutate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let truncated = format!("{head}Content-Length: 100\r\n\r\n{{\"a\":");
    let answer = raw(&running, truncated.as_bytes(), true).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("broke off"), "{answer}");
    // The rest never comes.
    let answer = raw(&running, truncated.as_bytes(), false).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let chunks = format!("{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n");
    assert!(raw(&running, chunks.as_bytes(), true).await.starts_with("HTTP/1.1 400 "));
    assert!(raw(&running, b"\x00\x01garbage\r\n\r\n", true).await.starts_with("HTTP/1.1 400 "));
    // A client that waits for 100 Continue gets the refusal instead.
    let expecting =
        format!("{head}Expect: 100-continue\r\nContent-Length: 99999999\r\nConnection: close\r\n\r\n");
    assert!(raw(&running, expecting.as_bytes(), false).await.starts_with("HTTP/1.1 413 "));

    // A client without TLS.
    let mut plain = TcpStream::connect(running.address()).await.unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(common::PATIENCE, plain.read_to_end(&mut answer)).await.unwrap();
    assert!(!answer.starts_with(b"HTTP"));

    let caller: Caller = running.caller(Protocol::Http1);
    assert_eq!(caller.act("allow").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_review_ends_at_its_deadline() {
    let running = start(ServerLimits { running: 1, queued: 8, ..ServerLimits::default() }).await;
    for (turn, protocol) in PROTOCOLS.into_iter().enumerate() {
        let caller = running.caller(protocol);
        refused(&caller.post("/mutate?timeout=100ms", "\"wait\"").await.unwrap(), 504, "90ms");
        common::until("the review is dropped", async || {
            running.script.dropped.load(std::sync::atomic::Ordering::SeqCst) == turn + 1
        })
        .await;
        assert_eq!(caller.act("allow").await.unwrap().status, 200, "its slot is free again");
    }
}

/// A review that computes without awaiting cannot be stopped, but its request is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_request_is_answered_at_its_deadline_while_the_review_computes() {
    let limits = ServerLimits { running: 1, queued: 8, ..ServerLimits::default() };
    let running = start_uncooperative(limits).await;
    let caller = running.caller(Protocol::Http1);
    refused(&caller.post("/mutate?timeout=500ms", "\"block\"").await.unwrap(), 504, "450ms");
    // It still holds the only turn, so that the next review waits in vain.
    refused(&caller.post("/mutate?timeout=500ms", "{}").await.unwrap(), 504, "other reviews");
    assert_eq!(caller.act("allow").await.unwrap().status, 200);
}
