//! Chooses the certificate of each TLS handshake.

use super::pem::{CertificateError, LoadedCertificate, load};
use arc_swap::ArcSwapOption;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::sync::Arc;
use tokio::sync::Notify;

/// Holds the certificate for new connections. It can be replaced at any time; open connections are
/// not affected. Handshakes fail as long as there is no certificate.
#[derive(Default)]
pub struct CertificateResolver {
    current: ArcSwapOption<CertifiedKey>,
    replaced: Notify,
}

impl CertificateResolver {
    /// A resolver without a certificate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the certificate (PEM, followed by its chain) and its private key (PEM).
    ///
    /// # Errors
    /// When either cannot be read, or when they are not a pair. The certificate before stays.
    pub fn replace_pem(&self, certificate: &[u8], key: &[u8]) -> Result<(), CertificateError> {
        self.replace(&load(certificate, key)?);
        Ok(())
    }

    pub(crate) fn replace(&self, loaded: &LoadedCertificate) {
        self.current.store(Some(loaded.key.clone()));
        self.replaced.notify_waiters();
    }

    /// Whether there is a certificate.
    pub fn is_loaded(&self) -> bool {
        self.current.load().is_some()
    }

    /// Waits until there is a certificate.
    pub async fn loaded(&self) {
        loop {
            let replaced = self.replaced.notified();
            if self.is_loaded() {
                return;
            }
            replaced.await;
        }
    }

    /// The certificate that the next handshake gets.
    #[cfg(test)]
    pub(super) fn current(&self) -> Option<Arc<CertifiedKey>> {
        self.current.load_full()
    }
}

/// Shows nothing of the key.
impl fmt::Debug for CertificateResolver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CertificateResolver")
            .field("is_loaded", &self.is_loaded())
            .finish_non_exhaustive()
    }
}

impl ResolvesServerCert for CertificateResolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current.load_full()
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_pair::pair;
    use super::*;
    use futures::FutureExt;

    #[test]
    fn loaded_returns_once_there_is_a_certificate() {
        let resolver = CertificateResolver::new();
        assert!(resolver.loaded().now_or_never().is_none());
        let pair = pair();
        resolver.replace_pem(pair.certificate.as_bytes(), pair.key.as_bytes()).unwrap();
        resolver.loaded().now_or_never().unwrap();
    }

    #[test]
    fn debug_output_shows_nothing_of_the_key() {
        let resolver = CertificateResolver::new();
        let pair = pair();
        resolver.replace_pem(pair.certificate.as_bytes(), pair.key.as_bytes()).unwrap();
        assert_eq!(format!("{resolver:?}"), "CertificateResolver { is_loaded: true, .. }");
    }
}
