//! The certificate that connections are served with.

pub(crate) mod files;

use arc_swap::ArcSwapOption;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::sync::Arc;
use time::OffsetDateTime;
use tokio::sync::Notify;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The certificate that new connections are served with. It can be replaced at any time; open connections go on.
/// Before there is one, handshakes fail.
#[derive(Default)]
pub struct Certificates {
    current: ArcSwapOption<CertifiedKey>,
    replaced: Notify,
}

/// Why a certificate cannot be served. The text never has anything of a private key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The certificate is not PEM, or not X.509.
    #[error("the certificate cannot be read: {0}; it must be PEM, the certificate first and then its chain")]
    Certificate(String),
    /// The key is not PEM, or of a kind that is not supported.
    #[error("the private key cannot be read: {0}; it must be one unencrypted PEM key, ECDSA, RSA or Ed25519")]
    Key(String),
    /// Certificate and key are not a pair.
    #[error("certificate and private key do not belong together")]
    Mismatch,
}

/// A certificate that can be served.
pub(crate) struct Loaded {
    pub(crate) key: Arc<CertifiedKey>,
    pub(crate) expires: OffsetDateTime,
}

impl Certificates {
    /// One without a certificate yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves the certificate (PEM, with its chain behind it) and its private key (PEM) from now on.
    pub fn replace_pem(&self, certificate: &[u8], key: &[u8]) -> Result<(), CertificateError> {
        self.replace(&load(certificate, key)?);
        Ok(())
    }

    pub(crate) fn replace(&self, loaded: &Loaded) {
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
}

impl fmt::Debug for Certificates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Certificates").field("is_loaded", &self.is_loaded()).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current.load_full()
    }
}

/// Reads a certificate and its key from PEM.
pub(crate) fn load(certificate: &[u8], key: &[u8]) -> Result<Loaded, CertificateError> {
    let chain = CertificateDer::pem_slice_iter(certificate)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| CertificateError::Certificate(error.to_string()))?;
    let Some(leaf) = chain.first() else {
        return Err(CertificateError::Certificate("there is no certificate in it".to_owned()));
    };
    let expires = expiry(leaf)?;
    let key =
        PrivateKeyDer::from_pem_slice(key).map_err(|error| CertificateError::Key(key_problem(&error)))?;
    match CertifiedKey::from_der(chain, key, &ring::default_provider()) {
        Ok(key) => Ok(Loaded { key: Arc::new(key), expires }),
        Err(rustls::Error::InconsistentKeys(_)) => Err(CertificateError::Mismatch),
        Err(rustls::Error::InvalidCertificate(error)) => {
            Err(CertificateError::Certificate(error.to_string()))
        }
        Err(_) => Err(CertificateError::Key("it is of a kind that is not supported".to_owned())),
    }
}

fn expiry(leaf: &CertificateDer<'_>) -> Result<OffsetDateTime, CertificateError> {
    let (_, parsed) =
        X509Certificate::from_der(leaf).map_err(|error| CertificateError::Certificate(error.to_string()))?;
    Ok(parsed.validity().not_after.to_datetime())
}

/// What is wrong with a key, in words of our own: the parser's may quote the text, which may be the key.
fn key_problem(error: &rustls_pki_types::pem::Error) -> String {
    use rustls_pki_types::pem::Error;
    match error {
        Error::NoItemsFound => "there is no private key in it",
        Error::MissingSectionEnd { .. } => "its end is missing",
        _ => "it is damaged",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn waiting_ends_when_there_is_one() {
        let certificates = Certificates::new();
        assert!(certificates.loaded().now_or_never().is_none());
        let (certificate, key) = pair();
        certificates.replace_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
        certificates.loaded().now_or_never().unwrap();
    }

    #[test]
    fn what_is_wrong_is_said_without_the_key() {
        let (certificate, key) = pair();
        let (_, other_key) = pair();
        let fails =
            |certificate: &str, key: &str| load(certificate.as_bytes(), key.as_bytes()).err().unwrap();
        assert_eq!(fails(&certificate, &other_key), CertificateError::Mismatch);
        assert!(matches!(fails("", &key), CertificateError::Certificate(_)));
        assert!(matches!(fails(&key, &key), CertificateError::Certificate(_)));
        assert!(matches!(fails(&certificate, ""), CertificateError::Key(_)));
        assert!(matches!(fails(&certificate, &certificate), CertificateError::Key(_)));
        for length in 0..key.len() - 2 {
            let text = fails(&certificate, &key[..length]).to_string();
            let body = &key.lines().nth(1).unwrap()[..8];
            assert!(!text.contains(body), "{text}");
        }
        let damaged = key.replacen("MI", "M!", 1);
        assert!(!fails(&certificate, &damaged).to_string().contains('!'));
    }

    #[test]
    fn debug_says_nothing_about_keys() {
        let certificates = Certificates::new();
        let (certificate, key) = pair();
        certificates.replace_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
        assert_eq!(format!("{certificates:?}"), "Certificates { is_loaded: true, .. }");
    }
}
