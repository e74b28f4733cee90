//! TLS of the server, and whose client certificates it accepts.

use crate::certificates::{CertificateError, CertificateResolver, read_certificates};
use rustls::crypto::ring::{self, Ticketer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};
use std::fmt;
use std::sync::Arc;

/// ALPN name of HTTP/2 (RFC 9113, 3.2).
pub(super) const H2: &[u8] = b"h2";
/// ALPN name of HTTP/1.1 (RFC 7301, 6).
const HTTP_1_1: &[u8] = b"http/1.1";

/// CAs that sign the certificates of clients.
///
/// With it, a server closes the connection of every client that presents no certificate by one of
/// these CAs. API servers present one if their admission configuration names a kubeconfig with it:
/// <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#authenticate-apiservers>.
#[derive(Clone)]
pub struct ClientAuthority {
    roots: Arc<RootCertStore>,
}

impl ClientAuthority {
    /// Reads one or more CA certificates, PEM.
    ///
    /// # Errors
    /// When the text is not PEM, contains no certificate, or one that cannot be a CA.
    pub fn from_pem(text: &[u8]) -> Result<Self, CertificateError> {
        let mut roots = RootCertStore::empty();
        for certificate in read_certificates(text)? {
            roots.add(certificate).map_err(|error| CertificateError::Certificate(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(CertificateError::Certificate("it has no CERTIFICATE section".to_owned()));
        }
        Ok(Self { roots: Arc::new(roots) })
    }
}

impl fmt::Debug for ClientAuthority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ClientAuthority").field("certificates", &self.roots.len()).finish()
    }
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    #[error(transparent)]
    Config(#[from] rustls::Error),
    #[error("the CA of clients cannot be used: {0}")]
    Client(#[from] VerifierBuilderError),
}

/// The configuration of all handshakes.
pub(super) fn server_config(
    resolver: Arc<CertificateResolver>,
    clients: Option<&ClientAuthority>,
) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&[&TLS13, &TLS12])?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(clients.roots.clone(), provider);
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
