//! Listens, accepts connections, and shuts down.

use super::connection::ConnectionServer;
use super::connection_table::ConnectionTable;
use super::handler::Handler;
use super::limits::ServerLimits;
use super::tls::{ClientAuthority, server_config};
use crate::certificates::CertificateResolver;
use crate::metrics::{ConnectionMetrics, RequestMetrics};
use crate::reviewer::Reviewer;
use prometheus_client::registry::Registry;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Pause after an error of accept: it is mostly that no file descriptors are left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How a [`Server`] serves.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// Bounds of memory, connections, and time.
    pub limits: ServerLimits,
    /// If given, clients must present a certificate by this CA; all others are disconnected.
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
        let config = server_config(resolver, client_authority.as_ref())
            .map_err(|error| StartError::Tls(error.to_string()))?;
        let connection_metrics = ConnectionMetrics::register(registry);
        let requests = RequestMetrics::register(registry);
        let handler = Handler::new(reviewer, &limits, &requests, connection_metrics.bodies_evicted.clone());
        let table = Arc::new(ConnectionTable::new(&limits, connection_metrics));
        let tasks = TaskTracker::new();
        let shutdown_time = limits.shutdown;
        let server = Arc::new(ConnectionServer::new(handler, TlsAcceptor::from(Arc::new(config)), limits));
        let (stop, abandon) = (server.stop.clone(), server.abandon.clone());
        tasks.spawn(accept(listener, server, table, tasks.clone()));
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

async fn accept(
    listener: TcpListener,
    server: Arc<ConnectionServer>,
    table: Arc<ConnectionTable>,
    tasks: TaskTracker,
) {
    // Whether a series of refused connections goes on. Each series gets one line in the log.
    let mut refusing = false;
    loop {
        let accepted = tokio::select! {
            () = server.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("a connection cannot be accepted: {error}");
                table.make_room();
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(connection) = table.admit(peer.ip()) else {
            if !refusing {
                tracing::warn!(
                    %peer,
                    "the bound of open connections is reached and none of them is idle; \
                     further connections are closed"
                );
            }
            refusing = true;
            continue;
        };
        refusing = false;
        tasks.spawn(server.clone().serve(stream, peer, connection));
    }
}
