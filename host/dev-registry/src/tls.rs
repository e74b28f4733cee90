//! Accepts connections with TLS.

use axum::serve::Listener;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{FuturesUnordered, StreamExt};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::server::TlsStream;

/// Time for a handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

type Handshake = BoxFuture<'static, Option<(TlsStream<TcpStream>, SocketAddr)>>;

/// A listener whose connections speak TLS. A client that is slow to greet keeps nobody else waiting.
pub(crate) struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    handshakes: FuturesUnordered<Handshake>,
}

impl TlsListener {
    /// Serves with a certificate and its key, in PEM. An error is a sentence.
    pub(crate) fn new(listener: TcpListener, certificate: &[u8], key: &[u8]) -> Result<Self, String> {
        let chain: Result<Vec<CertificateDer<'static>>, _> =
            CertificateDer::pem_slice_iter(certificate).collect();
        let chain = chain.map_err(|error| format!("the certificate is no PEM text: {error}"))?;
        let key = PrivateKeyDer::from_pem_slice(key);
        let key = key.map_err(|error| format!("the key of the certificate is no PEM text: {error}"))?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map(|builder| builder.with_no_client_auth())
            .and_then(|builder| builder.with_single_cert(chain, key));
        let config = config.map_err(|error| format!("the certificate cannot be used: {error}"))?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(TlsListener { listener, acceptor, handshakes: FuturesUnordered::new() })
    }

    fn greet(&self, stream: TcpStream, address: SocketAddr) -> Handshake {
        let handshake = tokio::time::timeout(HANDSHAKE, self.acceptor.accept(stream));
        async move { handshake.await.ok()?.ok().map(|stream| (stream, address)) }.boxed()
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                (stream, address) = Listener::accept(&mut self.listener) => {
                    let handshake = self.greet(stream, address);
                    self.handshakes.push(handshake);
                }
                Some(greeted) = self.handshakes.next(), if !self.handshakes.is_empty() => {
                    if let Some(connection) = greeted {
                        return connection;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}
