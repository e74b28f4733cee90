//! What is in a repository: its tags, and the manifests behind them.

use super::plan::{Contents, Named, Tag};
use super::record::{Record, Seen, SeenRepository};
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use oci_registry_client::{ArtifactReference, Client, Digest, EncodedManifest, Error};
use std::collections::{BTreeMap, BTreeSet};

/// Most manifests of one repository that are looked at.
const MAX_MANIFESTS: usize = 1_000_000;

/// A look at one repository.
pub struct Look<'l> {
    /// The registry.
    pub client: &'l Client,
    /// The repository.
    pub repository: &'l str,
    /// Since when tags are there, for the first look.
    pub record: &'l Record,
    /// Number of requests at the same time.
    pub parallel: usize,
    /// Seconds since the Unix epoch.
    pub now: u64,
}

impl Look<'_> {
    /// Looks at the repository for the first time.
    pub async fn first(&self) -> Result<Contents, Error> {
        let mut contents = Contents::default();
        self.update(&mut contents).await?;
        let names = |tag: &str, digest: &str| contents.tags.get(tag).is_some_and(|tag| tag.digest == digest);
        let mut former = self.record.former(self.repository, self.now, names);
        let digests = former.keys().filter_map(|(_, digest)| Digest::parse(digest)).collect();
        self.below(&mut contents, digests).await?;
        former.retain(|(_, digest), _| contents.manifests.contains_key(digest));
        contents.former = former;
        Ok(contents)
    }

    /// Looks again. What was named in the meantime stays in this run, however old it is.
    pub async fn again(&self, contents: &mut Contents) -> Result<(), Error> {
        let before: BTreeMap<String, Tag> = contents.tags.clone();
        self.update(contents).await?;
        for (name, tag) in &mut contents.tags {
            if before.get(name).is_none_or(|before| before.digest != tag.digest) {
                tag.since = self.now;
                contents.pinned.insert(tag.digest.clone());
            }
        }
        for (name, tag) in before {
            if contents.tags.get(&name).is_none_or(|now| now.digest != tag.digest) {
                contents.former.insert((name, tag.digest), self.now);
            }
        }
        Ok(())
    }

    /// Brings what is known up to date: tags that are new or were moved are read again, with the
    /// manifests that they name.
    async fn update(&self, contents: &mut Contents) -> Result<(), Error> {
        let names = match self.client.tags(self.repository).await {
            Ok(names) => names,
            Err(Error::NotFound { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        let known = std::mem::take(&mut contents.tags);
        let looking = names.into_iter().map(|name| {
            let before = known.get(&name);
            async move { self.tag(&name, before).await.map(|found| found.map(|found| (name, found))) }
        });
        let found: Vec<_> = stream::iter(looking).buffer_unordered(self.parallel).try_collect().await?;
        let mut open = BTreeSet::new();
        for (name, (tag, read)) in found.into_iter().flatten() {
            if let Some(named) = read {
                open.extend(named.children.iter().filter_map(|child| Digest::parse(child)));
                contents.manifests.insert(tag.digest.clone(), named);
            }
            contents.tags.insert(name, tag);
        }
        self.below(contents, open).await
    }

    /// A tag, and its manifest where that was not known. None where the tag is gone.
    async fn tag(&self, name: &str, before: Option<&Tag>) -> Result<Option<(Tag, Option<Named>)>, Error> {
        let reference = self.tagged(name);
        if let Some(before) = before {
            match self.client.manifest_digest(&reference).await {
                Ok(digest) if digest.as_str() == before.digest => return Ok(Some((before.clone(), None))),
                Ok(_) => {}
                Err(Error::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        let manifest = match self.client.encoded_manifest(&reference).await {
            Ok(manifest) => manifest,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let (named, created) = links(&manifest, &reference)?;
        let digest = manifest.digest().to_string();
        let since = self.record.since(self.repository, name, &digest, created, self.now);
        Ok(Some((Tag { digest, since }, Some(named))))
    }

    /// Reads the manifests that known ones name, and those that these name.
    async fn below(&self, contents: &mut Contents, mut open: BTreeSet<Digest>) -> Result<(), Error> {
        while !open.is_empty() {
            open.retain(|digest| !contents.manifests.contains_key(digest.as_str()));
            let reading = std::mem::take(&mut open).into_iter().map(|digest| async move {
                let named = self.manifest(&digest).await?;
                Ok::<_, Error>(named.map(|named| (digest, named)))
            });
            let read: Vec<_> = stream::iter(reading).buffer_unordered(self.parallel).try_collect().await?;
            for (digest, named) in read.into_iter().flatten() {
                open.extend(named.children.iter().filter_map(|child| Digest::parse(child)));
                contents.manifests.insert(digest.to_string(), named);
            }
            if contents.manifests.len() > MAX_MANIFESTS {
                let why = format!("it has more than {MAX_MANIFESTS} manifests");
                return Err(Error::Protocol { what: self.repository.to_owned(), why });
            }
        }
        Ok(())
    }

    /// Adds the manifests that refer to these. A registry that does not list them has none.
    pub async fn referrers(&self, contents: &mut Contents, subjects: Vec<Digest>) -> Result<(), Error> {
        let (mut open, mut asked) = (subjects, BTreeSet::new());
        while let Some(subject) = open.pop() {
            if !asked.insert(subject.clone()) {
                continue;
            }
            let Some(listed) = self.client.referrers(self.repository, &subject, None).await? else {
                return Ok(());
            };
            for referrer in listed {
                if contents.manifests.contains_key(referrer.digest.as_str()) {
                    continue;
                }
                let Some(named) = self.manifest(&referrer.digest).await? else { continue };
                // A list may name anything.
                if named.subject.as_deref() == Some(subject.as_str()) {
                    let children = named.children.iter().filter_map(|child| Digest::parse(child)).collect();
                    contents.manifests.insert(referrer.digest.to_string(), named);
                    self.below(contents, children).await?;
                    open.push(referrer.digest);
                }
            }
        }
        Ok(())
    }

    async fn manifest(&self, digest: &Digest) -> Result<Option<Named>, Error> {
        let reference = ArtifactReference {
            repository: self.repository.to_owned(),
            tag: None,
            digest: Some(digest.to_string()),
        };
        match self.client.encoded_manifest(&reference).await {
            Ok(manifest) => links(&manifest, &reference).map(|(named, _)| Some(named)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether tags still name a manifest, and nothing else.
    pub async fn still_name(&self, tags: &[String], digest: &str) -> Result<bool, Error> {
        for name in tags {
            match self.client.manifest_digest(&self.tagged(name)).await {
                Ok(now) if now.as_str() == digest => {}
                Ok(_) => return Ok(false),
                Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn tagged(&self, name: &str) -> ArtifactReference {
        ArtifactReference { repository: self.repository.to_owned(), tag: Some(name.to_owned()), digest: None }
    }

    /// What is known, as the record has it.
    pub fn seen(contents: &Contents) -> SeenRepository {
        let tags = contents
            .tags
            .iter()
            .map(|(name, tag)| (name.clone(), Seen { digest: tag.digest.clone(), since: tag.since }));
        let former = contents.former.iter().map(|((tag, digest), since)| (format!("{tag}@{digest}"), *since));
        SeenRepository { tags: tags.collect(), former: former.collect() }
    }
}

/// What a manifest names, and when it says that it was made, in seconds since the Unix epoch.
fn links(manifest: &EncodedManifest, reference: &ArtifactReference) -> Result<(Named, Option<u64>), Error> {
    let links = manifest.links(&reference.to_string())?;
    let created = links.created.and_then(|text| text.parse::<Timestamp>().ok());
    let created = created.and_then(|time| u64::try_from(time.as_second()).ok());
    let children = links.manifests.into_iter().map(|child| child.digest).collect();
    let named = Named {
        children,
        subject: links.subject.map(|subject| subject.digest),
        size: u64::try_from(manifest.bytes().len()).unwrap_or(u64::MAX),
        blobs: links.blobs.into_iter().map(|blob| (blob.digest, blob.size)).collect(),
    };
    Ok((named, created))
}
