//! Listening, and ending.

mod answer;
mod body;
mod connection;
mod deadline;
mod gate;
mod handler;
pub(crate) mod limits;

use crate::certificates::Certificates;
use crate::metrics::RequestMetrics;
use crate::review::Reviewer;
use connection::{H2, Shared};
use handler::Handler;
use limits::Limits;
use prometheus_client::registry::Registry;
use rustls::ServerConfig;
use rustls::crypto::ring::{self, Ticketer};
use rustls::version::{TLS12, TLS13};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

/// Path of reviews whose verdict may have a patch.
pub const MUTATE_PATH: &str = "/mutate";
/// Path of reviews whose verdict is only yes or no.
pub const VALIDATE_PATH: &str = "/validate";

/// How long accepting pauses after it failed: mostly because there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The listener does not say where it listens.
    #[error("the webhook's listening socket has no address: {0}")]
    Address(#[source] std::io::Error),
    /// TLS could not be set up.
    #[error("TLS cannot be set up for the webhook: {0}")]
    Tls(#[source] rustls::Error),
}

/// A running webhook server. Dropping it ends it at once, [`Server::shutdown`] lets running requests finish.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: tokio_util::sync::CancellationToken,
    abandon: tokio_util::sync::CancellationToken,
    tasks: TaskTracker,
    patience: Duration,
}

impl Server {
    /// Starts serving `POST /mutate` and `POST /validate` with `reviewer`, and `GET /healthz` and `/readyz`, over
    /// TLS with whatever certificate `certificates` has at the time of a handshake. Called within a tokio runtime.
    pub fn start(
        listener: TcpListener,
        reviewer: Arc<dyn Reviewer>,
        certificates: Arc<Certificates>,
        limits: Limits,
        registry: &mut Registry,
    ) -> Result<Self, StartError> {
        let address = listener.local_addr().map_err(StartError::Address)?;
        let acceptor = TlsAcceptor::from(Arc::new(tls(certificates).map_err(StartError::Tls)?));
        let handler = Handler::new(reviewer, &limits, &RequestMetrics::register(registry));
        let tasks = TaskTracker::new();
        let patience = limits.shutdown;
        let free = Arc::new(Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS)));
        let shared = Arc::new(Shared::new(handler, acceptor, limits));
        let (stop, abandon) = (shared.stop.clone(), shared.abandon.clone());
        tasks.spawn(accept(listener, shared, free, tasks.clone()));
        Ok(Self { address, stop, abandon, tasks, patience })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening, tells clients to go (`GOAWAY`, `Connection: close`), and waits for running requests, at
    /// most [`Limits::shutdown`].
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(self.patience, self.tasks.wait()).await.is_err() {
            tracing::warn!(
                connections = self.tasks.len(),
                "requests did not finish within {:?} and are given up",
                self.patience
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

fn tls(certificates: Arc<Certificates>) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
    // Sessions are resumed from tickets that clients keep: nothing grows here. One ticket each is enough.
    config.ticketer = Ticketer::new()?;
    config.send_tls13_tickets = 1;
    Ok(config)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, free: Arc<Semaphore>, tasks: TaskTracker) {
    let mut full = false;
    loop {
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer): (TcpStream, SocketAddr) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("connections cannot be accepted: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = free.clone().try_acquire_owned() else {
            if !full {
                tracing::warn!(%peer, "as many connections as allowed are open; further ones are closed at once");
            }
            full = true;
            continue;
        };
        full = false;
        let shared = shared.clone();
        tasks.spawn(async move {
            shared.serve(stream, peer).await;
            drop(permit);
        });
    }
}
