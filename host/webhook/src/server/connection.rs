//! Serves one connection: handshake, requests, and its end.

use super::connection_table::AdmittedConnection;
use super::error_log::ErrorLog;
use super::handler::Handler;
use super::limits::ServerLimits;
use super::tls::{H2, Tls};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

/// Flow-control window of a request on HTTP/2, and of all requests of one connection: what hyper
/// buffers before the handler reads it. The second one is multiplied by the number of connections.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 128 << 10;
/// Bytes of all headers of a request.
const HEADERS: u32 = 32 << 10;
/// Time between two HTTP/2 pings, and the time for an answer.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// What all connections share.
pub(super) struct ConnectionServer {
    handler: Handler,
    errors: Arc<ErrorLog>,
    http1: Builder<TokioExecutor>,
    http2: Builder<TokioExecutor>,
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
        let mut http1 = Builder::new(TokioExecutor::new()).http1_only();
        http1
            .http1()
            .timer(TokioTimer::new())
            // This timer also runs between requests, so that it must not be shorter than `idle`.
            .header_read_timeout(limits.idle)
            .max_buf_size(HEADERS.max(STREAM_WINDOW) as usize);
        let mut http2 = Builder::new(TokioExecutor::new()).http2_only();
        http2
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .max_concurrent_streams(limits.streams_per_connection.max(1))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEADERS);
        Self {
            handler,
            errors,
            http1,
            http2,
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

    async fn serve_requests(
        self: &Arc<Self>,
        tls: &Tls,
        stream: TlsStream<TcpStream>,
        peer: SocketAddr,
        admitted: AdmittedConnection,
    ) {
        let builder = if stream.get_ref().1.alpn_protocol() == Some(H2) { &self.http2 } else { &self.http1 };
        let counter = Arc::new(RequestCounter::default());
        let admitted = Arc::new(admitted);
        let service = service_fn(|request: http::Request<Incoming>| {
            let (server, counter, admitted) = (self.clone(), counter.clone(), admitted.clone());
            counter.started.fetch_add(1, Ordering::Relaxed);
            admitted.note_request();
            async move {
                let _running = RunningRequest(counter);
                Ok::<_, Infallible>(server.handler.answer(request, &admitted).await)
            }
        });
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut closing = false;
        let mut seen = 0;
        let mut check = pin!(tokio::time::sleep(self.limits.first_request));
        let mut evicted = pin!(admitted.evicted());
        loop {
            tokio::select! {
                result = connection.as_mut() => {
                    if let Err(error) = result {
                        tracing::debug!(%peer, "connection ended: {error}");
                    }
                    return;
                }
                () = self.abandon.cancelled() => return,
                () = evicted.as_mut(), if !closing => {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                    // A review that took a slot at the last moment finishes. Otherwise one poll
                    // sends the GOAWAY of HTTP/2, as far as the client reads it.
                    if admitted.is_idle() {
                        let _ = futures::poll!(connection.as_mut());
                        return;
                    }
                    check.as_mut().reset(Instant::now() + self.limits.first_request);
                }
                () = self.stop.cancelled(), if !closing => {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = tls.replaced.cancelled(), if !closing => {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                    check.as_mut().reset(Instant::now() + self.limits.first_request);
                }
                () = check.as_mut() => {
                    let started = counter.started.load(Ordering::Relaxed);
                    let idle = started == seen && started == counter.ended.load(Ordering::Relaxed);
                    seen = started;
                    if idle && closing {
                        return;
                    }
                    if idle {
                        closing = true;
                        connection.as_mut().graceful_shutdown();
                    }
                    let next = if closing { self.limits.first_request } else { self.limits.idle };
                    check.as_mut().reset(Instant::now() + next);
                }
            }
        }
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
