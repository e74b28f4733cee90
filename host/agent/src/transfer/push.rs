//! Pushing artifacts: blobs first, then the manifest, and the tag last.

use super::progress::{Progress, size};
use super::pull::blocking;
use super::{Lost, PulledInput, TransferFailure};
use crate::listed::listed;
use futures::stream::{self, StreamExt, TryStreamExt};
use oci_archive::{Compression, Layer, PackOptions};
use oci_registry_client::{
    ArtifactReference, Blob, Client, Descriptor, Digest, EMPTY_CONFIG, EncodedManifest, Error, Manifest,
    Pushed, media_type,
};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Number of artifacts, and of layers of each, that are transferred at the same time.
const ARTIFACTS: usize = 3;
const LAYERS: usize = 3;
/// Number of artifacts that a sentence names.
const NAMED: usize = 20;

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
    /// How directories are compressed.
    pub compression: Compression,
    /// Type of the artifact. By default, the type that ORAS writes.
    pub artifact_type: Option<String>,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
    /// The configuration of the manifest. By default, the empty one.
    pub config: Option<Config>,
    /// Repositories that are known to have a blob, by its digest.
    pub blob_sources: BTreeMap<String, Vec<String>>,
}

/// The configuration of a manifest.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its media type.
    pub media_type: &'static str,
    /// Its content.
    pub content: Vec<u8>,
}

impl Config {
    fn empty() -> Self {
        Config { media_type: media_type::EMPTY, content: EMPTY_CONFIG.to_vec() }
    }

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            media_type: self.media_type.to_owned(),
            digest: Digest::of(&self.content).to_string(),
            size: self.content.len() as u64,
            annotations: BTreeMap::new(),
        }
    }
}

/// An artifact that was pushed.
#[derive(Clone, Debug)]
pub struct PushedArtifact {
    /// Its reference.
    pub reference: ArtifactReference,
    /// Its manifest.
    pub manifest: EncodedManifest,
    /// Number of bytes that the registry did not have.
    pub sent: u64,
    total: u64,
}

impl fmt::Display for PushedArtifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {}", self.reference, self.manifest.digest(), size(self.total))?;
        match self.sent {
            0 => write!(f, ", all of it there already)"),
            sent if sent == self.total => write!(f, ")"),
            sent => write!(f, ", {} of it new)", size(sent)),
        }
    }
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

/// Pushes artifacts, all or none: the blobs and manifests of all come first, and then the tags. A
/// failure before the first tag leaves all tags where they were.
///
/// # Errors
/// See [`TransferFailure`].
pub async fn artifacts(
    client: &Client,
    outputs: Vec<(ArtifactReference, PushedContent)>,
    progress: &Progress,
) -> Result<Vec<PushedArtifact>, TransferFailure> {
    let mut packed = Vec::new();
    for (reference, content) in outputs {
        let cannot = |why| cannot_push(client, &reference, why);
        packed.push(PackedArtifact::pack(reference.clone(), content).await.map_err(cannot)?);
    }
    let sending = packed.iter().map(|packed| async move {
        let sent = packed.send(client, progress).await;
        sent.map_err(|error| cannot_push(client, &packed.reference, error.to_string()))
    });
    let sent: Vec<u64> = stream::iter(sending).buffered(ARTIFACTS).try_collect().await?;
    let mut pushed: Vec<PushedArtifact> = Vec::new();
    for (packed, sent) in packed.iter().zip(sent) {
        let again = packed.tag(client, progress).await.map_err(|error| {
            let moved = listed(pushed.iter().map(|pushed| &pushed.reference), NAMED);
            let moved = if pushed.is_empty() { String::new() } else { format!("; already pushed: {moved}") };
            cannot_push(client, &packed.reference, format!("{error}{moved}"))
        })?;
        let (reference, manifest) = (packed.reference.clone(), packed.manifest.clone());
        let total = packed.layers.iter().map(|layer| layer.size).sum();
        pushed.push(PushedArtifact { reference, manifest, sent: (sent + again).min(total), total });
    }
    Ok(pushed)
}

fn cannot_push(client: &Client, reference: &ArtifactReference, why: String) -> TransferFailure {
    TransferFailure::Failed(format!("cannot push {reference} to {}: {why}", client.endpoint()))
}

/// An artifact that is ready to be sent.
struct PackedArtifact {
    reference: ArtifactReference,
    layers: Vec<Arc<Layer>>,
    config: Config,
    manifest: EncodedManifest,
    blob_sources: BTreeMap<String, Vec<String>>,
}

/// Pause before blobs are pushed again.
const PAUSE: Duration = Duration::from_millis(100);

impl PackedArtifact {
    /// The error is the rest of a sentence.
    async fn pack(reference: ArtifactReference, content: PushedContent) -> Result<Self, String> {
        let mut layers = Vec::new();
        for source in content.files {
            let options = PackOptions { unpack: content.unpack, compression: content.compression };
            let packed = blocking(move || oci_archive::pack(&source.path, &source.title, &options)).await;
            layers.push(Arc::new(packed?.map_err(|error| error.to_string())?));
        }
        let descriptors = layers.iter().map(|layer| descriptor(layer)).collect();
        let artifact_type = content.artifact_type.as_deref().unwrap_or(media_type::UNKNOWN_ARTIFACT);
        let config = content.config.unwrap_or_else(Config::empty);
        let mut manifest = Manifest::of_layers(artifact_type, descriptors, content.annotations);
        manifest.config = Some(config.descriptor());
        let manifest = EncodedManifest::of(&manifest).map_err(|error| error.to_string())?;
        Ok(PackedArtifact { reference, layers, config, manifest, blob_sources: content.blob_sources })
    }

    /// Sends the blobs and the manifest. Where the registry has lost blobs in the meantime, they
    /// are sent again as long as patience lasts. Returns the number of bytes that were sent.
    async fn send(&self, client: &Client, progress: &Progress) -> Result<u64, Error> {
        let (mut lost, mut sent) = (Lost::default(), 0);
        loop {
            sent += self.send_blobs(client, progress).await?;
            match client.put_manifest(&self.reference.repository, &self.manifest).await {
                Err(Error::BlobsUnknown { .. }) if lost.may_be_sent_again(client.policy().patience) => {
                    tokio::time::sleep(PAUSE).await;
                }
                other => return other.map(|()| sent),
            }
        }
    }

    /// Makes sure that the registry has all blobs. Returns the number of bytes that were sent.
    async fn send_blobs(&self, client: &Client, progress: &Progress) -> Result<u64, Error> {
        let repository = &self.reference.repository;
        let nowhere = Vec::new();
        let sending = self.layers.iter().map(|layer| {
            let sources = self.blob_sources.get(&layer.digest).unwrap_or(&nowhere);
            send(client, repository, layer, sources, progress)
        });
        let config = client.push_bytes(repository, &self.config.content, self.config.media_type);
        let layers_sent = stream::iter(sending).buffered(LAYERS).try_collect::<Vec<u64>>();
        let (_, sent) = tokio::try_join!(config, layers_sent)?;
        Ok(sent.iter().sum())
    }

    /// Moves the tag. Where the registry has lost blobs in the meantime, everything is sent again
    /// as long as patience lasts. Returns the number of bytes that were sent for that.
    async fn tag(&self, client: &Client, progress: &Progress) -> Result<u64, Error> {
        let (mut lost, mut sent) = (Lost::default(), 0);
        loop {
            match client.tag_manifest(&self.reference, &self.manifest).await {
                Err(Error::BlobsUnknown { .. }) if lost.may_be_sent_again(client.policy().patience) => {
                    tokio::time::sleep(PAUSE).await;
                    sent += self.send(client, progress).await?;
                }
                other => return other.map(|()| sent),
            }
        }
    }
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
        PulledInput { reference, digest: Digest::of(b"a"), layers: vec!["sha256:2".to_owned()], size: 0 }
    }

    #[test]
    fn the_blobs_of_inputs_have_sources() {
        let known = blob_sources(&[input("a/b:1"), input("c:2")]);
        assert_eq!(known.get("sha256:2").unwrap(), &["a/b", "c"]);
    }
}
