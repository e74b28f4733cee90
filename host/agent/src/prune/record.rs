//! Since when each tag names its manifest. Registries do not tell, so that it is written down: in an
//! artifact of the registry itself, which is lost with the tags that it is about.

use oci_registry_client::{ArtifactReference, Client, Error, Manifest, media_type};
use orascache_api::names::RETENTION_REPOSITORY as REPOSITORY;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The tag of the record.
const TAG: &str = "seen";
/// What the artifact is.
const ARTIFACT_TYPE: &str = "application/vnd.orascache.retention.v1+json";
/// Largest record that is read, in bytes: some hundred thousand tags.
const MAX_RECORD: usize = 64 << 20;

/// A tag when it was seen first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The manifest that it names.
    pub digest: String,
    /// Since when, in seconds since the Unix epoch.
    pub since: u64,
}

/// What was seen in a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenRepository {
    /// Its tags.
    pub tags: BTreeMap<String, Seen>,
    /// Manifests that lost a tag, as `tag@digest`, and since when, in seconds since the Unix epoch.
    #[serde(default)]
    pub former: BTreeMap<String, u64>,
}

/// All that was seen, by repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When the tags were looked at, in seconds since the Unix epoch.
    looked: u64,
    repositories: BTreeMap<String, SeenRepository>,
}

impl Record {
    /// Reads the record. An empty one where there is none.
    ///
    /// # Errors
    /// A sentence, where it cannot be read.
    pub async fn read(client: &Client) -> Result<Self, String> {
        let cannot = |why: &dyn std::fmt::Display| {
            format!(
                "the record of retention, {REPOSITORY}:{TAG}, cannot be read: {why}; delete it to begin anew"
            )
        };
        let manifest = match client.manifest(&reference()).await {
            Ok(fetched) => fetched.manifest,
            Err(Error::NotFound { .. }) => return Ok(Record::default()),
            Err(error) => return Err(cannot(&error)),
        };
        let layer = manifest.layers.first().ok_or_else(|| cannot(&"it has no content"))?;
        let bytes = client.read_blob(REPOSITORY, layer, MAX_RECORD).await.map_err(|error| cannot(&error))?;
        serde_json::from_slice(&bytes).map_err(|error| cannot(&error))
    }

    /// Since when a tag names a manifest. Where it was not seen before, `created` counts: when the
    /// manifest says that it was made. It did not have the tag when tags were looked at last, and
    /// it has it now.
    pub fn since(&self, repository: &str, tag: &str, digest: &str, created: Option<u64>, now: u64) -> u64 {
        let seen = self.repositories.get(repository).and_then(|seen| seen.tags.get(tag));
        match seen.filter(|seen| seen.digest == digest) {
            Some(seen) => seen.since,
            None => created.unwrap_or(now).max(self.looked).min(now),
        }
    }

    /// The manifests that had a tag of a repository when it was looked at last, by tag and digest, and
    /// since when they do not have it: those that had none then, and those that have none `now`.
    pub fn former(
        &self,
        repository: &str,
        now: u64,
        names: impl Fn(&str, &str) -> bool,
    ) -> BTreeMap<(String, String), u64> {
        let Some(seen) = self.repositories.get(repository) else { return BTreeMap::new() };
        let before = seen.former.iter().filter_map(|(name, since)| {
            let (tag, digest) = name.split_once('@')?;
            Some(((tag.to_owned(), digest.to_owned()), *since))
        });
        let moved = seen.tags.iter().map(|(tag, seen)| ((tag.clone(), seen.digest.clone()), now));
        let all = moved.chain(before);
        all.filter(|((tag, digest), _)| !names(tag, digest)).collect()
    }

    /// Writes down what is in a repository now.
    pub fn set(&mut self, repository: &str, seen: SeenRepository) {
        if seen == SeenRepository::default() {
            self.repositories.remove(repository);
        } else {
            self.repositories.insert(repository.to_owned(), seen);
        }
    }

    /// Forgets the repositories that do not exist any more.
    pub fn retain(&mut self, exists: impl Fn(&str) -> bool) {
        self.repositories.retain(|repository, _| exists(repository));
    }

    /// Writes the record, unless it is as it was. The one before it is deleted.
    ///
    /// # Errors
    /// A sentence.
    pub async fn write(mut self, before: &Record, client: &Client, now: u64) -> Result<(), String> {
        if self.repositories == before.repositories {
            return Ok(());
        }
        self.looked = now;
        self.push(client).await.map_err(|error| {
            format!("the record of retention cannot be written, so that tags do not age: {error}")
        })
    }

    async fn push(&self, client: &Client) -> Result<(), Error> {
        let old = client.held_manifest(&reference()).await?;
        let text = serde_json::to_vec(self).unwrap_or_default();
        let layer = client.push_bytes(REPOSITORY, &text, ARTIFACT_TYPE).await?;
        client.push_bytes(REPOSITORY, oci_registry_client::EMPTY_CONFIG, media_type::EMPTY).await?;
        let manifest = Manifest::of_layers(ARTIFACT_TYPE, vec![layer], BTreeMap::new());
        let new = client.push_manifest(&reference(), &manifest).await?;
        if let Some(old) = old.filter(|old| *old != new) {
            // Where the registry does not delete, the old record stays until garbage collection.
            let _ = client.delete_manifest(REPOSITORY, &old).await;
        }
        Ok(())
    }
}

fn reference() -> ArtifactReference {
    ArtifactReference { repository: REPOSITORY.to_owned(), tag: Some(TAG.to_owned()), digest: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_ages_from_when_it_was_seen_first_or_its_manifest_says() {
        let mut record = Record { looked: 100, ..Record::default() };
        let seen = Seen { digest: "d".to_owned(), since: 50 };
        let tags = BTreeMap::from([("1".to_owned(), seen)]);
        record.set("a", SeenRepository { tags, ..SeenRepository::default() });
        assert_eq!(record.since("a", "1", "d", Some(120), 200), 50);
        assert_eq!(record.since("a", "1", "moved", None, 200), 200);
        assert_eq!(record.since("a", "2", "d", Some(150), 200), 150);
        assert_eq!(record.since("a", "2", "d", Some(10), 200), 100, "it was not there then");
        assert_eq!(record.since("a", "2", "d", Some(300), 200), 200, "no time is in the future");
        assert_eq!(Record::default().since("a", "2", "d", Some(10), 200), 10);
    }

    #[test]
    fn a_manifest_that_loses_its_tag_is_remembered() {
        let mut record = Record::default();
        let seen = Seen { digest: "new".to_owned(), since: 50 };
        let tags = BTreeMap::from([("1".to_owned(), seen)]);
        let former = BTreeMap::from([("1@old".to_owned(), 40)]);
        record.set("a", SeenRepository { tags, former });
        let of = |tag: &str, digest: &str| (tag.to_owned(), digest.to_owned());
        let found = record.former("a", 200, |_, digest| digest == "new");
        assert_eq!(found, BTreeMap::from([(of("1", "old"), 40)]));
        let found = record.former("a", 200, |_, digest| digest == "newer");
        assert_eq!(found, BTreeMap::from([(of("1", "new"), 200), (of("1", "old"), 40)]));
        assert!(record.former("b", 200, |_, _| false).is_empty());
    }
}
