//! Which defaults a StatefulSet gets when it exists already.
//!
//! A registry without storage loses its artifacts when its pod restarts. So an upgrade of the
//! operator must not change its pod template: new defaults wait until the spec is edited. The
//! StatefulSet carries the generation of the cache for which it was applied, and the revision of
//! its defaults. While the generation is the same, the older revision stays the desired one. Hand
//! edits are taken back to that revision, as they always are.

use super::stateful_set::stateful_set;
use super::{Child, TemplateRevision, collection};
use crate::json::Json;
use crate::observed::Object;
use crate::primary::Primary;
use orascache_api::names::{
    APPLIED_GENERATION_ANNOTATION, APPLIED_HASH_ANNOTATION, TEMPLATE_REVISION_ANNOTATION,
};

/// Which defaults the desired StatefulSet has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defaults {
    /// The defaults of this version.
    Current,
    /// The defaults of an older version. Those of this version wait for the next edit of the spec.
    Older,
    /// The defaults of a version that this one does not know. The StatefulSet stays exactly as it
    /// is until the next edit of the spec.
    Unknown,
}

/// The StatefulSet that a cache should have, beside the one that it has now.
pub(crate) fn stateful_set_beside<'a>(
    primary: &'a Primary<'a>,
    observed: Option<&Object<'_>>,
    agent_image: &str,
) -> (Child<'a>, Defaults) {
    let current = stateful_set(primary, TemplateRevision::CURRENT, agent_image);
    let Some(observed) = observed.filter(|_| primary.spec.is_ephemeral()) else {
        return (current, Defaults::Current);
    };
    let annotation = |name| observed.metadata("annotations").and_then(|all| all.get(name));
    let generation = annotation(APPLIED_GENERATION_ANNOTATION);
    if generation.is_some_and(|applied| applied.as_str() != Some(&*primary.metadata.generation.to_string())) {
        return (current, Defaults::Current);
    }
    // The applied hash tells which revision was applied for this spec. Where somebody removed the
    // hash, the content is compared.
    let digest = annotation(APPLIED_HASH_ANNOTATION).and_then(Json::as_str);
    let was_applied = |child: &Child<'_>| match digest {
        Some(_) => digest == child.applied_hash(),
        None => child.has_spec(observed),
    };
    if was_applied(&current) {
        return (current, Defaults::Current);
    }
    // The agent's image is another one after an upgrade.
    let installed = collection::agent_image_of(observed.spec);
    let before = installed.map(|image| stateful_set(primary, TemplateRevision::CURRENT, image));
    let revisions = TemplateRevision::OLDER.into_iter();
    let older = revisions.map(|revision| stateful_set(primary, revision, agent_image));
    if let Some(child) = before.into_iter().chain(older).find(was_applied) {
        return (child, Defaults::Older);
    }
    match (generation, digest) {
        // Without a stamp, something else means that the spec was edited since.
        (None, _) => (current, Defaults::Current),
        // Another version applied other defaults for the same spec.
        (Some(_), Some(_)) => (current, Defaults::Unknown),
        // Somebody removed the digest and edited more.
        (Some(_), None) => {
            let stamped = annotation(TEMPLATE_REVISION_ANNOTATION).and_then(TemplateRevision::of_number);
            match stamped {
                Some(TemplateRevision::CURRENT) => (current, Defaults::Current),
                Some(revision) => (stateful_set(primary, revision, agent_image), Defaults::Older),
                None => (current, Defaults::Unknown),
            }
        }
    }
}

/// Whether an edit of a spec changes the pod template, so that the registry restarts.
pub(crate) fn restarts_registry(old: &Primary<'_>, new: &Primary<'_>) -> bool {
    // The edit does not change the agent's image.
    let [old, new] = [old, new].map(|primary| stateful_set(primary, TemplateRevision::CURRENT, "").object);
    old.member_of("spec", "template") != new.member_of("spec", "template")
}
