//! Issues of a cache: problems of its spec, objects that it names and that are missing, and writes that failed. Each
//! becomes the reason and the message of a condition.

use crate::desired;
use crate::json::Json;
use crate::kinds::{SECRET, SERVICE, STATEFUL_SET, VOLUME_CLAIM};
use crate::observed::{Object, Objects};
use crate::primary::Primary;
use crate::quantity;
use crate::validate::{self, Problem};
use orascache_contract::{Failure, FailureReason, Kind, Verb};

/// One issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Issue {
    pub(crate) reason: Reason,
    /// A sentence.
    pub(crate) message: String,
    pub(crate) impact: Impact,
}

/// Reasons of conditions (KEP-1623). They are stable: scripts wait for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The spec contradicts itself.
    InvalidSpec,
    /// Several pods were asked for, over a claim that one pod can write.
    ClaimNotShared,
    /// An object that the cache needs exists and belongs to somebody else.
    NameTaken,
    /// A field of a child is left to another field manager.
    FieldOwnedByOther,
    /// A child could not be created or changed.
    ApplyFailed,
    /// A child could not be deleted.
    DeleteFailed,
    /// A Secret that the spec names does not exist.
    SecretNotFound,
    /// The host did not hand over the Secrets of the namespace.
    SecretUnknown,
    /// A claim that the spec names does not exist.
    ClaimNotFound,
    /// The host did not hand over the claims of the namespace.
    ClaimUnknown,
    /// The claim exists, and Kubernetes cannot change it as the spec asks.
    StorageUnchangeable,
}

impl Reason {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Reason::InvalidSpec => "InvalidSpec",
            Reason::ClaimNotShared => "ClaimNotShared",
            Reason::NameTaken => "NameTaken",
            Reason::FieldOwnedByOther => "FieldOwnedByOther",
            Reason::ApplyFailed => "ApplyFailed",
            Reason::DeleteFailed => "DeleteFailed",
            Reason::SecretNotFound => "SecretNotFound",
            Reason::SecretUnknown => "SecretUnknown",
            Reason::ClaimNotFound => "ClaimNotFound",
            Reason::ClaimUnknown => "ClaimUnknown",
            Reason::StorageUnchangeable => "StorageUnchangeable",
        }
    }
}

/// What an issue means for the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Impact {
    /// The registry works all the same.
    Warning,
    /// The registry cannot work while the issue lasts.
    Blocking,
    /// As blocking. The children also stay exactly as they are until the issue is resolved, so that what runs goes on.
    Freezing,
}

impl Issue {
    fn new(reason: Reason, impact: Impact, message: String) -> Self {
        Issue { reason, message, impact }
    }

    pub(crate) fn blocks(&self) -> bool {
        self.impact != Impact::Warning
    }

    pub(crate) fn freezes(&self) -> bool {
        self.impact == Impact::Freezing
    }
}

/// The issue of a spec that contradicts itself.
pub(crate) fn of_problems(problems: &[Problem]) -> Option<Issue> {
    let sentences: Vec<String> =
        problems.iter().map(|problem| format!("{}: {}.", problem.field, problem.message)).collect();
    (!sentences.is_empty()).then(|| Issue::new(Reason::InvalidSpec, Impact::Freezing, sentences.join(" ")))
}

/// Issues of writes of the last plan that failed.
pub(crate) fn of_failures<'f>(failures: &'f [Failure]) -> impl Iterator<Item = Issue> + 'f {
    failures.iter().map(of_failure)
}

fn of_failure(failure: &Failure) -> Issue {
    let kind = &failure.target.kind.kind;
    let target = format!("{kind} {}", failure.target.name);
    match &failure.reason {
        FailureReason::NotControlled => Issue::new(
            Reason::NameTaken,
            Impact::Blocking,
            format!(
                "{target} exists and does not belong to this cache. Delete or rename it, or give the cache another name."
            ),
        ),
        FailureReason::FieldOwnedByOther => {
            Issue::new(Reason::FieldOwnedByOther, Impact::Warning, failure.message.clone())
        }
        reason => {
            // The registry is reached through these two.
            let serves = *kind == STATEFUL_SET.kind || *kind == SERVICE.kind;
            Issue::new(
                if failure.verb == Verb::Delete { Reason::DeleteFailed } else { Reason::ApplyFailed },
                if serves { Impact::Blocking } else { Impact::Warning },
                format!("{target}: {} failed ({} {reason}): {}", failure.verb, failure.code, failure.message),
            )
        }
    }
}

/// What is known of the objects that a spec can name.
pub(crate) struct Related<'r, 'a> {
    pub(crate) objects: &'r Objects<'a>,
    /// Kinds of which the host handed over no objects, because there are too many.
    pub(crate) omitted: &'r [Kind],
}

impl<'r, 'a> Related<'r, 'a> {
    fn find(&self, kind: &Kind, name: &str) -> Lookup<'r, 'a> {
        match self.objects.find(kind, name) {
            Some(object) => Lookup::Found(object),
            None if self.omitted.contains(kind) => Lookup::Unknown,
            None => Lookup::Missing,
        }
    }
}

/// What came of looking for an object.
enum Lookup<'r, 'a> {
    Found(&'r Object<'a>),
    Missing,
    /// Nobody looked.
    Unknown,
}

/// Issues of the objects that the spec names: Secrets of the namespace, and an existing claim.
pub(crate) fn of_references(primary: &Primary<'_>, related: &Related<'_, '_>) -> Vec<Issue> {
    let mut found = Vec::new();
    // Without a registry, only the credentials of steps matter.
    if primary.spec.deploy() {
        found.extend(primary.spec.secret.and_then(|name| {
            of_secret(
                primary,
                related,
                ("spec.secret", name, Impact::Blocking),
                "Create it with the key http-secret.",
            )
        }));
        let claim = primary.spec.storage.as_ref().and_then(|storage| storage.existing_claim);
        found.extend(claim.and_then(|name| of_existing_claim(primary, related, name)));
    }
    found.extend(primary.spec.oras_env.and_then(|name| {
        of_secret(
            primary,
            related,
            ("spec.secrets.orasEnv", name, Impact::Warning),
            "Create it with ORAS_USER, ORAS_PULL_PASS and ORAS_PUSH_PASS.",
        )
    }));
    found
}

fn of_secret(
    primary: &Primary<'_>,
    related: &Related<'_, '_>,
    (field, name, impact): (&str, &str, Impact),
    remedy: &str,
) -> Option<Issue> {
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

/// The issue of a change of the cache's own claim that Kubernetes cannot make. The claim is left as it is then.
pub(crate) fn of_claim(primary: &Primary<'_>, owned: &Objects<'_>) -> Option<Issue> {
    let storage = primary.spec.storage.as_ref()?;
    let wanted_size = storage.size?;
    let name = desired::claim_name(primary)?;
    let spec = owned.find(&VOLUME_CLAIM, &name)?.spec?;
    let size = spec
        .get("resources")
        .and_then(|resources| resources.get("requests"))
        .and_then(|requests| requests.get("storage"))
        .and_then(Json::as_str);
    let class = spec.get("storageClassName").and_then(Json::as_str);
    let modes: Vec<&str> = spec
        .get("accessModes")
        .and_then(Json::as_array)
        .unwrap_or_default()
        .iter()
        .filter_map(Json::as_str)
        .collect();

    let message = if let Some(size) = size
        && quantity::parse(wanted_size) < quantity::parse(size)
    {
        format!(
            "spec.storage.size is {wanted_size}, but claim {name} has {size} and cannot shrink. Set it to at least {size}."
        )
    } else if let Some(wanted) = storage.storage_class_name
        && class.is_some_and(|class| class != wanted)
    {
        format!(
            "spec.storage.storageClassName is {wanted}, but claim {name} has {} and cannot change it. Write that one, or move the data to a new claim.",
            class.unwrap_or_default()
        )
    } else if !modes.is_empty() && modes != storage.access_modes() {
        format!(
            "spec.storage.accessModes is [{}], but claim {name} has [{}] and cannot change it. Write those, or move the data to a new claim.",
            storage.access_modes().join(", "),
            modes.join(", ")
        )
    } else {
        return None;
    };
    Some(Issue::new(Reason::StorageUnchangeable, Impact::Warning, message))
}

fn access_modes<'o>(claim: &'o Object<'_>) -> Option<&'o Json<'o>> {
    claim.spec?.get("accessModes")
}
