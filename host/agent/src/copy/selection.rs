//! Which artifacts a pair stands for.

use super::pairs::{Pair, What};
use oci_registry_client::{ArtifactReference, Client};
use orascache_api::names::RETENTION_REPOSITORY;
use orascache_api::pattern::matches;

/// An artifact, and what it becomes.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// As the source has it.
    pub from: ArtifactReference,
    /// As the destination shall have it.
    pub to: ArtifactReference,
}

/// The artifacts of a pair. No pattern of tags means all tags.
///
/// # Errors
/// A sentence, where the source cannot list its tags or repositories.
pub async fn choose(source: &Client, pair: &Pair, patterns: &[String]) -> Result<Vec<Chosen>, String> {
    let (place, to) = match &pair.what {
        What::Artifact { from, to } => return Ok(vec![Chosen { from: from.clone(), to: to.clone() }]),
        What::Tags { from, to } => (from, to),
    };
    let cannot = |error| format!("cannot list what is in {}: {error}", source.endpoint());
    let repositories = if place.is_pattern() {
        let mut all = source.repositories().await.map_err(cannot)?;
        all.retain(|repository| place.holds(repository) && repository != RETENTION_REPOSITORY);
        all
    } else {
        vec![place.path.clone()]
    };
    let mut chosen = Vec::new();
    for repository in &repositories {
        let below = match (place.is_pattern(), to.is_empty()) {
            (false, _) => to.clone(),
            (true, true) => repository.clone(),
            (true, false) => format!("{to}/{repository}"),
        };
        let tags = match source.tags(repository).await {
            Ok(tags) => tags,
            // Registries go on to list repositories whose tags were all deleted.
            Err(oci_registry_client::Error::NotFound { .. }) if place.is_pattern() => Vec::new(),
            Err(error) => return Err(cannot(error)),
        };
        let wanted = |tag: &String| patterns.is_empty() || patterns.iter().any(|one| matches(one, tag));
        chosen.extend(tags.into_iter().filter(wanted).map(|tag| Chosen {
            from: ArtifactReference { repository: repository.clone(), tag: Some(tag.clone()), digest: None },
            to: ArtifactReference { repository: below.clone(), tag: Some(tag), digest: None },
        }));
    }
    Ok(chosen)
}
