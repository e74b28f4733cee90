//! Security: what clients cause cannot fill the log, and decisions are no warnings.

use crate::common;
use crate::common::{Caller, Protocol, start};
use orascache_telemetry::testing::CapturedLog;
use orascache_webhook::ServerLimits;
use rustls_pki_types::CertificateDer;

/// How often a client repeats what it does.
const TIMES: usize = 20;

#[tokio::test]
async fn a_refused_review_is_a_decision_and_no_warning() {
    let log = CapturedLog::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let running = start(ServerLimits::default()).await;
    for _ in 0..TIMES {
        assert_eq!(running.caller(Protocol::Http1).act("refuse").await.unwrap().status, 200);
    }
    assert_eq!(log.warnings(), [""; 0]);
    let decisions = log.messages().into_iter().filter(|message| message.text.contains("review refused"));
    assert!(decisions.clone().all(|message| message.level == tracing::Level::DEBUG));
    assert_eq!(decisions.count(), TIMES);
}

#[tokio::test]
async fn each_kind_of_error_is_logged_once_at_first() {
    let log = CapturedLog::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let running = start(ServerLimits::default()).await;
    let caller = running.caller(Protocol::Http1);
    for number in 0..TIMES {
        assert_eq!(caller.post("/mutate", "").await.unwrap().status, 400);
        assert_eq!(caller.act("fail").await.unwrap().status, 500);
        // What clients choose makes no kinds of its own.
        assert_eq!(caller.post(&format!("/{number}"), "{}").await.unwrap().status, 404);
    }
    let warnings = log.warnings();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    for part in ["there is no body", "the API is away", "there is nothing at this path"] {
        assert!(warnings.iter().any(|warning| warning.contains(part)), "{part}: {warnings:?}");
    }
}

#[tokio::test]
async fn handshakes_that_clients_end_are_logged_once_at_first() {
    let log = CapturedLog::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let running = start(ServerLimits::default()).await;
    let trusted: [CertificateDer<'static>; 0] = [];
    for _ in 0..TIMES {
        Caller::new(running.address(), Protocol::Http1, &trusted).act("allow").await.unwrap_err();
    }
    // The server has handled an earlier connection once it answers a later one.
    let handled = |log: &CapturedLog| {
        log.warnings().iter().filter(|warning| warning.contains("ended the TLS handshake")).count()
    };
    common::until("the handshakes have ended", async || handled(&log) >= 1).await;
    assert_eq!(running.caller(Protocol::Http1).act("allow").await.unwrap().status, 200);
    assert_eq!(log.warnings().len(), 1, "{:?}", log.warnings());
}
