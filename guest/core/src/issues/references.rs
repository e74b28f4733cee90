//! Issues of the objects that a spec names: Secrets of the namespace, and an existing claim.

use crate::issue::{Impact, Issue, Reason};
use crate::json::Json;
use crate::kinds::{SECRET, VOLUME_CLAIM};
use crate::observed::{Object, Objects};
use crate::primary::{NamedSecret, Primary};
use crate::validate;
use orascache_contract::Kind;

/// What is known of the objects that a spec can name.
pub(crate) struct Related<'r, 'a> {
    pub(crate) objects: &'r Objects<'a>,
    /// Children of the cache, which a spec can name too.
    pub(crate) owned: &'r Objects<'a>,
    /// Kinds of which the host handed over no objects, because there are too many.
    pub(crate) omitted: &'r [Kind],
}

impl<'r, 'a> Related<'r, 'a> {
    fn find(&self, kind: &Kind, name: &str) -> Lookup<'r, 'a> {
        match self.objects.find(kind, name).or_else(|| self.owned.find(kind, name)) {
            Some(object) => Lookup::Found(object),
            None if self.omitted.contains(kind) => Lookup::Unknown,
            None => Lookup::Missing,
        }
    }
}

/// Result of the lookup of an object.
enum Lookup<'r, 'a> {
    Found(&'r Object<'a>),
    Missing,
    /// The object was not looked up.
    Unknown,
}

/// All issues of the objects that the spec names.
pub(crate) fn of_references(primary: &Primary<'_>, related: &Related<'_, '_>) -> Vec<Issue> {
    let mut found = Vec::new();
    for named in primary.spec.named_secrets() {
        // Without a registry, only the credentials of steps matter.
        if named.is_for_steps || primary.spec.deploy() {
            found.extend(of_secret(primary, related, &named));
        }
    }
    if primary.spec.deploy() {
        let claim = primary.spec.storage.as_ref().and_then(|storage| storage.existing_claim);
        found.extend(claim.and_then(|name| of_existing_claim(primary, related, name)));
    }
    found
}

fn of_secret(primary: &Primary<'_>, related: &Related<'_, '_>, named: &NamedSecret<'_>) -> Option<Issue> {
    let NamedSecret { field, name, remedy, is_for_steps } = *named;
    let impact = if is_for_steps { Impact::Warning } else { Impact::Blocking };
    let namespace = primary.metadata.namespace;
    match related.find(&SECRET, name) {
        Lookup::Found(_) => None,
        Lookup::Missing => Some(Issue::new(
            Reason::SecretNotFound,
            impact,
            format!("Secret {name}, named in {field}, does not exist in namespace {namespace}. {remedy}"),
        )),
        Lookup::Unknown => Some(Issue::new(
            Reason::SecretUnknown,
            Impact::Warning,
            format!(
                "Secret {name}, named in {field}, was not looked up, because namespace {namespace} has too many Secrets. Check that it exists."
            ),
        )),
    }
}

fn of_existing_claim(primary: &Primary<'_>, related: &Related<'_, '_>, name: &str) -> Option<Issue> {
    let namespace = primary.metadata.namespace;
    match related.find(&VOLUME_CLAIM, name) {
        Lookup::Missing => Some(Issue::new(
            Reason::ClaimNotFound,
            Impact::Blocking,
            format!(
                "PersistentVolumeClaim {name}, named in spec.storage.existingClaim, does not exist in namespace {namespace}. Create it, or give spec.storage.size instead."
            ),
        )),
        Lookup::Unknown => Some(Issue::new(
            Reason::ClaimUnknown,
            Impact::Warning,
            format!(
                "PersistentVolumeClaim {name}, named in spec.storage.existingClaim, was not looked up, because namespace {namespace} has too many claims. Check that it exists, and that its access mode is ReadWriteMany where spec.replicas is more than 1."
            ),
        )),
        Lookup::Found(claim)
            if primary.spec.replicas() > 1 && !validate::lists_shared_mode(access_modes(claim)) =>
        {
            Some(Issue::new(
                Reason::ClaimNotShared,
                Impact::Freezing,
                format!(
                    "PersistentVolumeClaim {name} cannot be written by several pods. Use a claim with access mode ReadWriteMany, or set spec.replicas to 1."
                ),
            ))
        }
        Lookup::Found(_) => None,
    }
}

fn access_modes<'o>(claim: &'o Object<'_>) -> Option<&'o Json<'o>> {
    claim.spec?.get("accessModes")
}
