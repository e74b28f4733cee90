//! TLS of the server, and whose client certificates it accepts.
//!
//! A replaced client CA needs another configuration: the tickets of the former one would let clients
//! resume sessions without a certificate by the new CA.

use crate::certificates::{CertificateResolver, ClientAuthority};
use rustls::crypto::ring::{self, Ticketer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// ALPN name of HTTP/2 (RFC 9113, 3.2).
pub(super) const H2: &[u8] = b"h2";
/// ALPN name of HTTP/1.1 (RFC 7301, 6).
const HTTP_1_1: &[u8] = b"http/1.1";

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    #[error(transparent)]
    Config(#[from] rustls::Error),
    #[error("the CA of clients cannot be used: {0}")]
    Client(#[from] VerifierBuilderError),
}

/// Makes the configurations of handshakes.
pub(super) struct TlsSource {
    resolver: Arc<CertificateResolver>,
    clients: Option<ClientAuthority>,
}

/// TLS for connections until the client CA is replaced.
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) acceptor: TlsAcceptor,
    /// Cancelled when another client CA is in force: the connection has to end then.
    pub(super) replaced: CancellationToken,
}

impl TlsSource {
    pub(super) fn new(resolver: Arc<CertificateResolver>, clients: Option<ClientAuthority>) -> Self {
        Self { resolver, clients }
    }

    /// TLS with the client CA of now.
    pub(super) fn current(&mut self) -> Result<Tls, TlsError> {
        let roots = self.clients.as_mut().map(ClientAuthority::current);
        let config = server_config(self.resolver.clone(), roots)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Tls { acceptor, replaced: CancellationToken::new() })
    }

    /// Returns when the client CA is another one than that of the last [`Self::current`].
    pub(super) async fn replaced(&mut self) {
        match &mut self.clients {
            Some(clients) => clients.replaced().await,
            None => std::future::pending().await,
        }
    }
}

fn server_config(
    resolver: Arc<CertificateResolver>,
    client_roots: Option<Arc<RootCertStore>>,
) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&[&TLS13, &TLS12])?;
    let builder = match client_roots {
        None => builder.with_no_client_auth(),
        Some(roots) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            builder.with_client_cert_verifier(verifier.build()?)
        }
    };
    let mut config = builder.with_cert_resolver(resolver);
    config.alpn_protocols = vec![H2.to_vec(), HTTP_1_1.to_vec()];
    // Clients keep the tickets that resume sessions, so that the server's memory does not grow.
    config.ticketer = Ticketer::new()?;
    config.send_tls13_tickets = 1;
    Ok(config)
}
