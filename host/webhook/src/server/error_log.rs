//! Log messages about errors, of clients and of this server.
//!
//! Everybody who reaches the port can cause them, and an API server repeats its requests. Of each
//! kind the first one is logged, and then their number once a minute. What a reviewer decides is no
//! error.

use http::StatusCode;
use orascache_telemetry::RepeatedMessages;
use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

/// Time between two messages of a kind.
const PERIOD: Duration = Duration::from_secs(60);

/// A kind of error. There are as many as there are paths and statuses, however many clients there
/// are.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum ErrorKind {
    Request { path: &'static str, status: StatusCode },
    Alert,
    Accept,
    Full,
}

/// Logs errors.
pub(super) struct ErrorLog(RepeatedMessages<ErrorKind>);

impl Default for ErrorLog {
    fn default() -> Self {
        Self(RepeatedMessages::new(PERIOD))
    }
}

impl ErrorLog {
    /// A request that gets an HTTP error. `path` tells kinds apart, and `asked` is what the client
    /// asked for.
    pub(super) fn request(&self, path: &'static str, asked: &str, status: StatusCode, sentence: &str) {
        let code = status.as_u16();
        let kind = ErrorKind::Request { path, status };
        let summarize = move |count| {
            tracing::warn!(path, status = code, count, "further requests were answered with this error");
        };
        if self.0.is_first(kind, summarize) {
            tracing::warn!(path = asked, status = code, "request refused: {sentence}");
        }
    }

    /// A client that ended the handshake: mostly an API server that does not trust the certificate.
    pub(super) fn alert(&self, peer: SocketAddr, error: &dyn Display) {
        let summarize = |count| tracing::warn!(count, "further TLS handshakes were ended by clients");
        if self.0.is_first(ErrorKind::Alert, summarize) {
            tracing::warn!(%peer, "the client ended the TLS handshake: {error}");
        }
    }

    /// A connection that the system could not accept.
    pub(super) fn accept(&self, error: &dyn Display) {
        let summarize = |count| tracing::warn!(count, "further connections could not be accepted");
        if self.0.is_first(ErrorKind::Accept, summarize) {
            tracing::warn!("a connection cannot be accepted: {error}");
        }
    }

    /// A connection that was closed since all others are in use.
    pub(super) fn full(&self, peer: SocketAddr) {
        let summarize = |count| tracing::warn!(count, "further connections were closed at once");
        if self.0.is_first(ErrorKind::Full, summarize) {
            tracing::warn!(
                %peer,
                "the bound of open connections is reached and none of them is idle; \
                 further connections are closed"
            );
        }
    }
}
