//! Manifests with everything that they name: blobs, the manifests of an index, and those that refer
//! to them. What is below comes first, so that no manifest is ever without its parts.

use super::blob;
use super::counts::Counts;
use super::referrers;
use super::sides::Sides;
use crate::transfer::Lost;
use futures::future::{FutureExt, LocalBoxFuture};
use futures::stream::{self, StreamExt, TryStreamExt};
use oci_registry_client::{
    ArtifactReference, Descriptor, Digest, EncodedManifest, Error, ManifestLinks, Pushed,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;

/// Number of blobs, and of manifests of an index, that are copied at the same time for one manifest.
const PARTS: usize = 3;
/// How many manifests may lead to each other.
const MAX_DEPTH: usize = 16;
/// Pause before blobs that the destination has lost are copied again.
const PAUSE: Duration = Duration::from_millis(100);

/// A repository of the source, and one of the destination.
#[derive(Clone, Copy)]
pub struct Route<'r> {
    /// The repository of the source.
    pub from: &'r str,
    /// The repository of the destination.
    pub to: &'r str,
}

/// A manifest or blob in a repository of the destination.
type Part = (String, Digest);

/// Copies manifests. Each manifest and each blob is copied once, however many name it.
pub struct Copier<'c> {
    sides: &'c Sides,
    with_referrers: bool,
    /// What was copied into a repository, by digest, or is being copied.
    done: Mutex<HashMap<Part, Arc<OnceCell<()>>>>,
    counts: Mutex<Counts>,
}

impl<'c> Copier<'c> {
    /// A copier between two registries.
    pub fn new(sides: &'c Sides, with_referrers: bool) -> Self {
        Copier { sides, with_referrers, done: Mutex::default(), counts: Mutex::default() }
    }

    /// The bytes and blobs that were copied so far.
    pub fn counts(&self) -> Counts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a manifest of the source.
    pub async fn read(&self, reference: &ArtifactReference) -> Result<EncodedManifest, String> {
        let read = self.sides.source.encoded_manifest(reference).await;
        read.map_err(|error| error.to_string())
    }

    /// Whether a repository of the destination has a manifest, and with it everything that it names.
    pub async fn holds(&self, repository: &str, digest: &Digest) -> Result<bool, String> {
        let (repository, digest) = (repository.to_owned(), Some(digest.to_string()));
        let there = ArtifactReference { repository, tag: None, digest };
        let held = self.sides.destination.held_manifest(&there).await;
        held.map(|held| held.is_some()).map_err(|error| error.to_string())
    }

    /// Makes sure that the destination has a manifest with everything that it names. The error is a
    /// sentence.
    pub fn manifest<'f>(
        &'f self,
        route: Route<'f>,
        manifest: &'f EncodedManifest,
        depth: usize,
    ) -> LocalBoxFuture<'f, Result<(), String>> {
        async move {
            let cell = self.cell(route.to, manifest.digest());
            cell.get_or_try_init(async || self.copy_manifest(route, manifest, depth).await).await.map(drop)
        }
        .boxed_local()
    }

    async fn copy_manifest(
        &self,
        route: Route<'_>,
        manifest: &EncodedManifest,
        depth: usize,
    ) -> Result<(), String> {
        let what = format!("{}@{}", route.from, manifest.digest());
        if depth > MAX_DEPTH {
            return Err(format!("{what}: its manifests are nested too deep"));
        }
        if !self.holds(route.to, manifest.digest()).await? {
            let links = manifest.links(&what).map_err(|error| error.to_string())?;
            self.put(route, manifest, &links, depth).await?;
        }
        if self.with_referrers {
            self.referrers(route, manifest.digest(), depth).await?;
        }
        Ok(())
    }

    /// Copies the manifests that refer to `subject`, and those that refer to them.
    async fn referrers(&self, route: Route<'_>, subject: &Digest, depth: usize) -> Result<(), String> {
        let mut copied = Vec::new();
        for (descriptor, listed) in referrers::list(self.sides, route.from, subject).await? {
            let reference = referrers::by_digest(route.from, &descriptor.digest);
            let manifest = self.read(&reference).await?;
            let links = manifest.links(&reference.to_string()).map_err(|error| error.to_string())?;
            // A list may name anything. Only what refers to the subject is wanted, which also
            // excludes circles.
            if links.subject.is_some_and(|named| named.digest == subject.as_str()) {
                self.manifest(route, &manifest, depth + 1).await?;
                copied.push(listed);
            }
        }
        referrers::announce(self.sides, route.to, subject, copied).await
    }

    /// Copies what a manifest names, and then the manifest. Where the destination has lost blobs in
    /// the meantime, they are copied again as long as patience lasts.
    async fn put(
        &self,
        route: Route<'_>,
        manifest: &EncodedManifest,
        links: &ManifestLinks,
        depth: usize,
    ) -> Result<(), String> {
        let mut lost = Lost::default();
        loop {
            let children = links.manifests.iter().map(|child| self.child(route, child, depth));
            let blobs = links.blobs.iter().map(|blob| self.blob(route, blob));
            let children = stream::iter(children).buffer_unordered(PARTS).try_collect::<Vec<()>>();
            let blobs = stream::iter(blobs).buffer_unordered(PARTS).try_collect::<Vec<()>>();
            tokio::try_join!(children, blobs)?;
            match self.sides.destination.put_manifest(route.to, manifest).await {
                Ok(()) => return Ok(()),
                Err(Error::BlobsUnknown { .. })
                    if lost.may_be_sent_again(self.sides.destination.policy().patience) =>
                {
                    self.forget(route.to, links);
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// Copies a manifest that another one names.
    pub async fn child(&self, route: Route<'_>, child: &Descriptor, depth: usize) -> Result<(), String> {
        let digest = child.checked_digest().map_err(|error| error.to_string())?.to_string();
        let reference =
            ArtifactReference { repository: route.from.to_owned(), tag: None, digest: Some(digest) };
        let manifest = self.read(&reference).await?;
        self.manifest(route, &manifest, depth + 1).await
    }

    async fn blob(&self, route: Route<'_>, descriptor: &Descriptor) -> Result<(), String> {
        let digest = descriptor.checked_digest().map_err(|error| error.to_string())?;
        let cell = self.cell(route.to, &digest);
        let copying = async || {
            let pushed = blob::copy(self.sides, route.from, route.to, descriptor).await?;
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            match pushed {
                Pushed::Existed => {}
                Pushed::Mounted => counts.mounted += 1,
                Pushed::Sent => counts.sent += descriptor.size,
            }
            Ok(())
        };
        cell.get_or_try_init(copying).await.map(drop)
    }

    fn cell(&self, repository: &str, digest: &Digest) -> Arc<OnceCell<()>> {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.entry((repository.to_owned(), digest.clone())).or_default().clone()
    }

    /// Forgets that the parts of a manifest were copied.
    fn forget(&self, repository: &str, links: &ManifestLinks) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        for part in links.blobs.iter().chain(&links.manifests) {
            if let Some(digest) = Digest::parse(&part.digest) {
                done.remove(&(repository.to_owned(), digest));
            }
        }
    }
}
