//! TLS towards webhooks: trusted authorities, and messages about certificates that are not trusted.

use std::error::Error;
use std::io;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// A configuration that trusts the authorities of a PEM bundle and no others.
///
/// # Errors
/// A sentence when the bundle is not empty but has no certificate, or TLS cannot be set up.
pub fn trusting(bundle: &[u8]) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_slice_iter(bundle).filter_map(Result::ok);
    roots.add_parsable_certificates(certificates);
    if roots.is_empty() && !bundle.is_empty() {
        return Err("unable to load root certificates: unable to parse bytes as PEM block".to_owned());
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Why a connection failed, in the words of Go where they are known.
pub fn explain(error: &(dyn Error + 'static), address: &str) -> String {
    let mut last = error;
    loop {
        if let Some(tls) = last.downcast_ref::<rustls::Error>() {
            return explain_tls(tls);
        }
        let inner = last.downcast_ref::<io::Error>();
        if inner.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            return format!("dial tcp {address}: connect: connection refused");
        }
        // `io::Error::source` skips the wrapped error itself.
        let wrapped = inner.and_then(io::Error::get_ref).map(|error| error as &(dyn Error + 'static));
        match wrapped.or_else(|| last.source()) {
            Some(next) => last = next,
            None => return last.to_string(),
        }
    }
}

fn explain_tls(error: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(problem) = error else { return format!("tls: {error}") };
    let why = match problem {
        // `BadSignature`: there is a trusted authority of the same name with another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "certificate signed by unknown authority".to_owned()
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            format!("certificate is valid for {}, not {}", presented.join(", "), expected.to_str())
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => {
            format!("certificate has expired or is not yet valid: {problem}")
        }
        other => other.to_string(),
    };
    format!("tls: failed to verify certificate: x509: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_must_hold_certificates() {
        assert!(trusting(b"").is_ok(), "nobody is trusted");
        assert!(trusting(b"no PEM").unwrap_err().contains("unable to parse bytes as PEM block"));
    }

    #[test]
    fn errors_are_unwrapped() {
        let tls = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, tls));
        assert_eq!(
            explain(&wrapped, "a:1"),
            "tls: failed to verify certificate: x509: certificate signed by unknown authority"
        );
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(explain(&refused, "127.0.0.1:1"), "dial tcp 127.0.0.1:1: connect: connection refused");
    }
}
