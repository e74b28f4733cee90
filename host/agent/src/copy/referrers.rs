//! Manifests that refer to a copied one: by the API for referrers, and by the tags that stand in
//! for it in registries that do not have it (distribution-spec 1.1, "Referrers Tag Schema").

use super::sides::Sides;
use oci_registry_client::{ArtifactReference, Descriptor, Digest, EncodedManifest, Error, media_type};
use serde_json::{Value, json};

/// Has the destination list copied manifests as those that refer to `subject`. Registries with the
/// API for referrers do it by themselves. The error is a sentence.
pub async fn announce(
    sides: &Sides,
    repository: &str,
    subject: &Digest,
    copied: Vec<Value>,
) -> Result<(), String> {
    if copied.is_empty() {
        return Ok(());
    }
    let asked = sides.destination.referrers(repository, subject, None).await;
    match asked.map_err(|error| error.to_string())? {
        Some(_) => Ok(()),
        None => leave_list(sides, repository, subject, copied).await,
    }
}

/// The manifests that refer to a subject, each with its entry in a list.
pub async fn list(
    sides: &Sides,
    repository: &str,
    subject: &Digest,
) -> Result<Vec<(Descriptor, Value)>, String> {
    let sentence = |error: Error| error.to_string();
    let mut entries = Vec::new();
    match sides.source.referrers(repository, subject, None).await.map_err(sentence)? {
        Some(referrers) => {
            for referrer in referrers {
                let reference = by_digest(repository, referrer.digest.as_str());
                let manifest = sides.source.encoded_manifest(&reference).await.map_err(sentence)?;
                let mut entry = json!(manifest.descriptor());
                if let Some(entry) = entry.as_object_mut() {
                    entry.insert("artifactType".to_owned(), referrer.artifact_type.into());
                    entry.insert("annotations".to_owned(), json!(referrer.annotations));
                }
                entries.push(entry);
            }
        }
        None => entries = listed_by_tag(&sides.source, repository, subject).await?,
    }
    let descriptors = entries.into_iter().filter_map(|entry| {
        let descriptor: Descriptor = serde_json::from_value(entry.clone()).ok()?;
        Digest::parse(&descriptor.digest).map(|_| (descriptor, entry))
    });
    Ok(descriptors.collect())
}

/// The entries of the index that a tag names in place of the API.
async fn listed_by_tag(
    client: &oci_registry_client::Client,
    repository: &str,
    subject: &Digest,
) -> Result<Vec<Value>, String> {
    let reference = by_tag(repository, subject);
    let index = match client.encoded_manifest(&reference).await {
        Ok(index) => index,
        Err(Error::NotFound { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error.to_string()),
    };
    let index: Value = serde_json::from_slice(index.bytes())
        .map_err(|error| format!("{reference}: its manifest cannot be read: {error}"))?;
    Ok(index.get("manifests").and_then(Value::as_array).cloned().unwrap_or_default())
}

/// Adds entries to the index that a tag of the destination names in place of the API.
async fn leave_list(
    sides: &Sides,
    repository: &str,
    subject: &Digest,
    new: Vec<Value>,
) -> Result<(), String> {
    let mut all = listed_by_tag(&sides.destination, repository, subject).await?;
    let before = all.len();
    for entry in new {
        if !all.iter().any(|known| known.get("digest") == entry.get("digest")) {
            all.push(entry);
        }
    }
    if all.len() == before {
        return Ok(());
    }
    let index = json!({"schemaVersion": 2, "mediaType": media_type::INDEX, "manifests": all});
    let index = EncodedManifest::of_bytes(index.to_string().into_bytes(), media_type::INDEX);
    let tagged = sides.destination.tag_manifest(&by_tag(repository, subject), &index).await;
    tagged.map_err(|error| error.to_string())
}

pub fn by_digest(repository: &str, digest: &str) -> ArtifactReference {
    ArtifactReference { repository: repository.to_owned(), tag: None, digest: Some(digest.to_owned()) }
}

/// The tag that stands for the referrers of a manifest: its digest, with a dash for the colon.
fn by_tag(repository: &str, subject: &Digest) -> ArtifactReference {
    let tag = Some(subject.as_str().replace(':', "-"));
    ArtifactReference { repository: repository.to_owned(), tag, digest: None }
}
