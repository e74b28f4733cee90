//! A server certificate, signed by an authority that exists for it alone.

use super::{Unfit, Values, failed, invalid, not_permitted};
use orascache_contract::Certificate;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};

/// The keys of a Secret of type `kubernetes.io/tls`, with the authority's certificate.
pub(super) const KEYS: [&str; 3] = ["tls.crt", "tls.key", "ca.crt"];

/// Ten years.
const MAX_DAYS: u32 = 3_650;
/// Most DNS names of one certificate.
const MAX_NAMES: usize = 64;
/// Longest DNS name, and longest label in it (RFC 1035, section 2.3.4).
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;
/// The certificate is valid from an hour ago, so that clients with slow clocks accept it.
const CLOCK_SKEW: Duration = Duration::hours(1);

/// The certificate, its key, and the certificate of its authority, in PEM. The authority's key is
/// not kept.
pub(super) fn make(certificate: &Certificate) -> Result<Values, Unfit> {
    check(certificate)?;
    issue(certificate).map_err(|error| failed("The certificate could not be made", error))
}

fn check(certificate: &Certificate) -> Result<(), Unfit> {
    if certificate.dns_names.is_empty() {
        return Err(invalid("The certificate has no DNS name: name at least one."));
    }
    if certificate.dns_names.len() > MAX_NAMES {
        return Err(not_permitted(format!(
            "The certificate has {} DNS names: name at most {MAX_NAMES}.",
            certificate.dns_names.len()
        )));
    }
    if let Some(name) = certificate.dns_names.iter().find(|name| !is_dns_name(name)) {
        return Err(invalid(format!(
            "{name:?} is no DNS name: write labels of letters, digits and '-' between full stops."
        )));
    }
    match certificate.days {
        0 => Err(invalid("The certificate is to hold for 0 days: ask for at least one.")),
        days if days > MAX_DAYS => Err(not_permitted(format!(
            "The certificate is to hold for {days} days: ask for at most {MAX_DAYS}."
        ))),
        _ => Ok(()),
    }
}

/// A DNS name, or one with a wildcard as its first label.
fn is_dns_name(name: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= MAX_LABEL
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= MAX_NAME && name.strip_prefix("*.").unwrap_or(name).split('.').all(is_label)
}

fn issue(certificate: &Certificate) -> Result<Values, rcgen::Error> {
    let now = OffsetDateTime::now_utc();
    let until = now + Duration::days(certificate.days.into());
    let params = |names: Vec<String>, common_name: &str| -> Result<CertificateParams, rcgen::Error> {
        let mut params = CertificateParams::new(names)?;
        params.not_before = now - CLOCK_SKEW;
        params.not_after = until;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        Ok(params)
    };
    let authority_key = KeyPair::generate()?;
    let mut authority = params(Vec::new(), "")?;
    // Clients may trust several authorities: two of one name would be hard to tell apart.
    let mut id = authority.key_identifier(&authority_key);
    id.truncate(4);
    authority.distinguished_name.push(DnType::CommonName, format!("generated CA {}", hex::encode(id)));
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority_certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);

    // The names are in the subject alternative names; a common name may have at most 64 characters.
    let mut leaf = params(certificate.dns_names.clone(), "generated certificate")?;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.use_authority_key_identifier_extension = true;
    let leaf_key = KeyPair::generate()?;
    let leaf_certificate = leaf.signed_by(&leaf_key, &issuer)?;

    let values = [leaf_certificate.pem(), leaf_key.serialize_pem(), authority_certificate.pem()];
    Ok(KEYS.map(str::to_owned).into_iter().zip(values).collect())
}

#[cfg(test)]
mod tests {
    use super::{is_dns_name, make};
    use orascache_contract::Certificate;
    use x509_parser::pem::parse_x509_pem;
    use x509_parser::prelude::GeneralName;

    #[test]
    fn the_certificate_holds_for_its_names_and_days_and_verifies_against_its_authority() {
        let names = vec!["shared.lab.svc".to_owned(), "*.lab.svc.cluster.local".to_owned()];
        let values = make(&Certificate { dns_names: names.clone(), days: 30 }).expect("a certificate");
        assert!(values["tls.key"].starts_with("-----BEGIN PRIVATE KEY-----"));
        assert_eq!(values.len(), 3);
        let (_, leaf) = parse_x509_pem(values["tls.crt"].as_bytes()).expect("PEM");
        let (_, authority) = parse_x509_pem(values["ca.crt"].as_bytes()).expect("PEM");
        let (leaf, authority) = (leaf.parse_x509().expect("DER"), authority.parse_x509().expect("DER"));
        let alternatives = leaf.subject_alternative_name().expect("one").expect("an extension");
        let found: Vec<&str> = alternatives
            .value
            .general_names
            .iter()
            .map(|name| match name {
                GeneralName::DNSName(name) => *name,
                other => panic!("{other}"),
            })
            .collect();
        assert_eq!(found, names);
        assert!(authority.is_ca() && !leaf.is_ca());
        assert_eq!(leaf.issuer(), authority.subject());
        let seconds = leaf.validity().not_after.timestamp() - leaf.validity().not_before.timestamp();
        assert_eq!(seconds, 30 * 86_400 + 3_600);
        let key = rustls::crypto::ring::default_provider();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(pem(&values["ca.crt"])).expect("a root");
        let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(roots.into(), key.into())
            .build()
            .expect("a verifier");
        use rustls::client::danger::ServerCertVerifier;
        let verify = |name: &'static str| {
            let name = rustls::pki_types::ServerName::try_from(name).expect("a name");
            let now = rustls::pki_types::UnixTime::now();
            verifier.verify_server_cert(&pem(&values["tls.crt"]), &[], &name, &[], now)
        };
        verify("shared.lab.svc").expect("its own name");
        verify("other.lab.svc").expect_err("another name");
    }

    fn pem(text: &str) -> rustls::pki_types::CertificateDer<'static> {
        let (_, pem) = parse_x509_pem(text.as_bytes()).expect("PEM");
        pem.contents.into()
    }

    #[test]
    fn dns_names_have_labels_of_letters_digits_and_hyphens() {
        for name in ["localhost", "a.b-c.d", "*.lab.svc", "1.2"] {
            assert!(is_dns_name(name), "{name}");
        }
        for name in ["", ".", "a.", ".a", "*", "a.*", "a_b", "a/b", "ä", &"x".repeat(64)] {
            assert!(!is_dns_name(name), "{name}");
        }
    }
}
