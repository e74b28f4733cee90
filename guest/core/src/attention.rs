//! What needs somebody's attention: problems of the spec, things that it names but that are missing, and
//! writes that failed. The most important comes first.

use crate::contract::{Failure, SECRET, STATEFUL_SET, VOLUME_CLAIM};
use crate::desired;
use crate::json::Json;
use crate::observed::{Object, Objects};
use crate::primary::Primary;
use crate::quantity;
use crate::validate::{self, Problem};

/// One finding; it becomes the reason and the message of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attention {
    /// Stable, PascalCase.
    pub(crate) reason: &'static str,
    /// A sentence.
    pub(crate) message: String,
    /// Whether the registry cannot work while this lasts.
    pub(crate) blocks: bool,
}

impl Attention {
    /// Whether children are left exactly as they are until this is corrected: what runs goes on.
    pub(crate) fn refuses(&self) -> bool {
        matches!(self.reason, INVALID_SPEC | CLAIM_NOT_SHARED)
    }
}

/// A field of a child is left to another manager; the host's reason and ours.
pub(crate) const FIELD_OWNED_BY_OTHER: &str = "FieldOwnedByOther";
/// The spec contradicts itself.
const INVALID_SPEC: &str = "InvalidSpec";
/// Several pods were asked for over a claim that one can write.
const CLAIM_NOT_SHARED: &str = "ClaimNotShared";

/// The spec contradicts itself: nothing is done until it is corrected.
pub(crate) fn of_problems(problems: &[Problem]) -> Option<Attention> {
    let sentences: Vec<String> =
        problems.iter().map(|problem| format!("{}: {}.", problem.field, problem.message)).collect();
    (!sentences.is_empty()).then(|| Attention {
        reason: INVALID_SPEC,
        message: sentences.join(" "),
        blocks: true,
    })
}

/// Writes of the last plan that failed.
pub(crate) fn of_failures<'f>(failures: &'f [Failure]) -> impl Iterator<Item = Attention> + 'f {
    failures.iter().map(|failure| {
        let target = format!("{} {}", failure.target.kind, failure.target.name);
        let serves = failure.target.kind == STATEFUL_SET.kind || failure.target.kind == "Service";
        match failure.reason.as_str() {
            "NotControlled" => Attention {
                reason: "NameTaken",
                message: format!(
                    "{target} exists and does not belong to this cache. Delete or rename it, or give the cache another name."
                ),
                blocks: true,
            },
            FIELD_OWNED_BY_OTHER => {
                Attention { reason: FIELD_OWNED_BY_OTHER, message: failure.message.clone(), blocks: false }
            }
            reason => Attention {
                reason: if failure.verb == "delete" { "DeleteFailed" } else { "ApplyFailed" },
                message: format!("{target}: {} failed ({} {reason}): {}", failure.verb, failure.code, failure.message),
                blocks: serves,
            },
        }
    })
}

/// What the spec names must exist: Secrets of this namespace, and an existing claim.
pub(crate) fn of_references(primary: &Primary<'_>, related: &Objects<'_>) -> Vec<Attention> {
    let namespace = &primary.metadata.namespace;
    let mut found = Vec::new();
    if !primary.spec.deploy() {
        // Only the credentials of steps matter to a cache without a registry.
        found.extend(missing_oras_env(primary, related));
        return found;
    }
    if let Some(name) = primary.spec.secret
        && related.find(SECRET, name).is_none()
    {
        found.push(Attention {
            reason: "SecretNotFound",
            message: format!(
                "Secret {name}, named in spec.secret, does not exist in namespace {namespace}. Create it with the key http-secret."
            ),
            blocks: true,
        });
    }
    if let Some(name) = primary.spec.storage.as_ref().and_then(|storage| storage.existing_claim) {
        match related.find(VOLUME_CLAIM, name) {
            None => found.push(Attention {
                reason: "ClaimNotFound",
                message: format!(
                    "PersistentVolumeClaim {name}, named in spec.storage.existingClaim, does not exist in namespace {namespace}. Create it, or give spec.storage.size instead."
                ),
                blocks: true,
            }),
            Some(claim) if primary.spec.replicas() > 1 && !validate::lists_shared_mode(access_modes(claim)) => {
                found.push(Attention {
                    reason: CLAIM_NOT_SHARED,
                    message: format!(
                        "PersistentVolumeClaim {name} cannot be written by several pods. Use a claim with access mode ReadWriteMany, or set spec.replicas to 1."
                    ),
                    blocks: true,
                });
            }
            Some(_) => {}
        }
    }
    found.extend(missing_oras_env(primary, related));
    found
}

fn missing_oras_env(primary: &Primary<'_>, related: &Objects<'_>) -> Option<Attention> {
    let name = primary.spec.oras_env.filter(|name| related.find(SECRET, name).is_none())?;
    Some(Attention {
        reason: "SecretNotFound",
        message: format!(
            "Secret {name}, named in spec.secrets.orasEnv, does not exist in namespace {}. Create it with ORAS_USER, ORAS_PULL_PASS and ORAS_PUSH_PASS.",
            primary.metadata.namespace
        ),
        blocks: false,
    })
}

/// Changes of the claim that Kubernetes cannot make. The claim is left as it is then.
pub(crate) fn of_claim(primary: &Primary<'_>, owned: &Objects<'_>) -> Option<Attention> {
    let storage = primary.spec.storage.as_ref()?;
    let wanted_size = storage.size?;
    let name = desired::claim_name(primary)?;
    let spec = owned.find(VOLUME_CLAIM, &name)?.spec?;
    let size = spec
        .get("resources")
        .and_then(|r| r.get("requests"))
        .and_then(|r| r.get("storage"))
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
    Some(Attention { reason: "StorageUnchangeable", message, blocks: false })
}

fn access_modes<'o>(claim: &'o Object<'_>) -> Option<&'o Json<'o>> {
    claim.spec?.get("accessModes")
}
