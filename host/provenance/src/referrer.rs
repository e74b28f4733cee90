//! Statements beside the artifacts that they are about: manifests that refer to another one
//! (distribution-spec 1.1, "Pushing Manifests with Subject").

use std::collections::BTreeMap;

use oci_registry_client::{Client, Digest, EMPTY_CONFIG, EncodedManifest, Error, Manifest, media_type};

use crate::statement::{PREDICATE_TYPE, Statement};

/// Artifact type of the manifest, and media type of the statement in it (in-toto attestation
/// framework, "Envelope layer specification", for statements without an envelope).
const IN_TOTO: &str = "application/vnd.in-toto+json";
/// Annotation with the type of the predicate, as BuildKit writes it ("Image attestation storage").
const PREDICATE_ANNOTATION: &str = "in-toto.io/predicate-type";

/// A statement that is in a registry, beside an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    /// Digest of its manifest.
    pub digest: Digest,
    /// Type of its predicate, where the manifest says it.
    pub predicate_type: Option<String>,
}

/// What became of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushedStatement {
    /// It is in the registry: the digest of its manifest.
    Pushed(Digest),
    /// The registry does not know referrers. Nothing was written.
    NoReferrers,
}

/// Pushes a statement about the manifest `subject` of a repository, where the registry knows
/// referrers. Nothing is written where it does not: nobody would find the statement, and the tags
/// that other clients write in that case (distribution-spec, "Referrers Tag Schema") would look
/// like artifacts of the workflow.
///
/// The registry is asked for referrers beforehand. The header `OCI-Subject` in the answer to a push
/// comes too late for that, and ghcr.io/oras-project/registry lists referrers without sending it.
///
/// # Errors
/// When it is not allowed, or patience ends.
pub async fn push(
    client: &Client,
    repository: &str,
    subject: &EncodedManifest,
    statement: &Statement,
) -> Result<PushedStatement, Error> {
    if client.referrers(repository, subject.digest(), Some(IN_TOTO)).await?.is_none() {
        return Ok(PushedStatement::NoReferrers);
    }
    let bytes = serde_json::to_vec(statement).map_err(|error| Error::Protocol {
        what: format!("the statement about {repository}@{}", subject.digest()),
        why: format!("it cannot be written: {error}"),
    })?;
    let predicate = BTreeMap::from([(PREDICATE_ANNOTATION.to_owned(), PREDICATE_TYPE.to_owned())]);
    let mut layer = client.push_bytes(repository, &bytes, IN_TOTO).await?;
    layer.annotations.clone_from(&predicate);
    client.push_bytes(repository, EMPTY_CONFIG, media_type::EMPTY).await?;
    let mut manifest = Manifest::of_layers(IN_TOTO, vec![layer], predicate);
    manifest.subject = Some(subject.descriptor());
    let manifest = EncodedManifest::of(&manifest)?;
    client.put_manifest(repository, &manifest).await?;
    Ok(PushedStatement::Pushed(manifest.digest().clone()))
}

/// The statements about a manifest of a repository. None where the registry does not know
/// referrers.
///
/// # Errors
/// When it is not allowed, or patience ends.
pub async fn attestations(
    client: &Client,
    repository: &str,
    subject: &Digest,
) -> Result<Option<Vec<Attestation>>, Error> {
    let referrers = client.referrers(repository, subject, Some(IN_TOTO)).await?;
    Ok(referrers.map(|all| {
        let attestation = |mut referrer: oci_registry_client::Referrer| {
            let predicate_type = referrer.annotations.remove(PREDICATE_ANNOTATION);
            Attestation { digest: referrer.digest, predicate_type }
        };
        all.into_iter().map(attestation).collect()
    }))
}
