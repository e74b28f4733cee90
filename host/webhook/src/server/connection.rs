//! One connection: handshake, protocol, its requests, its end.

use super::handler::Handler;
use super::limits::Limits;
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
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

/// What HTTP/2 calls itself in a handshake.
pub(super) const H2: &[u8] = b"h2";
/// Requests at once on one HTTP/2 connection; Go clients open another one beyond it.
const STREAMS: u32 = 250;
/// What hyper may buffer of one request, and of all of one HTTP/2 connection, before it is asked for. These are
/// what a thousand connections are multiplied with.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 128 << 10;
/// Bytes of all headers of a request.
const HEADERS: usize = 32 << 10;
/// How often an HTTP/2 peer is asked whether it is still there, and how long that may take.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// What all connections share.
pub(super) struct Shared {
    handler: Handler,
    acceptor: TlsAcceptor,
    http1: Builder<TokioExecutor>,
    http2: Builder<TokioExecutor>,
    limits: Limits,
    /// No more requests; running ones are finished.
    pub(super) stop: CancellationToken,
    /// No more waiting for running requests.
    pub(super) abandon: CancellationToken,
}

/// Requests of one connection.
#[derive(Default)]
struct Activity {
    started: AtomicU64,
    ended: AtomicU64,
}

impl Shared {
    pub(super) fn new(handler: Handler, acceptor: TlsAcceptor, limits: Limits) -> Self {
        let mut http1 = Builder::new(TokioExecutor::new()).http1_only();
        http1
            .http1()
            .timer(TokioTimer::new())
            // It also runs between requests, so it must not be shorter than a connection may be idle.
            .header_read_timeout(limits.idle)
            .max_buf_size(HEADERS.max(STREAM_WINDOW as usize));
        let mut http2 = Builder::new(TokioExecutor::new()).http2_only();
        http2
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .max_concurrent_streams(STREAMS)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEADERS as u32);
        Self {
            handler,
            acceptor,
            http1,
            http2,
            limits,
            stop: CancellationToken::new(),
            abandon: CancellationToken::new(),
        }
    }

    /// Serves a connection until either side ends it.
    pub(super) async fn serve(self: Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        // Answers are small and complete; holding them back for more to come only adds latency.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, "TCP_NODELAY cannot be set: {error}");
        }
        let handshake = tokio::time::timeout(self.limits.handshake, self.acceptor.accept(stream));
        let stream = tokio::select! {
            () = self.stop.cancelled() => return,
            stream = handshake => stream,
        };
        match stream {
            Ok(Ok(stream)) => self.requests(stream, peer).await,
            Ok(Err(error)) if refused_by_peer(&error) => {
                // An API server that does not trust the certificate: somebody has to know.
                tracing::warn!(%peer, "the client ended the TLS handshake: {error}");
            }
            Ok(Err(error)) => tracing::debug!(%peer, "TLS handshake failed: {error}"),
            Err(_) => tracing::debug!(%peer, "TLS handshake not finished in {:?}", self.limits.handshake),
        }
    }

    async fn requests(self: &Arc<Self>, stream: TlsStream<TcpStream>, peer: SocketAddr) {
        let builder = if stream.get_ref().1.alpn_protocol() == Some(H2) { &self.http2 } else { &self.http1 };
        let activity = Arc::new(Activity::default());
        let service = service_fn(|request: http::Request<Incoming>| {
            let (shared, activity) = (self.clone(), activity.clone());
            activity.started.fetch_add(1, Ordering::Relaxed);
            async move {
                let running = Running(activity);
                let response = shared.handler.answer(request).await;
                drop(running);
                Ok::<_, Infallible>(response)
            }
        });
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut closing = false;
        let mut seen = 0;
        let mut check = pin!(tokio::time::sleep(self.limits.first_request));
        loop {
            tokio::select! {
                result = connection.as_mut() => {
                    if let Err(error) = result {
                        tracing::debug!(%peer, "connection ended: {error}");
                    }
                    return;
                }
                () = self.abandon.cancelled() => return,
                () = self.stop.cancelled(), if !closing => {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = check.as_mut() => {
                    let started = activity.started.load(Ordering::Relaxed);
                    let idle = started == seen && started == activity.ended.load(Ordering::Relaxed);
                    seen = started;
                    if idle && closing {
                        return;
                    }
                    if idle {
                        closing = true;
                        connection.as_mut().graceful_shutdown();
                    }
                    let next = if closing { self.limits.first_request } else { self.limits.idle };
                    check.as_mut().reset(tokio::time::Instant::now() + next);
                }
            }
        }
    }
}

/// A request that runs, until dropped: also when its client has gone.
struct Running(Arc<Activity>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

fn refused_by_peer(error: &std::io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    matches!(cause, Some(rustls::Error::AlertReceived(_)))
}
