//! Pulling artifacts: a layer with a title becomes a file, or a directory where an annotation says
//! so.

use super::TransferFailure;
use super::progress::{Progress, printable, size};
use futures::stream::{self, StreamExt, TryStreamExt};
use oci_archive::{Limits, SamePath, Staging, Unpacked, annotation};
use oci_registry_client::{ArtifactReference, Client, Descriptor, Digest, Error, VerifyingReader, channel};
use std::fmt;
use std::path::Path;

/// Number of artifacts, and of layers of each, that are transferred at the same time. Each layer
/// takes at most a megabyte of memory.
const ARTIFACTS: usize = 4;
const LAYERS: usize = 3;

/// What a pull accepts.
#[derive(Clone, Debug, Default)]
pub struct PullOptions {
    /// Limits of archives.
    pub limits: Limits,
    /// Whether two artifacts may hold the same file with different content. Two layers of one
    /// artifact never may.
    pub same_path: SamePath,
}

/// An artifact that was pulled.
#[derive(Clone, Debug)]
pub struct PulledArtifact {
    /// Its reference.
    pub reference: ArtifactReference,
    /// Digest of its manifest.
    pub digest: Digest,
    /// Digests of its layers.
    pub layers: Vec<String>,
    files: u64,
    bytes: u64,
    keeps_modes: bool,
}

impl fmt::Display for PulledArtifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = if self.files == 1 { "file" } else { "files" };
        write!(f, "{} ({}, {} {files}, {})", self.reference, self.digest, self.files, size(self.bytes))
    }
}

/// A note for a directory on a file system that does not take the modes of files.
pub fn note_about_modes(pulled: &[PulledArtifact], into: &Path) -> Option<String> {
    pulled.iter().any(|pulled| !pulled.keeps_modes).then(|| {
        format!("the file system of {} takes no file modes: programs may not be executable", into.display())
    })
}

/// An artifact that has arrived completely, and is not in its place yet.
struct Arrived {
    pulled: PulledArtifact,
    layers: Vec<Staging>,
}

/// Pulls artifacts into a directory, in order. The directory changes only when all have arrived
/// completely and none is in the way of another one.
///
/// # Errors
/// See [`TransferFailure`].
pub async fn artifacts(
    client: &Client,
    references: &[ArtifactReference],
    into: &Path,
    options: &PullOptions,
    progress: &Progress,
) -> Result<Vec<PulledArtifact>, TransferFailure> {
    let arriving = references.iter().map(|reference| async move {
        artifact(client, reference, into, options, progress).await.map_err(|why| {
            TransferFailure::Failed(format!("cannot pull {reference} from {}: {why}", client.endpoint()))
        })
    });
    let arrived: Vec<Arrived> = stream::iter(arriving).buffered(ARTIFACTS).try_collect().await?;
    let same = options.same_path;
    blocking(move || place(arrived, same)).await.map_err(TransferFailure::Failed)?
}

/// Moves artifacts into place, all or none.
fn place(arrived: Vec<Arrived>, same: SamePath) -> Result<Vec<PulledArtifact>, TransferFailure> {
    let (mut layers, mut all): (Vec<(usize, Staging)>, Vec<PulledArtifact>) = Default::default();
    for (number, Arrived { pulled, layers: new }) in arrived.into_iter().enumerate() {
        for layer in new {
            for (earlier_number, earlier) in &layers {
                let is_one_artifact = *earlier_number == number;
                let rule = if is_one_artifact { SamePath::Refuse } else { same };
                layer.check_against(earlier, rule).map_err(|error| {
                    let other = all.get(*earlier_number).map(|earlier| &earlier.reference);
                    let clash = match other.filter(|_| !is_one_artifact) {
                        Some(earlier) => format!("{earlier} and {} clash", pulled.reference),
                        None => format!("two layers of {} clash", pulled.reference),
                    };
                    let hint = if is_one_artifact { "" } else { HINT };
                    TransferFailure::Failed(format!("{clash}: {error}{hint}"))
                })?;
            }
            layers.push((number, layer));
        }
        all.push(pulled);
    }
    let layers = layers.into_iter().map(|(_, layer)| layer).collect();
    Staging::place_all(layers).map_err(|error| {
        let names: Vec<String> = all.iter().map(|pulled| pulled.reference.to_string()).collect();
        TransferFailure::Failed(format!("cannot put {} into place: {error}", names.join(", ")))
    })?;
    Ok(all)
}

/// What to do about inputs that hold the same file.
const HINT: &str = "; or let the later input win with input-conflicts set to \"last-wins\"";

async fn artifact(
    client: &Client,
    reference: &ArtifactReference,
    into: &Path,
    options: &PullOptions,
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
    let keeps_modes = arrived.iter().all(|(staging, _)| staging.keeps_modes());
    let (mut files, mut bytes, mut layers) = (0, 0, Vec::new());
    for (staging, unpacked) in arrived {
        files += unpacked.files;
        bytes += unpacked.bytes;
        layers.push(staging);
    }
    let (reference, digest) = (reference.clone(), fetched.digest);
    let pulled = PulledArtifact { reference, digest, layers: digests, files, bytes, keeps_modes };
    Ok(Arrived { pulled, layers })
}

/// Streams a layer from the registry through the check of its digest to the thread that unpacks it.
async fn layer(
    client: &Client,
    repository: &str,
    title: String,
    descriptor: Descriptor,
    into: &Path,
    options: &PullOptions,
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

/// Runs a function that blocks. The error is a sentence for the case that it panics.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let work = tokio::task::spawn_blocking(work);
    work.await.map_err(|_| "a part of the program failed: please report this".to_owned())
}
