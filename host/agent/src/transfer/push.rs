//! Pushes artifacts: blobs first, then the manifest, and the tag last.

use super::progress::{Progress, size};
use super::pull::blocking;
use super::{Failure, Input};
use futures::stream::{self, StreamExt, TryStreamExt};
use oci_archive::{Layer, PackOptions};
use oci_registry_client::{
    Blob, Client, Descriptor, Digest, EMPTY_CONFIG, Manifest, Pushed as How, Reference, media_type,
};
use orascache_api::steps::INPUTS_ANNOTATION;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

/// Layers that are transferred at the same time.
const LAYERS: usize = 3;

/// A file or directory, and what it is called in the artifact.
#[derive(Clone, Debug)]
pub struct Source {
    /// Where it lies.
    pub path: PathBuf,
    /// What it is restored as.
    pub title: String,
}

/// What is pushed.
#[derive(Clone, Debug, Default)]
pub struct Artifact {
    /// Its layers.
    pub files: Vec<Source>,
    /// Whether directories are unpacked when they are pulled.
    pub unpack: bool,
    /// Type of the artifact; ORAS' default otherwise.
    pub artifact_type: Option<String>,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
    /// Blobs that other repositories are known to have.
    pub elsewhere: BTreeMap<String, Vec<String>>,
}

/// An artifact that was pushed.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// Which.
    pub reference: Reference,
    /// Digest of its manifest.
    pub digest: Digest,
    sent: u64,
    total: u64,
}

impl fmt::Display for Pushed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {}", self.reference, self.digest, size(self.total))?;
        match self.sent {
            0 => write!(f, ", all of it there already)"),
            sent if sent == self.total => write!(f, ")"),
            sent => write!(f, ", {} of it new)", size(sent)),
        }
    }
}

/// Which inputs an artifact was made of: a list of references by digest, JSON text.
pub fn provenance(inputs: &[Input]) -> BTreeMap<String, String> {
    if inputs.is_empty() {
        return BTreeMap::new();
    }
    let inputs: Vec<String> = inputs.iter().map(by_digest).collect();
    BTreeMap::from([(INPUTS_ANNOTATION.to_owned(), serde_json::Value::from(inputs).to_string())])
}

fn by_digest(input: &Input) -> String {
    let name = input.uri.split_once('@').map_or(input.uri.as_str(), |(name, _)| name);
    format!("{name}@{}", input.digest)
}

/// Where blobs of the inputs lie.
pub fn elsewhere(inputs: &[Input]) -> BTreeMap<String, Vec<String>> {
    let mut elsewhere: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for input in inputs {
        let Ok(Reference { repository, .. }) = Reference::parse(&input.uri) else { continue };
        for layer in &input.layers {
            elsewhere.entry(layer.clone()).or_default().push(repository.clone());
        }
    }
    elsewhere
}

/// Pushes an artifact.
pub async fn artifact(
    client: &Client,
    reference: &Reference,
    artifact: Artifact,
    progress: &Progress,
) -> Result<Pushed, Failure> {
    let cannot =
        |why: String| Failure::Failed(format!("cannot push {reference} to {}: {why}", client.endpoint()));
    let mut layers = Vec::new();
    for source in artifact.files {
        let options = PackOptions { unpack: artifact.unpack };
        let packed = blocking(move || oci_archive::pack(&source.path, &source.title, &options)).await;
        layers.push(Arc::new(packed.map_err(cannot)?.map_err(|error| cannot(error.to_string()))?));
    }
    let nowhere = Vec::new();
    let sending = layers.iter().map(|layer| {
        let sources = artifact.elsewhere.get(&layer.digest).unwrap_or(&nowhere);
        send(client, &reference.repository, layer, sources, progress)
    });
    let config = client.push_bytes(&reference.repository, EMPTY_CONFIG, media_type::EMPTY);
    let layers_sent = stream::iter(sending).buffered(LAYERS).try_collect::<Vec<u64>>();
    let (_, sent) = tokio::try_join!(config, layers_sent).map_err(|error| cannot(error.to_string()))?;
    let total = layers.iter().map(|layer| layer.size).sum();
    let descriptors = layers.iter().map(|layer| descriptor(layer)).collect();
    let artifact_type = artifact.artifact_type.as_deref().unwrap_or(media_type::UNKNOWN_ARTIFACT);
    let manifest = Manifest::of_layers(artifact_type, descriptors, artifact.annotations);
    let digest =
        client.push_manifest(reference, &manifest).await.map_err(|error| cannot(error.to_string()))?;
    Ok(Pushed { reference: reference.clone(), digest, sent: sent.iter().sum(), total })
}

fn descriptor(layer: &Layer) -> Descriptor {
    Descriptor {
        media_type: layer.media_type.to_owned(),
        digest: layer.digest.clone(),
        size: layer.size,
        annotations: layer.annotations.clone(),
    }
}

/// Sends a layer. Returns how many bytes that took.
async fn send(
    client: &Client,
    repository: &str,
    layer: &Arc<Layer>,
    sources: &[String],
    progress: &Progress,
) -> Result<u64, oci_registry_client::Error> {
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
    Ok(if how == How::Sent { layer.size } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(uri: &str) -> Input {
        Input { uri: uri.to_owned(), digest: "sha256:1".to_owned(), layers: vec!["sha256:2".to_owned()] }
    }

    #[test]
    fn provenance_names_inputs_by_digest() {
        let annotations = provenance(&[input("a/b:1"), input("c@sha256:9")]);
        let wanted = r#"["a/b:1@sha256:1","c@sha256:1"]"#;
        assert_eq!(annotations.get(INPUTS_ANNOTATION).map(String::as_str), Some(wanted));
        assert!(provenance(&[]).is_empty());
    }

    #[test]
    fn blobs_of_inputs_are_known() {
        let known = elsewhere(&[input("a/b:1"), input("c:2")]);
        assert_eq!(known.get("sha256:2").unwrap(), &["a/b", "c"]);
    }
}
