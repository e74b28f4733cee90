//! Serves one connection: handshake, requests, and its end.

use super::connection_table::AdmittedConnection;
use super::error_log::ErrorLog;
use super::handler::Handler;
use super::http2_requests::{NewRequests, WithRequests};
use super::hyper_connection::Connection;
use super::in_place::InPlace;
use super::limits::ServerLimits;
use super::tls::{H2, Tls};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio::task::coop;
use tokio::time::Instant;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

/// Flow-control window of a request on HTTP/2, and of all requests of one connection: what hyper
/// buffers before the handler reads it. The second one is multiplied by the number of connections.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 128 << 10;
/// Bytes of all headers of a request.
const HEADERS: u32 = 32 << 10;
/// Bytes that are read from a socket at once: the largest TLS record. rustls alone reads 4 KiB at
/// once, so that a review takes it two or three system calls.
const READ_BUFFER: usize = 16 << 10;
/// Time between two HTTP/2 pings, and the time for an answer.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// What all connections share.
pub(super) struct ConnectionServer {
    handler: Handler,
    errors: Arc<ErrorLog>,
    http1: http1::Builder,
    limits: ServerLimits,
    /// When cancelled: no new requests; running ones finish.
    pub(super) stop: CancellationToken,
    /// When cancelled: running requests are dropped.
    pub(super) abandon: CancellationToken,
}

/// Counts the requests of one connection.
#[derive(Default)]
struct RequestCounter {
    started: AtomicU64,
    ended: AtomicU64,
}

impl ConnectionServer {
    pub(super) fn new(handler: Handler, errors: Arc<ErrorLog>, limits: ServerLimits) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            // A timer for each request costs more than its headers. Whoever sends headers slowly has
            // begun no request, and `drive` closes such connections.
            .header_read_timeout(None)
            .max_buf_size(HEADERS.max(STREAM_WINDOW) as usize);
        Self {
            handler,
            errors,
            http1,
            limits,
            stop: CancellationToken::new(),
            abandon: CancellationToken::new(),
        }
    }

    /// Serves a connection until either side ends it, or until it is evicted. When the client CA is
    /// replaced, running requests finish and the connection ends.
    pub(super) async fn serve(
        self: Arc<Self>,
        tls: Tls,
        stream: TcpStream,
        peer: SocketAddr,
        connection: AdmittedConnection,
    ) {
        // Answers are written whole: waiting for more data to send only adds latency.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, "TCP_NODELAY cannot be set: {error}");
        }
        let stream = BufReader::with_capacity(READ_BUFFER, stream);
        let handshake = tokio::time::timeout(self.limits.handshake, tls.acceptor.accept(stream));
        let stream = tokio::select! {
            biased;
            () = self.stop.cancelled() => return,
            () = tls.replaced.cancelled() => return,
            () = connection.evicted() => return,
            stream = handshake => stream,
        };
        match stream {
            Ok(Ok(stream)) => self.serve_requests(&tls, stream, peer, connection).await,
            Ok(Err(error)) if is_alert(&error) => self.errors.alert(peer, &error),
            Ok(Err(error)) => tracing::debug!(%peer, "TLS handshake failed: {error}"),
            Err(_) => tracing::debug!(%peer, "TLS handshake not finished in {:?}", self.limits.handshake),
        }
    }

    /// How HTTP/2 is served, with the executor of one connection.
    fn http2(&self, requests: NewRequests) -> http2::Builder<NewRequests> {
        let mut http2 = http2::Builder::new(requests);
        http2
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .max_concurrent_streams(self.limits.streams_per_connection.max(1))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEADERS);
        http2
    }

    async fn serve_requests(
        self: &Arc<Self>,
        tls: &Tls,
        stream: TlsStream<BufReader<TcpStream>>,
        peer: SocketAddr,
        admitted: AdmittedConnection,
    ) {
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(H2);
        let requests = Requests { counter: Arc::default(), admitted: Arc::new(admitted) };
        let (server, begun) = (self.clone(), requests.clone());
        let service = service_fn(move |request: http::Request<Incoming>| {
            let (server, admitted) = (server.clone(), begun.admitted.clone());
            let running = begun.begin();
            async move {
                let _running = running;
                Ok::<_, Infallible>(server.handler.answer(request, &admitted).await)
            }
        });
        let stream = TokioIo::new(stream);
        if is_http2 {
            let new = NewRequests::default();
            let connection = self.http2(new.clone()).serve_connection(stream, service);
            self.drive(WithRequests::new(connection, new), tls, peer, &requests).await;
        } else {
            self.drive(self.http1.serve_connection(stream, service), tls, peer, &requests).await;
        }
    }

    /// Runs a connection to its end.
    async fn drive(
        &self,
        connection: impl Connection + Send,
        tls: &Tls,
        peer: SocketAddr,
        requests: &Requests,
    ) {
        let Requests { counter, admitted } = requests;
        let mut connection = InPlace::new(connection);
        let mut closing: Option<Instant> = None;
        let mut seen = 0;
        let mut check = pin!(tokio::time::sleep(self.limits.first_request));
        let abandoned = pin!(self.abandon.cancelled().map(|()| Signal::Abandoned));
        let evicted = pin!(admitted.evicted().map(|()| Signal::Evicted));
        let stopped = pin!(self.stop.cancelled().map(|()| Signal::Stopped));
        let replaced = pin!(tls.replaced.cancelled().map(|()| Signal::Replaced));
        // Signals are rare, and asking for one costs a lock that all connections share. This set
        // asks only for those that woke the task.
        let signals: [Pin<&mut (dyn Future<Output = Signal> + Send)>; 4] =
            [abandoned, evicted, stopped, replaced];
        let mut signals: FuturesUnordered<_> = signals.into_iter().collect();
        loop {
            tokio::select! {
                biased;
                result = &mut connection => {
                    if let Err(error) = result {
                        tracing::debug!(%peer, "connection ended: {error}");
                    }
                    return;
                }
                Some(signal) = signals.next() => {
                    if signal == Signal::Abandoned {
                        return;
                    }
                    if closing.is_some() {
                        continue;
                    }
                    closing = Some(Instant::now());
                    connection.future().graceful_shutdown();
                    // A review that took a slot at the last moment finishes. Otherwise one poll
                    // sends the GOAWAY of HTTP/2, as far as the client reads it.
                    if signal == Signal::Evicted && admitted.is_idle() {
                        let _ = futures::poll!(&mut connection);
                        return;
                    }
                    if signal != Signal::Stopped {
                        check.as_mut().reset(Instant::now() + self.limits.first_request);
                    }
                }
                // A client that always has something to send uses up what the scheduler grants.
                () = coop::unconstrained(check.as_mut()) => {
                    let started = counter.started.load(Ordering::Relaxed);
                    let idle = started == seen && started == counter.ended.load(Ordering::Relaxed);
                    seen = started;
                    if closing.is_some_and(|since| idle || is_over(since.elapsed(), &self.limits)) {
                        return;
                    }
                    if idle {
                        closing = Some(Instant::now());
                        connection.future().graceful_shutdown();
                    }
                    let next = if closing.is_some() { self.limits.first_request } else { self.limits.idle };
                    check.as_mut().reset(Instant::now() + next);
                }
            }
        }
    }
}

/// Whether a connection that has been closing for some time had enough for every request that it
/// had. A client of HTTP/2 that does not confirm the end goes on sending requests, which are answered
/// as if they had been under way.
fn is_over(closing: Duration, limits: &ServerLimits) -> bool {
    closing >= limits.deadline + limits.first_request
}

/// What may happen to a connection, beside its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    /// Running requests are dropped, too.
    Abandoned,
    /// A new connection has taken its place.
    Evicted,
    /// The server ends.
    Stopped,
    /// Another client CA is in force.
    Replaced,
}

/// The requests of one connection.
#[derive(Clone)]
struct Requests {
    counter: Arc<RequestCounter>,
    admitted: Arc<AdmittedConnection>,
}

impl Requests {
    fn begin(&self) -> RunningRequest {
        self.counter.started.fetch_add(1, Ordering::Relaxed);
        self.admitted.note_request();
        RunningRequest(self.counter.clone())
    }
}

/// A request that runs until this is dropped, also when the client disconnects.
struct RunningRequest(Arc<RequestCounter>);

impl Drop for RunningRequest {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether the client sent a TLS alert.
fn is_alert(error: &std::io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    matches!(cause, Some(rustls::Error::AlertReceived(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn security_a_connection_that_goes_on_with_requests_is_closed_when_earlier_ones_had_their_time() {
        let limits = ServerLimits::default();
        assert!(!is_over(limits.deadline, &limits), "a request of the last moment is answered");
        assert!(is_over(limits.deadline + limits.first_request, &limits));
    }
}
