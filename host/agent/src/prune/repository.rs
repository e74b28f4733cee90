//! Retention in one repository, while others may write it.
//!
//! The decision is made on a look at all tags, and made again on a new look before each batch of
//! deletions. The tags of a manifest are looked at once more just before it is deleted.

use super::look::Look;
use super::plan::{Contents, Doomed, Plan, Rules, plan};
use crate::log::Log;
use futures::stream::{self, StreamExt, TryStreamExt};
use oci_registry_client::{Deleted, Digest, Error};

/// Number of manifests that are deleted between two looks at all tags.
const BATCH: usize = 100;
/// Most looks at all tags: a repository with many tags has larger batches.
const LOOKS: usize = 10;

/// What happened to tags and manifests, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Tags and keys that were deleted, or would be.
    pub tags: usize,
    /// Manifests that were deleted, or would be.
    pub manifests: usize,
    /// Tags and keys that are left.
    pub left: usize,
    /// Of these, the ones that no rule keeps: what is kept names their manifest.
    pub shared: usize,
}

/// Why retention ended early.
pub enum Stopped {
    /// The registry does not delete at all.
    Deletion,
    /// A request failed.
    Failed(Error),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Stopped::Failed(error)
    }
}

/// Says what would be deleted.
pub async fn pretend(look: &Look<'_>, rules: &Rules, log: &Log) -> Result<Numbers, Error> {
    let mut contents = look.first().await?;
    let decided = decide(look, &mut contents, rules).await?;
    for doomed in &decided.manifests {
        let tags = doomed.tags.iter().map(|tag| format!(":{tag}")).collect::<Vec<_>>().join(" ");
        let tags = if tags.is_empty() { "without a tag".to_owned() } else { tags };
        log.info(format_args!("would delete {} {tags} ({})", look.repository, doomed.digest));
    }
    let tags = decided.manifests.iter().map(|doomed| doomed.tags.len()).sum();
    let left = contents.tags.len() - tags;
    Ok(Numbers { tags, manifests: decided.manifests.len(), left, shared: decided.shared.len() })
}

/// Deletes what no rule keeps. Returns what was done, and what is left.
pub async fn prune(look: &Look<'_>, rules: &Rules) -> Result<(Numbers, Contents), Stopped> {
    let mut numbers = Numbers::default();
    let mut contents = look.first().await?;
    loop {
        look.again(&mut contents).await?;
        let decided = decide(look, &mut contents, rules).await?;
        let batch = next_batch(decided.manifests, numbers.manifests);
        if batch.is_empty() {
            let (deleted, shared) = untag(look, &mut contents, decided.shared).await?;
            numbers.tags += deleted;
            // What is old and still there has other names, and goes with these.
            contents.former.retain(|(tag, _), since| !rules.has_expired(tag, *since, look.now));
            (numbers.left, numbers.shared) = (contents.tags.len(), shared);
            return Ok((numbers, contents));
        }
        // An index goes before what it names. What has tags of its own need not wait for that.
        let (tagged, others): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|doomed| !doomed.tags.is_empty());
        for (group, parallel) in [(tagged, look.parallel), (others, 1)] {
            let deleting = group
                .into_iter()
                .map(|doomed| async move { delete(look, &doomed).await.map(|is_gone| (doomed, is_gone)) });
            let mut deleting = stream::iter(deleting).buffered(parallel);
            while let Some((doomed, is_gone)) = deleting.try_next().await? {
                if is_gone {
                    numbers.manifests += 1;
                    numbers.tags += doomed.tags.len();
                    doomed.tags.iter().for_each(|tag| drop(contents.tags.remove(tag)));
                    contents.manifests.remove(&doomed.digest);
                    contents.former.retain(|(_, digest), _| *digest != doomed.digest);
                } else {
                    contents.pinned.insert(doomed.digest);
                }
            }
        }
    }
}

/// The first manifests of a plan. Of many, more are taken at once, so that there are few looks.
fn next_batch(mut manifests: Vec<Doomed>, done: usize) -> Vec<Doomed> {
    let total = manifests.len() + done;
    manifests.truncate(BATCH.max(total / LOOKS));
    manifests
}

/// The plan. The referrers of what goes are looked for, since they go too.
async fn decide(look: &Look<'_>, contents: &mut Contents, rules: &Rules) -> Result<Plan, Error> {
    let first = plan(contents, rules, look.now);
    let digests = first.manifests.iter().filter_map(|doomed| Digest::parse(&doomed.digest)).collect();
    let before = contents.manifests.len();
    look.referrers(contents, digests).await?;
    Ok(if contents.manifests.len() == before { first } else { plan(contents, rules, look.now) })
}

/// Deletes a manifest, unless one of its tags names another one by now. Returns whether it is gone.
async fn delete(look: &Look<'_>, doomed: &Doomed) -> Result<bool, Stopped> {
    let Some(digest) = Digest::parse(&doomed.digest) else { return Ok(false) };
    if !look.still_name(&doomed.tags, &doomed.digest).await? {
        return Ok(false);
    }
    match look.client.delete_manifest(look.repository, &digest).await? {
        Deleted::Done | Deleted::Missing => Ok(true),
        Deleted::Unsupported => Err(Stopped::Deletion),
    }
}

/// Deletes tags whose manifest stays, where the registry can. Returns how many were deleted, and how
/// many are left.
async fn untag(
    look: &Look<'_>,
    contents: &mut Contents,
    shared: Vec<String>,
) -> Result<(usize, usize), Error> {
    let (total, mut deleted) = (shared.len(), 0);
    for name in shared {
        let Some(tag) = contents.tags.get(&name) else { continue };
        if !look.still_name(std::slice::from_ref(&name), &tag.digest).await? {
            continue;
        }
        match look.client.delete_tag(look.repository, &name).await? {
            Deleted::Done | Deleted::Missing => {
                contents.tags.remove(&name);
                deleted += 1;
            }
            Deleted::Unsupported => break,
        }
    }
    Ok((deleted, total - deleted))
}
