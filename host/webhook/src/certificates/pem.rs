//! Reads certificates and keys from PEM. No error text contains any part of a private key.

use rustls::crypto::ring;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::Arc;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Why a certificate cannot be used. The text contains no part of a private key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The certificate is not PEM, or not X.509.
    #[error("the certificate cannot be read: {0}; write PEM, the certificate first and then its chain")]
    Certificate(String),
    /// The CAs of clients are not PEM, or not X.509.
    #[error("the CA cannot be read: {0}; write one or more CA certificates, PEM")]
    Authority(String),
    /// The key is not PEM, or of a kind that is not supported.
    #[error("the private key cannot be read: {0}; write one unencrypted PEM key, ECDSA, RSA or Ed25519")]
    Key(String),
    /// The key does not belong to the certificate.
    #[error("the certificate and the private key do not belong together; write the two files as a pair")]
    Mismatch,
}

/// A certificate with its key, checked to be a pair.
pub(crate) struct LoadedCertificate {
    pub(crate) key: Arc<CertifiedKey>,
    pub(crate) expires: OffsetDateTime,
}

/// Reads a certificate, its chain, and its key.
pub(crate) fn load(certificate: &[u8], key: &[u8]) -> Result<LoadedCertificate, CertificateError> {
    let chain =
        read_certificates(certificate).map_err(|error| CertificateError::Certificate(error.to_string()))?;
    let Some(leaf) = chain.first() else {
        return Err(CertificateError::Certificate("it has no CERTIFICATE section".to_owned()));
    };
    let expires = expiry(leaf)?;
    let key =
        PrivateKeyDer::from_pem_slice(key).map_err(|error| CertificateError::Key(key_problem(&error)))?;
    match CertifiedKey::from_der(chain, key, &ring::default_provider()) {
        Ok(key) => Ok(LoadedCertificate { key: Arc::new(key), expires }),
        Err(rustls::Error::InconsistentKeys(_)) => Err(CertificateError::Mismatch),
        Err(rustls::Error::InvalidCertificate(error)) => {
            Err(CertificateError::Certificate(error.to_string()))
        }
        Err(_) => Err(CertificateError::Key("its kind is not supported".to_owned())),
    }
}

/// All certificates of a PEM text, in their order.
pub(super) fn read_certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    CertificateDer::pem_slice_iter(text).collect()
}

fn expiry(leaf: &CertificateDer<'_>) -> Result<OffsetDateTime, CertificateError> {
    let (_, parsed) =
        X509Certificate::from_der(leaf).map_err(|error| CertificateError::Certificate(error.to_string()))?;
    Ok(parsed.validity().not_after.to_datetime())
}

/// Describes what is wrong with a key. The parser's own message may quote the text, which may be
/// the key.
fn key_problem(error: &pem::Error) -> String {
    match error {
        pem::Error::NoItemsFound => "it has no PRIVATE KEY section",
        pem::Error::MissingSectionEnd { .. } => "its END line is missing",
        _ => "it is damaged",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::test_pair::{Pair, pair};
    use super::*;

    #[test]
    fn errors_describe_the_problem_and_never_quote_the_key() {
        let Pair { certificate, key, .. } = pair();
        let other_key = pair().key;
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
}
