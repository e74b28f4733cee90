//! Signatures by a key, as cosign keeps them beside what they sign (sigstore/cosign, specs/SIGNATURE_SPEC.md).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oci_registry_client::{Client, Descriptor, Digest, Reference};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use serde::Deserialize;
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::artifact::read;
use crate::error::Error;

/// Media type of what is signed.
const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// Annotation of its descriptor: the signature, base64.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
/// It is a few hundred bytes.
const MAX_PAYLOAD: u64 = 64 << 10;
/// Length of a point on P-256 that is not compressed.
const POINT: usize = 65;

/// A key that signatures are checked with: ECDSA on P-256.
#[derive(Clone, Debug)]
pub struct PublicKey(Vec<u8>);

impl PublicKey {
    /// Reads a key as `cosign generate-key-pair` and `openssl ec -pubout` write it.
    ///
    /// # Errors
    /// When it is no such key.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        let wrong = |why: &str| Error::Key(why.to_owned());
        let (_, block) = x509_parser::pem::parse_x509_pem(pem).map_err(|_| wrong("it is no PEM"))?;
        if block.label != "PUBLIC KEY" {
            return Err(wrong(&format!("it holds a {}", block.label)));
        }
        let (_, info) =
            SubjectPublicKeyInfo::from_der(&block.contents).map_err(|_| wrong("it holds no key"))?;
        let point = info.subject_public_key.data.to_vec();
        let is_elliptic = matches!(info.parsed(), Ok(x509_parser::public_key::PublicKey::EC(_)));
        if !is_elliptic || point.len() != POINT {
            return Err(wrong("it is of another kind"));
        }
        Ok(PublicKey(point))
    }

    fn verifies(&self, payload: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.0).verify(payload, signature).is_ok()
    }
}

/// What is signed: the digest of a manifest, and whatever else the signer says.
#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: Image,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// Looks for a signature of a manifest by the key.
pub(crate) async fn check(
    client: &Client,
    reference: &Reference,
    digest: &Digest,
    key: &PublicKey,
) -> Result<(), Error> {
    let name = format!("{}/{reference}", client.endpoint().host());
    let unsigned = |why: String| Error::Unsigned(name.clone(), why);
    let tag = format!("{}.sig", digest.as_str().replace(':', "-"));
    let at = Reference { repository: reference.repository.clone(), tag: Some(tag.clone()), digest: None };
    let signatures = match client.manifest(&at).await {
        Ok(fetched) => fetched.manifest.layers,
        Err(oci_registry_client::Error::NotFound { .. }) => {
            return Err(unsigned(format!("the registry has no {tag} beside it")));
        }
        Err(error) => return Err(error.into()),
    };
    for descriptor in signatures.iter().filter(|descriptor| descriptor.media_type == SIMPLE_SIGNING) {
        let Some(signature) = signature_of(descriptor) else { continue };
        let payload = read(client, &reference.repository, descriptor, MAX_PAYLOAD).await?;
        let payload = payload.map_err(|error| unsigned(error.to_string()))?;
        if key.verifies(&payload, &signature) && signs(&payload, digest) {
            return Ok(());
        }
    }
    Err(unsigned(format!("none of the {} signatures there is by it", signatures.len())))
}

fn signature_of(descriptor: &Descriptor) -> Option<Vec<u8>> {
    STANDARD.decode(descriptor.annotations.get(SIGNATURE)?).ok()
}

fn signs(payload: &[u8], digest: &Digest) -> bool {
    serde_json::from_slice::<Payload>(payload)
        .is_ok_and(|payload| payload.critical.image.digest == digest.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_other_kinds_are_refused() {
        for (pem, why) in [
            (include_str!("../tests/keys/rsa.pub"), "of another kind"),
            (include_str!("../tests/keys/p384.pub"), "of another kind"),
            ("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", "holds a CERTIFICATE"),
            ("-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n", "holds no key"),
            ("secret", "no PEM"),
        ] {
            let sentence = PublicKey::from_pem(pem.as_bytes()).unwrap_err().to_string();
            assert!(sentence.contains(why), "{sentence}");
        }
        assert!(PublicKey::from_pem(include_bytes!("../tests/keys/signer.pub")).is_ok());
    }

    /// Made by `openssl dgst -sha256 -sign` with the key of `signer.pub`.
    #[test]
    fn a_signature_by_another_tool_is_verified() {
        let key = PublicKey::from_pem(include_bytes!("../tests/keys/signer.pub")).unwrap();
        let payload = include_bytes!("../tests/keys/payload.json");
        let signature = include_bytes!("../tests/keys/payload.sig");
        assert!(key.verifies(payload, signature));
        assert!(!key.verifies(&payload[1..], signature));
        assert!(signs(payload, &Digest::of(b"a component")));
        assert!(!signs(payload, &Digest::of(b"another component")));
        assert!(!signs(b"{}", &Digest::of(b"a component")));
    }
}
