//! Pushing artifacts: blobs first, then the manifest, and the tag last.

use super::progress::{Progress, size};
use super::pull::blocking;
use super::{PulledInput, TransferFailure};
use futures::stream::{self, StreamExt, TryStreamExt};
use oci_archive::{Layer, PackOptions};
use oci_registry_client::{
    ArtifactReference, Blob, Client, Descriptor, Digest, EMPTY_CONFIG, Error, Manifest, Pushed, media_type,
};
use orascache_api::steps::INPUTS_ANNOTATION;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Number of layers that are transferred at the same time.
const LAYERS: usize = 3;

/// A file or directory, and its title in the artifact.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path.
    pub path: PathBuf,
    /// The path that it has after a pull, relative to the target.
    pub title: String,
}

/// The content of an artifact that is pushed.
#[derive(Clone, Debug, Default)]
pub struct PushedContent {
    /// Files and directories that become layers.
    pub files: Vec<Source>,
    /// Whether a pull unpacks directories.
    pub unpack: bool,
    /// Type of the artifact. By default, the type that ORAS writes.
    pub artifact_type: Option<String>,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
    /// Repositories that are known to have a blob, by its digest.
    pub blob_sources: BTreeMap<String, Vec<String>>,
}

/// An artifact that was pushed.
#[derive(Clone, Debug)]
pub struct PushedArtifact {
    /// Its reference.
    pub reference: ArtifactReference,
    /// Digest of its manifest.
    pub digest: Digest,
    sent: u64,
    total: u64,
}

impl fmt::Display for PushedArtifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {}", self.reference, self.digest, size(self.total))?;
        match self.sent {
            0 => write!(f, ", all of it there already)"),
            sent if sent == self.total => write!(f, ")"),
            sent => write!(f, ", {} of it new)", size(sent)),
        }
    }
}

/// Annotations with the inputs that an artifact was made of: a JSON list of references by digest.
pub fn provenance(inputs: &[PulledInput]) -> BTreeMap<String, String> {
    if inputs.is_empty() {
        return BTreeMap::new();
    }
    let inputs: Vec<String> =
        inputs.iter().map(|input| input.reference.pinned(input.digest.as_str())).collect();
    BTreeMap::from([(INPUTS_ANNOTATION.to_owned(), serde_json::Value::from(inputs).to_string())])
}

/// Repositories that have the blobs of the inputs.
pub fn blob_sources(inputs: &[PulledInput]) -> BTreeMap<String, Vec<String>> {
    let mut sources: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for input in inputs {
        for layer in &input.layers {
            sources.entry(layer.clone()).or_default().push(input.reference.repository.clone());
        }
    }
    sources
}

/// Pushes an artifact. Where the registry has lost blobs in the meantime, they are pushed again as
/// long as patience lasts.
///
/// # Errors
/// See [`TransferFailure`].
pub async fn artifact(
    client: &Client,
    reference: &ArtifactReference,
    content: PushedContent,
    progress: &Progress,
) -> Result<PushedArtifact, TransferFailure> {
    let cannot = |why: String| {
        TransferFailure::Failed(format!("cannot push {reference} to {}: {why}", client.endpoint()))
    };
    let mut layers = Vec::new();
    for source in content.files {
        let options = PackOptions { unpack: content.unpack };
        let packed = blocking(move || oci_archive::pack(&source.path, &source.title, &options)).await;
        layers.push(Arc::new(packed.map_err(cannot)?.map_err(|error| cannot(error.to_string()))?));
    }
    let descriptors = layers.iter().map(|layer| descriptor(layer)).collect();
    let artifact_type = content.artifact_type.as_deref().unwrap_or(media_type::UNKNOWN_ARTIFACT);
    let manifest = Manifest::of_layers(artifact_type, descriptors, content.annotations);
    let start = Instant::now();
    let mut sent = 0;
    let digest = loop {
        let new = send_blobs(client, &reference.repository, &layers, &content.blob_sources, progress).await;
        sent += new.map_err(|error| cannot(error.to_string()))?;
        match client.push_manifest(reference, &manifest).await {
            Ok(digest) => break digest,
            Err(Error::BlobsUnknown { .. }) if start.elapsed() < client.policy().patience => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(cannot(error.to_string())),
        }
    };
    let total = layers.iter().map(|layer| layer.size).sum();
    Ok(PushedArtifact { reference: reference.clone(), digest, sent, total })
}

/// Pause before blobs are pushed again.
const PAUSE: Duration = Duration::from_millis(100);

/// Makes sure that the registry has all blobs. Returns the number of bytes that were sent.
async fn send_blobs(
    client: &Client,
    repository: &str,
    layers: &[Arc<Layer>],
    blob_sources: &BTreeMap<String, Vec<String>>,
    progress: &Progress,
) -> Result<u64, Error> {
    let nowhere = Vec::new();
    let sending = layers.iter().map(|layer| {
        let sources = blob_sources.get(&layer.digest).unwrap_or(&nowhere);
        send(client, repository, layer, sources, progress)
    });
    let config = client.push_bytes(repository, EMPTY_CONFIG, media_type::EMPTY);
    let layers_sent = stream::iter(sending).buffered(LAYERS).try_collect::<Vec<u64>>();
    let (_, sent) = tokio::try_join!(config, layers_sent)?;
    Ok(sent.iter().sum())
}

fn descriptor(layer: &Layer) -> Descriptor {
    Descriptor {
        media_type: layer.media_type.to_owned(),
        digest: layer.digest.clone(),
        size: layer.size,
        annotations: layer.annotations.clone(),
    }
}

/// Makes sure that the registry has a layer. Returns the number of bytes that were sent.
async fn send(
    client: &Client,
    repository: &str,
    layer: &Arc<Layer>,
    sources: &[String],
    progress: &Progress,
) -> Result<u64, Error> {
    let bar = progress.bar(&layer.title, layer.size);
    let open = |offset: u64| -> io::Result<Box<dyn Read + Send>> {
        bar.set_position(offset);
        let reader = layer.open(offset).map_err(io::Error::other)?;
        Ok(Box::new(bar.wrap_read(reader)))
    };
    let digest = descriptor(layer).checked_digest()?;
    let blob = Blob { digest, size: layer.size, open: &open };
    let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
    let how = client.push_blob(repository, &blob, &sources).await?;
    bar.finish();
    Ok(if how == Pushed::Sent { layer.size } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(uri: &str) -> PulledInput {
        let reference = ArtifactReference::parse(uri).unwrap();
        PulledInput { reference, digest: Digest::of(b"a"), layers: vec!["sha256:2".to_owned()] }
    }

    #[test]
    fn provenance_names_inputs_by_digest() {
        let digest = Digest::of(b"a");
        let annotations = provenance(&[input("a/b:1"), input(&format!("c@{digest}"))]);
        let wanted = format!(r#"["a/b:1@{digest}","c@{digest}"]"#);
        assert_eq!(annotations.get(INPUTS_ANNOTATION), Some(&wanted));
        assert!(provenance(&[]).is_empty());
    }

    #[test]
    fn the_blobs_of_inputs_have_sources() {
        let known = blob_sources(&[input("a/b:1"), input("c:2")]);
        assert_eq!(known.get("sha256:2").unwrap(), &["a/b", "c"]);
    }
}
