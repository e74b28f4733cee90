//! Pulling artifacts: a layer with a title becomes a file, or a directory where an annotation says
//! so.

use super::progress::{Progress, printable, size};
use super::{TransferFailure, Wanted, cannot_pull};
use crate::listed::listed;
use futures::stream::{self, StreamExt, TryStreamExt};
use oci_archive::{Conflict, Limits, SamePath, Staging, StagingFolder, Unpacked, annotation, check_all};
use oci_registry_client::{ArtifactReference, Client, Descriptor, Digest, Error, VerifyingReader, channel};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

/// Number of artifacts, and of layers of each, that are transferred at the same time. Each layer
/// takes at most a megabyte of memory; one of zstd up to 8 MiB more, as its frames ask for.
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
    into: PathBuf,
    /// Number of bytes of its layers.
    pub size: u64,
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

/// A note for each directory on a file system that does not take the modes of files.
pub fn notes_about_modes(pulled: &[PulledArtifact]) -> Vec<String> {
    let without: BTreeSet<&Path> =
        pulled.iter().filter(|pulled| !pulled.keeps_modes).map(|pulled| pulled.into.as_path()).collect();
    let note = |into: &Path| {
        format!("the file system of {} takes no file modes: programs may not be executable", into.display())
    };
    without.into_iter().map(note).collect()
}

/// An artifact whose manifest is known, and whose layers are not here yet.
struct Known<'a> {
    wanted: &'a Wanted,
    digest: Digest,
    layers: Vec<Descriptor>,
}

/// An artifact that has arrived completely, and is not in its place yet.
struct Arrived {
    pulled: PulledArtifact,
    layers: Vec<Staging>,
}

/// Pulls artifacts into their directories, in order. The directories change only when all have
/// arrived completely and none is in the way of another one.
///
/// # Errors
/// See [`TransferFailure`].
pub async fn artifacts(
    client: &Client,
    wanted: &[Wanted],
    options: &PullOptions,
    progress: &Progress,
) -> Result<Vec<PulledArtifact>, TransferFailure> {
    // All manifests come first: nothing is made for inputs that are not there.
    let asking = wanted.iter().map(|wanted| manifest(client, wanted));
    let known: Vec<Known<'_>> = stream::iter(asking).buffered(ARTIFACTS).try_collect().await?;
    let paths: Vec<PathBuf> = wanted.iter().map(|wanted| wanted.into.clone()).collect();
    let folders = blocking(move || folders(paths)).await.map_err(TransferFailure::Failed)??;
    let arriving = known.into_iter().zip(&folders).map(|(known, folder)| async move {
        let reference = &known.wanted.reference;
        let failed = |why| format!("cannot pull {reference} from {}: {why}", client.endpoint());
        let arrived = artifact(client, known, folder, options, progress).await;
        arrived.map_err(|why| TransferFailure::Failed(failed(why)))
    });
    let arrived: Vec<Arrived> = stream::iter(arriving).buffered(ARTIFACTS).try_collect().await?;
    let same = options.same_path;
    blocking(move || place(arrived, same)).await.map_err(TransferFailure::Failed)?
}

async fn manifest<'a>(client: &Client, wanted: &'a Wanted) -> Result<Known<'a>, TransferFailure> {
    let reference = &wanted.reference;
    let mut pinned = reference.clone();
    pinned.digest = wanted.found.as_ref().map(Digest::to_string).or(pinned.digest);
    let fetched = client.manifest(&pinned).await;
    let fetched = fetched.map_err(|error| TransferFailure::Failed(cannot_pull(client, reference, &error)))?;
    let layers = fetched.manifest.layers;
    if !layers.iter().any(|layer| layer.annotations.contains_key(annotation::TITLE)) {
        return Err(TransferFailure::Failed(format!(
            "cannot pull {reference} from {}: it holds no files: none of its layers has a title ({}), as those of `oras push` have",
            client.endpoint(),
            annotation::TITLE
        )));
    }
    Ok(Known { wanted, digest: fetched.digest, layers })
}

/// The hidden folders for directories, in their order. Paths of the same directory share one.
fn folders(paths: Vec<PathBuf>) -> Result<Vec<StagingFolder>, TransferFailure> {
    let mut by_path: BTreeMap<PathBuf, StagingFolder> = BTreeMap::new();
    let mut by_location: BTreeMap<PathBuf, StagingFolder> = BTreeMap::new();
    let mut all = Vec::new();
    for path in paths {
        let folder = match by_path.get(&path) {
            Some(folder) => folder.clone(),
            None => {
                let made = StagingFolder::create(&path);
                let made = made.map_err(|error| TransferFailure::Failed(error.to_string()))?;
                let location = made.location().to_owned();
                let folder = by_location.entry(location).or_insert(made).clone();
                by_path.insert(path, folder.clone());
                folder
            }
        };
        all.push(folder);
    }
    Ok(all)
}

/// Number of artifacts that a sentence names.
const NAMED: usize = 20;

/// Moves artifacts into place, all or none.
fn place(arrived: Vec<Arrived>, same: SamePath) -> Result<Vec<PulledArtifact>, TransferFailure> {
    let (mut layers, mut artifacts, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for (number, Arrived { pulled, layers: new }) in arrived.into_iter().enumerate() {
        artifacts.extend(new.iter().map(|_| number));
        layers.extend(new);
        all.push(pulled);
    }
    let reference = |layer: usize| Some(&all.get(*artifacts.get(layer)?)?.reference);
    check_all(&layers, &artifacts, same).map_err(|conflict| {
        let Conflict { earlier, later, error } = *conflict;
        let names = (reference(earlier), reference(later));
        TransferFailure::Failed(match names {
            (Some(one), Some(other)) if artifacts.get(earlier) != artifacts.get(later) => {
                format!("{one} and {other} clash: {error}{HINT}")
            }
            (Some(one), _) if earlier != later => format!("two layers of {one} clash: {error}"),
            _ => error.to_string(),
        })
    })?;
    Staging::place_all(layers).map_err(|error| {
        let names = listed(all.iter().map(|pulled| &pulled.reference), NAMED);
        TransferFailure::Failed(format!("cannot put {names} into place: {error}"))
    })?;
    Ok(all)
}

/// What to do about inputs that hold the same file.
const HINT: &str = "; or let the later input win with input-conflicts set to \"last-wins\"";

async fn artifact(
    client: &Client,
    known: Known<'_>,
    folder: &StagingFolder,
    options: &PullOptions,
    progress: &Progress,
) -> Result<Arrived, String> {
    let reference = &known.wanted.reference;
    let digests = known.layers.iter().map(|layer| layer.digest.clone()).collect();
    let size = known.layers.iter().map(|layer| layer.size).fold(0, u64::saturating_add);
    let titled = known
        .layers
        .into_iter()
        .filter_map(|layer| Some((layer.annotations.get(annotation::TITLE)?.clone(), layer)));
    let arriving = titled.map(|(title, descriptor)| {
        layer(client, &reference.repository, title, descriptor, folder.clone(), options, progress)
    });
    let arrived: Vec<(Staging, Unpacked)> = stream::iter(arriving).buffered(LAYERS).try_collect().await?;
    let (mut files, mut bytes, mut layers) = (0, 0, Vec::new());
    for (staging, unpacked) in arrived {
        files += unpacked.files;
        bytes += unpacked.bytes;
        layers.push(staging);
    }
    let pulled = PulledArtifact {
        reference: reference.clone(),
        digest: known.digest,
        layers: digests,
        into: known.wanted.into.clone(),
        size,
        files,
        bytes,
        keeps_modes: folder.keeps_modes(),
    };
    Ok(Arrived { pulled, layers })
}

/// Streams a layer from the registry through the check of its digest to the thread that unpacks it.
async fn layer(
    client: &Client,
    repository: &str,
    title: String,
    descriptor: Descriptor,
    folder: StagingFolder,
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
    let (limits, compressed) = (options.limits.clone(), descriptor.size);
    let shown = printable(&title);
    let unpacking = blocking(move || {
        let staging = folder.staging().map_err(|error| error.to_string())?;
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
