//! Content of the Secret: CAs, certificate, keys.
//!
//! | entry | content (PEM) |
//! |---|---|
//! | `ca.crt` | the bundle: all CAs that clients have to trust, oldest first |
//! | `ca.key` | key of the CA that signs now, the issuer |
//! | `next-ca.key` | key of the CA that will sign next, while there is one |
//! | `tls.crt`, `tls.key` | the serving certificate and its key |
//! | `former.crt` | last certificate of a former CA, kept to know when it expires; it is not served |
//!
//! The keys tell which CA of the bundle is the issuer and which is next, and the signature tells
//! which CA signed the certificate. No entry repeats this, so that the entries cannot contradict.

use super::policy::RotationPolicy;
use super::step::{LeafState, RotationState, RotationStep, Signer};
use super::validity::Validity;
use super::{signing, x509};
use crate::certificates::{LoadedCertificate, load};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::ByteString;
use rcgen::{KeyPair, PublicKeyData};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::collections::BTreeMap;
use std::sync::Arc;
use time::OffsetDateTime;

pub(super) const BUNDLE: &str = "ca.crt";
pub(super) const ISSUER_KEY: &str = "ca.key";
pub(super) const NEXT_KEY: &str = "next-ca.key";
pub(super) const LEAF: &str = "tls.crt";
pub(super) const LEAF_KEY: &str = "tls.key";
pub(super) const FORMER_LEAF: &str = "former.crt";
/// All entries that rotation writes. It leaves other entries of the Secret alone.
pub(super) const ENTRIES: [&str; 6] = [BUNDLE, ISSUER_KEY, NEXT_KEY, LEAF, LEAF_KEY, FORMER_LEAF];

/// How many certificates of a bundle are read. Rotation writes three at most; people may add some.
const BUNDLE_SIZE: usize = 16;

type Data = BTreeMap<String, ByteString>;

/// A CA of the bundle.
#[derive(Clone)]
struct Authority {
    certificate: CertificateDer<'static>,
    validity: Validity,
    public_key: Vec<u8>,
    is_self_signed: bool,
}

impl Authority {
    fn new(certificate: CertificateDer<'static>, read: x509::CertificateFields) -> Self {
        let x509::CertificateFields { validity, public_key, is_self_signed, .. } = read;
        Authority { certificate, validity, public_key, is_self_signed }
    }
}

/// A CA with its key.
#[derive(Clone)]
struct SigningAuthority {
    authority: Authority,
    key: Arc<KeyPair>,
}

/// The serving certificate.
#[derive(Clone)]
struct Leaf {
    /// PEM, as it is in the Secret.
    certificate: Vec<u8>,
    key: Vec<u8>,
    loaded: Arc<LoadedCertificate>,
    validity: Validity,
    signer: Signer,
}

/// Usable content of the Secret. It has no `Debug`, since it contains private keys.
#[derive(Clone, Default)]
pub(super) struct SecretContent {
    issuer: Option<SigningAuthority>,
    next: Option<SigningAuthority>,
    former: Vec<Authority>,
    former_leaf: Option<(CertificateDer<'static>, OffsetDateTime)>,
    leaf: Option<Leaf>,
}

/// Why a CA or certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum SigningError {
    #[error("a certificate could not be signed: {0}")]
    Sign(#[from] rcgen::Error),
    #[error("a new certificate cannot be used: {0}")]
    Unusable(String),
}

impl SecretContent {
    /// Reads the usable content. The texts describe what is unusable.
    pub(super) fn read(data: &Data) -> (Self, Vec<String>) {
        let mut problems = Vec::new();
        let mut authorities = read_bundle(data, &mut problems);
        let issuer = take_signing_authority(data, ISSUER_KEY, &mut authorities, &mut problems);
        let next = take_signing_authority(data, NEXT_KEY, &mut authorities, &mut problems);
        let mut content = Self { issuer, next, former: authorities, ..Self::default() };
        content.leaf = content.read_leaf(data, &mut problems);
        content.former_leaf = content.read_former_leaf(data);
        (content, problems)
    }

    fn read_leaf(&self, data: &Data, problems: &mut Vec<String>) -> Option<Leaf> {
        let (certificate, key) = (bytes(data, LEAF)?, bytes(data, LEAF_KEY)?);
        let loaded = match load(certificate, key) {
            Ok(loaded) => loaded,
            Err(error) => {
                problems.push(format!("{LEAF} and {LEAF_KEY} cannot be served: {error}"));
                return None;
            }
        };
        let chain = &loaded.key.cert;
        let validity = x509::read(chain.first()?).ok()?.validity;
        let signed = |authority: &Authority| x509::is_signed_by(chain, &authority.certificate, validity.from);
        let signer = self.authorities().find(|(_, authority)| signed(authority));
        let Some((signer, authority)) = signer else {
            problems.push(format!("no CA of {BUNDLE} signed {LEAF} as a server's certificate"));
            return None;
        };
        Some(Leaf {
            certificate: certificate.to_vec(),
            key: key.to_vec(),
            // Clients also require the CA to be valid.
            validity: validity.within(authority.validity),
            signer,
            loaded: Arc::new(loaded),
        })
    }

    fn read_former_leaf(&self, data: &Data) -> Option<(CertificateDer<'static>, OffsetDateTime)> {
        let leaf = CertificateDer::from_pem_slice(bytes(data, FORMER_LEAF)?).ok()?;
        let validity = x509::read(&leaf).ok()?.validity;
        let chain = std::slice::from_ref(&leaf);
        let signed = |former: &Authority| x509::is_signed_by(chain, &former.certificate, validity.from);
        self.former.iter().any(signed).then_some((leaf, validity.until))
    }

    fn authorities(&self) -> impl Iterator<Item = (Signer, &Authority)> {
        let issuer = self.issuer.iter().map(|signing| (Signer::Issuer, &signing.authority));
        let next = self.next.iter().map(|signing| (Signer::Next, &signing.authority));
        issuer.chain(next).chain(self.former.iter().map(|former| (Signer::Former, former)))
    }

    /// What the next step depends on. `names` are those that the certificate has to cover.
    pub(super) fn state(&self, names: &[String]) -> RotationState {
        let validity = |signing: &SigningAuthority| signing.authority.validity;
        RotationState {
            issuer: self.issuer.as_ref().map(validity),
            next: self.next.as_ref().map(validity),
            former: !self.former.is_empty(),
            former_leaf_until: self.former_leaf.as_ref().map(|(_, until)| *until),
            leaf: self.leaf.as_ref().map(|leaf| LeafState {
                validity: leaf.validity,
                named: leaf.loaded.key.cert.first().is_some_and(|leaf| x509::covers_names(leaf, names)),
                signer: leaf.signer,
            }),
        }
    }

    /// The serving certificate.
    pub(super) fn served(&self) -> Option<&Arc<LoadedCertificate>> {
        self.leaf.as_ref().map(|leaf| &leaf.loaded)
    }

    /// All CAs, PEM. They are ordered by age, so that the text stays the same when the next CA
    /// becomes the issuer.
    pub(super) fn bundle(&self) -> String {
        let mut all: Vec<&Authority> = self.authorities().map(|(_, authority)| authority).collect();
        all.sort_by(|a, b| (a.validity.from, &*a.certificate).cmp(&(b.validity.from, &*b.certificate)));
        all.into_iter().map(|authority| pem(&authority.certificate)).collect()
    }

    /// The entries of the Secret.
    pub(super) fn data(&self) -> Data {
        let key = |signing: &SigningAuthority| signing.key.serialize_pem().into_bytes();
        let entries = [
            (BUNDLE, Some(self.bundle().into_bytes())),
            (ISSUER_KEY, self.issuer.as_ref().map(key)),
            (NEXT_KEY, self.next.as_ref().map(key)),
            (LEAF, self.leaf.as_ref().map(|leaf| leaf.certificate.clone())),
            (LEAF_KEY, self.leaf.as_ref().map(|leaf| leaf.key.clone())),
            (FORMER_LEAF, self.former_leaf.as_ref().map(|(leaf, _)| pem(leaf).into_bytes())),
        ];
        entries.into_iter().filter_map(|(name, value)| Some((name.to_owned(), ByteString(value?)))).collect()
    }

    /// The content after a step.
    pub(super) fn after(
        &self,
        step: RotationStep,
        names: &[String],
        policy: &RotationPolicy,
        now: OffsetDateTime,
    ) -> Result<Self, SigningError> {
        let mut after = self.clone();
        match step {
            RotationStep::Wait(_) => {}
            RotationStep::Begin => {
                after = Self { issuer: Some(make_authority(policy, now)?), ..Self::default() };
                after.issue_leaf(names, policy, now)?;
            }
            RotationStep::AddAuthority => after.next = Some(make_authority(policy, now)?),
            RotationStep::Switch => {
                let issuer = after.issuer.take().map(|signing| signing.authority);
                after.former.extend(issuer);
                after.issuer = after.next.take();
                after.keep_former_leaf();
                after.issue_leaf(names, policy, now)?;
            }
            RotationStep::IssueLeaf => {
                if after.leaf.as_ref().is_some_and(|leaf| leaf.signer == Signer::Former) {
                    after.keep_former_leaf();
                }
                after.issue_leaf(names, policy, now)?;
            }
            RotationStep::DropFormer => {
                after.former.clear();
                after.former_leaf = None;
            }
        }
        Ok(after)
    }

    /// Keeps the certificate that is about to be replaced: its CA stays in the bundle until it
    /// expires.
    fn keep_former_leaf(&mut self) {
        let Some(leaf) = &self.leaf else { return };
        let Some(certificate) = leaf.loaded.key.cert.first() else { return };
        let until = leaf.loaded.expires;
        if self.former_leaf.as_ref().is_none_or(|(_, known)| *known < until) {
            self.former_leaf = Some((certificate.clone(), until));
        }
    }

    fn issue_leaf(
        &mut self,
        names: &[String],
        policy: &RotationPolicy,
        now: OffsetDateTime,
    ) -> Result<(), SigningError> {
        let Some(SigningAuthority { authority, key }) = &self.issuer else {
            return Err(SigningError::Unusable("there is no CA that could sign it".to_owned()));
        };
        let made = signing::leaf(&authority.certificate, key, authority.validity, names, policy, now)?;
        let certificate = pem(&made.certificate).into_bytes();
        let key = made.key.serialize_pem().into_bytes();
        let loaded = load(&certificate, &key).map_err(|error| SigningError::Unusable(error.to_string()))?;
        let validity = x509::read(&made.certificate).map_err(SigningError::Unusable)?.validity;
        self.leaf =
            Some(Leaf { certificate, key, loaded: Arc::new(loaded), validity, signer: Signer::Issuer });
        Ok(())
    }
}

fn make_authority(policy: &RotationPolicy, now: OffsetDateTime) -> Result<SigningAuthority, SigningError> {
    let made = signing::authority(policy, now)?;
    let read = x509::read(&made.certificate).map_err(SigningError::Unusable)?;
    Ok(SigningAuthority { authority: Authority::new(made.certificate, read), key: Arc::new(made.key) })
}

fn bytes<'d>(data: &'d Data, entry: &str) -> Option<&'d [u8]> {
    data.get(entry).map(|value| value.0.as_slice()).filter(|value| !value.is_empty())
}

fn read_bundle(data: &Data, problems: &mut Vec<String>) -> Vec<Authority> {
    let mut authorities: Vec<Authority> = Vec::new();
    let text = bytes(data, BUNDLE).unwrap_or_default();
    for certificate in CertificateDer::pem_slice_iter(text).take(BUNDLE_SIZE) {
        let read = certificate.map_err(|error| format!("is not PEM: {error}")).and_then(|certificate| {
            let read = x509::read(&certificate)?;
            if !read.is_authority {
                return Err("is not a CA".to_owned());
            }
            Ok(Authority::new(certificate, read))
        });
        match read {
            Ok(authority) if authorities.iter().any(|known| known.certificate == authority.certificate) => {}
            Ok(authority) => authorities.push(authority),
            Err(problem) => problems.push(format!("a certificate in {BUNDLE} {problem}")),
        }
    }
    authorities
}

/// Reads a CA's key, and moves its CA out of `authorities`.
fn take_signing_authority(
    data: &Data,
    entry: &str,
    authorities: &mut Vec<Authority>,
    problems: &mut Vec<String>,
) -> Option<SigningAuthority> {
    let text = bytes(data, entry)?;
    // The parser's message is not used: it may quote what it read, which is a private key.
    let key = std::str::from_utf8(text).ok().and_then(|text| KeyPair::from_pem(text).ok());
    let Some(key) = key else {
        problems.push(format!("{entry} is not a private key in PEM"));
        return None;
    };
    let public_key = key.subject_public_key_info();
    let Some(at) = authorities.iter().position(|authority| authority.public_key == public_key) else {
        problems.push(format!("{entry} is not the key of a CA in {BUNDLE}"));
        return None;
    };
    let authority = authorities.remove(at);
    // The name of the CA is copied into what it signs. One that is damaged can have a name that
    // cannot be written again, or that would be written otherwise.
    if !authority.is_self_signed {
        problems.push(format!("the CA of {entry} in {BUNDLE} is damaged: it is not what its own key signed"));
        return None;
    }
    Some(SigningAuthority { authority, key: Arc::new(key) })
}

/// A certificate in PEM (RFC 7468).
fn pem(certificate: &CertificateDer<'_>) -> String {
    let encoded = STANDARD.encode(certificate);
    let mut text = String::with_capacity(encoded.len() + encoded.len() / 64 + 64);
    text.push_str("-----BEGIN CERTIFICATE-----\n");
    for (index, character) in encoded.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str("\n-----END CERTIFICATE-----\n");
    text
}

#[cfg(test)]
mod tests;
