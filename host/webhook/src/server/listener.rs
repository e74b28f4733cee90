//! Listens, accepts connections, and shuts down.

use super::connection::ConnectionServer;
use super::connection_table::ConnectionTable;
use super::error_log::ErrorLog;
use super::handler::Handler;
use super::limits::ServerLimits;
use super::tls::{Tls, TlsSource};
use crate::certificates::{CertificateResolver, ClientAuthority};
use crate::metrics::{ConnectionMetrics, RequestMetrics};
use crate::reviewer::Reviewer;
use prometheus_client::registry::Registry;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Pause after an error of accept: it is mostly that no file descriptors are left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How a [`Server`] serves.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// Bounds of memory, connections, and time.
    pub limits: ServerLimits,
    /// If given, clients must present a certificate by this CA; all others are disconnected. When
    /// it is replaced, open connections end once their running requests are answered.
    pub client_authority: Option<ClientAuthority>,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The listener has no address.
    #[error("the webhook's listening socket has no address: {0}")]
    Address(#[source] std::io::Error),
    /// TLS could not be set up.
    #[error("TLS cannot be set up for the webhook: {0}")]
    Tls(String),
}

/// A running webhook server. Dropping it ends it at once; [`Server::shutdown`] lets running
/// requests finish.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    abandon: CancellationToken,
    tasks: TaskTracker,
    shutdown_time: Duration,
}

impl Server {
    /// Starts to serve `POST /mutate` and `POST /validate` with `reviewer`, and `GET /healthz` and
    /// `GET /readyz`, over TLS with the certificate that `resolver` has at the time of each
    /// handshake. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the listener has no address, or when TLS cannot be set up.
    pub fn start(
        listener: TcpListener,
        reviewer: Arc<dyn Reviewer>,
        resolver: Arc<CertificateResolver>,
        options: ServerOptions,
        registry: &mut Registry,
    ) -> Result<Self, StartError> {
        let ServerOptions { limits, client_authority } = options;
        let address = listener.local_addr().map_err(StartError::Address)?;
        let mut source = TlsSource::new(resolver, client_authority);
        let tls = source.current().map_err(|error| StartError::Tls(error.to_string()))?;
        let connection_metrics = ConnectionMetrics::register(registry);
        let requests = RequestMetrics::register(registry);
        let errors = Arc::new(ErrorLog::default());
        let bodies_evicted = connection_metrics.bodies_evicted.clone();
        let handler = Handler::new(reviewer, &limits, &requests, bodies_evicted, errors.clone());
        let table = Arc::new(ConnectionTable::new(&limits, connection_metrics));
        let tasks = TaskTracker::new();
        let shutdown_time = limits.shutdown;
        let server = Arc::new(ConnectionServer::new(handler, errors.clone(), limits));
        let (stop, abandon) = (server.stop.clone(), server.abandon.clone());
        let acceptor = Acceptor { listener, source, tls, server, table, errors, tasks: tasks.clone() };
        tasks.spawn(acceptor.run());
        Ok(Self { address, stop, abandon, tasks, shutdown_time })
    }

    /// The address that it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening, tells clients to close (`GOAWAY`, `Connection: close`), and waits for
    /// running requests, at most [`ServerLimits::shutdown`].
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(self.shutdown_time, self.tasks.wait()).await.is_err() {
            tracing::warn!(
                connections = self.tasks.len(),
                "requests did not finish within {:?} and are dropped",
                self.shutdown_time
            );
            self.abandon.cancel();
            self.tasks.wait().await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        self.abandon.cancel();
    }
}

/// Accepts connections.
struct Acceptor {
    listener: TcpListener,
    source: TlsSource,
    /// TLS for new connections.
    tls: Tls,
    server: Arc<ConnectionServer>,
    table: Arc<ConnectionTable>,
    errors: Arc<ErrorLog>,
    tasks: TaskTracker,
}

impl Acceptor {
    async fn run(mut self) {
        loop {
            let accepted = tokio::select! {
                // A connection that is accepted after a change has the new client CA.
                biased;
                () = self.server.stop.cancelled() => return,
                () = self.source.replaced() => {
                    self.replace_tls();
                    continue;
                }
                accepted = self.listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    self.errors.accept(&error);
                    self.table.make_room();
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            match self.table.admit(peer.ip()) {
                Some(connection) => {
                    let serving = self.server.clone().serve(self.tls.clone(), stream, peer, connection);
                    self.tasks.spawn(serving);
                }
                None => self.errors.full(peer),
            }
        }
    }

    /// Ends the connections with the former client CA.
    fn replace_tls(&mut self) {
        match self.source.current() {
            Ok(tls) => std::mem::replace(&mut self.tls, tls).replaced.cancel(),
            Err(error) => tracing::error!("{error}; the client CA before stays in force"),
        }
    }
}
