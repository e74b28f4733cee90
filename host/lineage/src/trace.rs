//! Asks a registry for manifests, until the graph is complete or its bounds are reached.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream::{self, StreamExt, TryStreamExt};
use oci_registry_client::{ArtifactReference, Client, Error};
use orascache_provenance::{StepRecord, attestations};

use crate::graph::{Artifact, Bounds, Graph, Leaf, Reason};
use crate::search::Search;

/// Number of manifests that are asked for at the same time.
const CONCURRENT: usize = 8;
/// Longest type of an artifact that is kept, in characters. Media types have fewer (RFC 6838, 4.2).
const MAX_TYPE: usize = 255;

/// Where manifests come from.
pub trait Source {
    /// Reads the manifest that a reference selects.
    ///
    /// # Errors
    /// When there is none, it is not allowed, or the registry does not answer.
    fn read(&self, reference: &ArtifactReference) -> impl Future<Output = Result<Artifact, Error>>;
}

/// The graph of an artifact back to its sources. `registry` is the host of the registry that
/// `source` asks. Artifacts that are not there, or cannot be read, are leaves that say why.
///
/// # Errors
/// When the artifact itself cannot be read, or the registry stops answering: a graph with holes that
/// a later attempt would fill misleads.
pub async fn trace<S: Source>(
    source: &S,
    registry: &str,
    root: &ArtifactReference,
    bounds: Bounds,
) -> Result<Graph, Error> {
    let artifact = source.read(root).await?;
    let mut search = Search::new(registry, root, artifact, bounds);
    loop {
        let questions = search.questions();
        if questions.is_empty() {
            return Ok(search.finish());
        }
        let reading = questions.iter().map(|question| async move {
            let answer = match source.read(&question.reference).await {
                Ok(artifact) => Ok(artifact),
                Err(error) => Err(leaf(&question.reference, error)?),
            };
            Ok::<_, Error>((question, answer))
        });
        // Answers are taken in the order of the questions, as they come: a manifest may have 4 MiB.
        let mut answers = stream::iter(reading).buffered(CONCURRENT);
        while let Some((question, answer)) = answers.try_next().await? {
            search.answer(question, answer);
        }
    }
}

/// The leaf that an error means. An error that may pass stays an error.
fn leaf(reference: &ArtifactReference, error: Error) -> Result<Leaf, Error> {
    let reason = match error {
        Error::NotFound { .. } => Reason::Missing,
        Error::Denied { .. } | Error::Refused { .. } | Error::Protocol { .. } => Reason::Unreadable,
        error => return Err(error),
    };
    let (text, name) = (error.to_string(), reference.to_string());
    let sentence = match text.strip_prefix(&name) {
        Some(rest) => rest.trim_start_matches(':').trim_start().to_owned(),
        None => text,
    };
    let sentence =
        if reason == Reason::Unreadable { format!("cannot be read: {sentence}") } else { sentence };
    Ok(Leaf { reason, sentence })
}

/// Manifests of a registry, with the statements beside them.
pub struct RegistrySource {
    client: Client,
    /// Whether the registry may have statements: it is not known not to have referrers.
    may_have_referrers: AtomicBool,
}

impl RegistrySource {
    /// The manifests of the registry of a client.
    pub fn new(client: Client) -> Self {
        RegistrySource { client, may_have_referrers: AtomicBool::new(true) }
    }
}

impl Source for RegistrySource {
    async fn read(&self, reference: &ArtifactReference) -> Result<Artifact, Error> {
        let fetched = self.client.manifest(reference).await?;
        let mut statements = None;
        if self.may_have_referrers.load(Ordering::Relaxed) {
            let repository = &reference.repository;
            match attestations(&self.client, repository, &fetched.digest).await {
                Ok(None) => self.may_have_referrers.store(false, Ordering::Relaxed),
                Ok(found) => statements = found,
                // The graph does not need them. A registry may keep them from those who may read
                // manifests.
                Err(Error::Denied { .. } | Error::Protocol { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let manifest = fetched.manifest;
        Ok(Artifact {
            digest: Some(fetched.digest),
            size: manifest.layers.iter().fold(0, |sum: u64, layer| sum.saturating_add(layer.size)),
            layers: manifest.layers.len(),
            record: StepRecord::of(&manifest.annotations),
            artifact_type: manifest.artifact_type.map(|kind| kind.chars().take(MAX_TYPE).collect()),
            attestations: statements,
        })
    }
}
