//! Signatures by a key, as cosign stores them beside the signed artifact (sigstore/cosign,
//! specs/SIGNATURE_SPEC.md).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oci_registry_client::{ArtifactReference, Client, Descriptor, Digest};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use serde::Deserialize;
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::bounded_blob;
use crate::error::Error;

/// Media type of a payload ("SIMPLE_SIGNING" in cosign's specification).
const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// Annotation of the payload's descriptor: the signature, in base64.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
/// Largest payload that is read, in bytes. Payloads have a few hundred.
const MAX_PAYLOAD: u64 = 64 << 10;
/// Length of an uncompressed point on P-256, in bytes (SEC 1, 2.3.3).
const POINT: usize = 65;

/// A key that signatures are checked with: ECDSA on P-256.
#[derive(Clone, Debug)]
pub struct PublicKey(Vec<u8>);

impl PublicKey {
    /// Reads a key as `cosign generate-key-pair` and `openssl ec -pubout` write it.
    ///
    /// # Errors
    /// When the text is no such key.
    ///
    /// ```
    /// let error = component_registry::PublicKey::from_pem(b"no key").unwrap_err();
    /// assert!(error.to_string().contains("it is no PEM"));
    /// ```
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

/// The text that is signed ("Payload" in cosign's specification). Signers may add more.
#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    identity: Identity,
    image: Image,
}

/// What the signer calls the artifact.
#[derive(Deserialize)]
struct Identity {
    #[serde(rename = "docker-reference")]
    reference: String,
}

/// The manifest that is signed.
#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// Looks for a signature of a manifest by a key, for the name `signed_as`, or else for the name
/// that the manifest is pulled by. Without the name, the signature of one component would be valid
/// for every repository that its signer writes to.
///
/// # Errors
/// When there is no such signature, or it cannot be pulled.
pub(crate) async fn verify(
    client: &Client,
    reference: &ArtifactReference,
    digest: &Digest,
    key: &PublicKey,
    signed_as: Option<&str>,
) -> Result<(), Error> {
    let host = client.endpoint().host();
    let name = format!("{host}/{reference}");
    let expected = match signed_as {
        Some(signed_as) => signed_as.to_owned(),
        None => format!("{host}/{}", reference.repository),
    };
    let unsigned = |why: String| Error::Unsigned(name.clone(), why);
    let tag = format!("{}.sig", digest.as_str().replace(':', "-"));
    let repository = reference.repository.clone();
    let at = ArtifactReference { repository, tag: Some(tag.clone()), digest: None };
    let signatures = match client.manifest(&at).await {
        Ok(fetched) => fetched.manifest.layers,
        Err(oci_registry_client::Error::NotFound { .. }) => {
            return Err(unsigned(format!("the registry has no {tag} beside it")));
        }
        Err(error) => return Err(error.into()),
    };
    let mut other_names = Vec::new();
    for descriptor in signatures.iter().filter(|descriptor| descriptor.media_type == SIMPLE_SIGNING) {
        let Some(signature) = signature_of(descriptor) else { continue };
        let payload = bounded_blob::pull(client, &reference.repository, descriptor, MAX_PAYLOAD).await?;
        let payload = payload.map_err(|error| unsigned(error.to_string()))?;
        if !key.verifies(&payload, &signature) {
            continue;
        }
        match signed_name(&payload, digest) {
            Some(found) if is_same_name(&found, &expected) => return Ok(()),
            Some(found) => other_names.push(found),
            None => {}
        }
    }
    if let Some(found) = other_names.first() {
        let found: String = found.chars().filter(|c| !c.is_control()).take(300).collect();
        let why = format!("the signature is for \"{found}\", and the component is pulled as {expected}");
        return Err(unsigned(why));
    }
    Err(unsigned(format!("none of the {} signatures there is by it", signatures.len())))
}

fn signature_of(descriptor: &Descriptor) -> Option<Vec<u8>> {
    STANDARD.decode(descriptor.annotations.get(SIGNATURE)?).ok()
}

/// The name in a payload that signs this digest.
fn signed_name(payload: &[u8], digest: &Digest) -> Option<String> {
    let Payload { critical } = serde_json::from_slice(payload).ok()?;
    (critical.image.digest == digest.as_str()).then_some(critical.identity.reference)
}

/// Whether two names mean the same repository. Docker Hub has several names, and cosign writes
/// another one than Docker.
fn is_same_name(found: &str, expected: &str) -> bool {
    repository_name(found) == repository_name(expected)
}

fn repository_name(name: &str) -> String {
    match name.split_once('/') {
        Some(("docker.io" | "index.docker.io" | "registry-1.docker.io", path)) => format!("docker.io/{path}"),
        _ => name.to_owned(),
    }
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
        let digest = Digest::of(b"a component");
        assert_eq!(signed_name(payload, &digest).as_deref(), Some("registry.example.org/orascache"));
        assert_eq!(signed_name(payload, &Digest::of(b"another component")), None);
        assert_eq!(signed_name(b"{}", &digest), None);
        let anonymous = format!(r#"{{"critical":{{"image":{{"docker-manifest-digest":"{digest}"}}}}}}"#);
        assert_eq!(signed_name(anonymous.as_bytes(), &digest), None, "a payload without a name");
    }

    #[test]
    fn docker_hub_has_one_name_for_signatures() {
        assert!(is_same_name("index.docker.io/lab/module", "registry-1.docker.io/lab/module"));
        assert!(!is_same_name("index.docker.io/lab/module", "registry.example.org/lab/module"));
        assert!(!is_same_name("r.example.org/lab/module", "r.example.org/lab/module2"));
    }
}
