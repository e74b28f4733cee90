//! Makes CAs and certificates. Keys are ECDSA on P-256: every current TLS client supports it, and
//! signatures are cheap.

use super::policy::RotationPolicy;
use super::validity::Validity;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;

/// A new certificate and its key.
pub(super) struct Issued {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) key: KeyPair,
}

/// Makes a CA.
pub(super) fn authority(policy: &RotationPolicy, now: OffsetDateTime) -> Result<Issued, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = params(Vec::new(), Validity::beginning(now, policy.authority))?;
    // Each CA gets a name of its own: people and clients could not tell two with one name apart.
    let id: String = params.key_identifier(&key).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    params.distinguished_name.push(DnType::CommonName, format!("webhook CA {id}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key)?.der().clone();
    Ok(Issued { certificate, key })
}

/// Makes a serving certificate for DNS names and IP addresses. It is not valid longer than its CA.
pub(super) fn leaf(
    issuer: &CertificateDer<'_>,
    issuer_key: &KeyPair,
    issuer_validity: Validity,
    names: &[String],
    policy: &RotationPolicy,
    now: OffsetDateTime,
) -> Result<Issued, rcgen::Error> {
    let key = KeyPair::generate()?;
    let issuer = Issuer::from_ca_cert_der(issuer, issuer_key)?;
    let mut params = params(names.to_vec(), Validity::beginning(now, policy.leaf).within(issuer_validity))?;
    params.distinguished_name.push(DnType::CommonName, "webhook");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, &issuer)?.der().clone();
    Ok(Issued { certificate, key })
}

fn params(names: Vec<String>, validity: Validity) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.not_before = validity.from;
    params.not_after = validity.until;
    params.distinguished_name = DistinguishedName::new();
    Ok(params)
}
