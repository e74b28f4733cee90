//! Pulls artifacts: what has a title becomes a file, or a directory where its annotation says so.

use super::Failure;
use super::progress::{Progress, printable, size};
use futures::stream::{self, StreamExt, TryStreamExt};
use oci_archive::{Limits, Staging, Unpacked, annotation};
use oci_registry_client::{Client, Descriptor, Digest, Error, Reference, VerifyingReader, channel};
use std::fmt;
use std::path::Path;

/// Artifacts, and layers of each, that are transferred at the same time. Each holds at most a megabyte of memory.
const ARTIFACTS: usize = 4;
const LAYERS: usize = 3;

/// What may be unpacked.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Bounds of archives.
    pub limits: Limits,
}

/// An artifact that was pulled.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// Which.
    pub reference: Reference,
    /// Digest of its manifest.
    pub digest: Digest,
    /// Digests of its layers.
    pub layers: Vec<String>,
    files: u64,
    bytes: u64,
}

impl fmt::Display for Pulled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = if self.files == 1 { "file" } else { "files" };
        write!(f, "{} ({}, {} {files}, {})", self.reference, self.digest, self.files, size(self.bytes))
    }
}

/// Everything of one artifact, not yet in its place.
struct Arrived {
    pulled: Pulled,
    staged: Vec<Staging>,
}

/// Pulls artifacts into a folder, in order.
pub async fn all(
    client: &Client,
    references: &[Reference],
    into: &Path,
    options: &Options,
    progress: &Progress,
) -> Result<Vec<Pulled>, Failure> {
    let arriving = references.iter().map(|reference| async move {
        one(client, reference, into, options, progress).await.map_err(|why| {
            Failure::Failed(format!("cannot pull {reference} from {}: {why}", client.endpoint()))
        })
    });
    let arrived: Vec<Arrived> = stream::iter(arriving).buffered(ARTIFACTS).try_collect().await?;
    blocking(move || {
        let mut all = Vec::new();
        for Arrived { pulled, staged } in arrived {
            for staging in staged {
                staging.place().map_err(|error| {
                    Failure::Failed(format!("cannot put {} into its place: {error}", pulled.reference))
                })?;
            }
            all.push(pulled);
        }
        Ok(all)
    })
    .await
    .map_err(Failure::Failed)?
}

async fn one(
    client: &Client,
    reference: &Reference,
    into: &Path,
    options: &Options,
    progress: &Progress,
) -> Result<Arrived, String> {
    let fetched = client.manifest(reference).await.map_err(|error| error.to_string())?;
    let layers = fetched.manifest.layers;
    let digests = layers.iter().map(|layer| layer.digest.clone()).collect();
    let titled: Vec<_> = layers
        .into_iter()
        .filter_map(|layer| Some((layer.annotations.get(annotation::TITLE)?.clone(), layer)))
        .collect();
    if titled.is_empty() {
        return Err(format!(
            "it holds no files: none of its layers has a title ({}), as those of `oras push` have",
            annotation::TITLE
        ));
    }
    let arriving = titled.into_iter().map(|(title, descriptor)| {
        layer(client, &reference.repository, title, descriptor, into, options, progress)
    });
    let arrived: Vec<(Staging, Unpacked)> = stream::iter(arriving).buffered(LAYERS).try_collect().await?;
    let (mut files, mut bytes, mut staged) = (0, 0, Vec::new());
    for (staging, unpacked) in arrived {
        files += unpacked.files;
        bytes += unpacked.bytes;
        staged.push(staging);
    }
    let pulled =
        Pulled { reference: reference.clone(), digest: fetched.digest, layers: digests, files, bytes };
    Ok(Arrived { pulled, staged })
}

/// Streams a layer from the registry through its check to where it is unpacked, on a thread that may block.
async fn layer(
    client: &Client,
    repository: &str,
    title: String,
    descriptor: Descriptor,
    into: &Path,
    options: &Options,
    progress: &Progress,
) -> Result<(Staging, Unpacked), String> {
    let digest = descriptor.checked_digest().map_err(|error| error.to_string())?;
    let bar = progress.bar(&title, descriptor.size);
    let (sender, reader) = channel();
    let content = VerifyingReader::new(bar.wrap_read(reader), digest, descriptor.size);
    let is_archive =
        descriptor.annotations.get(annotation::CONTENT_UNPACK).is_some_and(|value| value == "true");
    let tar_digest = descriptor.annotations.get(annotation::CONTENT_DIGEST).cloned();
    let (into, limits, compressed) = (into.to_owned(), options.limits.clone(), descriptor.size);
    let shown = printable(&title);
    let unpacking = blocking(move || {
        let staging = Staging::create(&into).map_err(|error| error.to_string())?;
        let unpacked = if is_archive {
            staging.directory(&title, tar_digest.as_deref(), compressed, &limits, content)
        } else {
            staging.file(&title, content)
        };
        unpacked.map(|unpacked| (staging, unpacked)).map_err(|error| error.to_string())
    });
    let pulling = async move { client.pull_blob(repository, &descriptor, &sender).await };
    let (pulled, unpacked) = tokio::join!(pulling, unpacking);
    bar.finish();
    match (pulled, unpacked) {
        (Ok(()) | Err(Error::Stopped), unpacked) => unpacked?,
        (Err(error), _) => Err(error.to_string()),
    }
    .map_err(|why| format!("{shown}: {why}"))
}

/// Runs something that blocks. The error is a sentence for the case that it panics.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let work = tokio::task::spawn_blocking(work);
    work.await.map_err(|_| "a part of the program failed: please report this".to_owned())
}
