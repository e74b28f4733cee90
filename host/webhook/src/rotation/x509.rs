//! Reads certificates, and verifies them as a TLS client does.

use super::validity::Validity;
use rustls::RootCertStore;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::ring;
use rustls::server::ParsedCertificate;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::time::Duration;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The parts of a certificate that rotation needs.
pub(super) struct CertificateFields {
    pub(super) validity: Validity,
    /// SubjectPublicKeyInfo (RFC 5280), DER.
    pub(super) public_key: Vec<u8>,
    /// Whether it may sign certificates.
    pub(super) is_authority: bool,
    /// Whether its own key signed it. Then none of its bytes has changed since.
    pub(super) is_self_signed: bool,
}

/// Reads a certificate. The error is a predicate, such as `is not X.509: ...`.
pub(super) fn read(certificate: &CertificateDer<'_>) -> Result<CertificateFields, String> {
    let (_, parsed) =
        X509Certificate::from_der(certificate).map_err(|error| format!("is not X.509: {error}"))?;
    let signs = match parsed.key_usage() {
        Ok(usage) => usage.is_none_or(|usage| usage.value.key_cert_sign()),
        Err(_) => false,
    };
    let validity = parsed.validity();
    Ok(CertificateFields {
        validity: Validity {
            from: validity.not_before.to_datetime(),
            until: validity.not_after.to_datetime(),
        },
        public_key: parsed.public_key().raw.to_vec(),
        is_authority: parsed.is_ca() && signs,
        // The signature covers all bytes but its own and those around it. TLS libraries read these.
        is_self_signed: parsed.verify_signature(None).is_ok()
            && parsed.signature_algorithm == parsed.tbs_certificate.signature
            && RootCertStore::empty().add(certificate.clone().into_owned()).is_ok(),
    })
}

/// Whether a client that trusts `authority` would trust this server's chain at a time.
pub(super) fn is_signed_by(
    chain: &[CertificateDer<'_>],
    authority: &CertificateDer<'_>,
    at: OffsetDateTime,
) -> bool {
    let Some((leaf, intermediates)) = chain.split_first() else { return false };
    let Ok(leaf) = ParsedCertificate::try_from(leaf) else { return false };
    let mut roots = RootCertStore::empty();
    if roots.add(authority.clone().into_owned()).is_err() {
        return false;
    }
    let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at.unix_timestamp()).unwrap_or(0)));
    let algorithms = ring::default_provider().signature_verification_algorithms.all;
    verify_server_cert_signed_by_trust_anchor(&leaf, &roots, intermediates, at, algorithms).is_ok()
}

/// Whether a certificate covers all these DNS names and IP addresses.
pub(super) fn covers_names(leaf: &CertificateDer<'_>, names: &[String]) -> bool {
    let Ok(leaf) = ParsedCertificate::try_from(leaf) else { return false };
    names.iter().all(|name| {
        ServerName::try_from(name.as_str()).is_ok_and(|name| verify_server_name(&leaf, &name).is_ok())
    })
}
