//! Issues of writes of the last plan that failed.

use crate::issue::{Impact, Issue, Reason};
use crate::kinds::{NETWORK_POLICY, SERVICE, STATEFUL_SET, VOLUME_CLAIM};
use crate::primary::{Primary, Storage};
use orascache_api::names::CONSENT_ANNOTATION;
use orascache_contract::{Failure, FailureReason, Verb};

/// Issues of writes that failed. `pods_wait` says that the registry pods are not made before their
/// NetworkPolicy exists.
pub(crate) fn of_failures(primary: &Primary<'_>, failures: &[Failure], pods_wait: bool) -> Vec<Issue> {
    failures.iter().map(|failure| of_failure(primary, failure, pods_wait)).collect()
}

fn of_failure(primary: &Primary<'_>, failure: &Failure, pods_wait: bool) -> Issue {
    let issue = match &failure.reason {
        FailureReason::NotControlled => {
            Issue::new(Reason::NameTaken, Impact::Blocking, name_taken(primary, failure))
        }
        FailureReason::FieldOwnedByOther => {
            Issue::new(Reason::FieldOwnedByOther, Impact::Warning, failure.message.clone())
        }
        reason => write_failed(primary, failure, reason),
    };
    if failure.target.kind != NETWORK_POLICY || failure.verb == Verb::Delete {
        return issue;
    }
    of_missing_policy(issue, pods_wait)
}

/// The issue of a NetworkPolicy that could not be written, with what it means and how to go on.
fn of_missing_policy(issue: Issue, pods_wait: bool) -> Issue {
    let Issue { reason, message, impact } = issue;
    if pods_wait {
        let message = format!(
            "{message} The registry pods are not made before this policy exists, since any pod of the cluster could reach them. If it cannot exist, set spec.networkPolicy.enabled to false."
        );
        return Issue::new(Reason::NetworkPolicyMissing, Impact::Blocking, message);
    }
    // A field that is left to another manager is named, and the policy is there.
    if reason == Reason::FieldOwnedByOther {
        return Issue { reason, message, impact };
    }
    let message = format!(
        "{message} The policy may be missing or too wide until then. If it cannot be written, spec.networkPolicy.enabled: false does without."
    );
    Issue::new(reason, impact, message)
}

fn name_taken(primary: &Primary<'_>, failure: &Failure) -> String {
    let (kind, name) = (&failure.target.kind.kind, &failure.target.name);
    let consent = format!("{CONSENT_ANNOTATION}: {}", primary.metadata.name);
    if failure.target.kind == VOLUME_CLAIM {
        return format!(
            "{kind} {name} exists and does not belong to this cache: it does not follow spec.storage, and it stays when the cache is deleted. Name it in spec.storage.existingClaim to use it as it is. If nothing controls it, the annotation {consent} gives it to the cache."
        );
    }
    format!(
        "{kind} {name} exists and does not belong to this cache. Delete or rename it, or give the cache another name. If nothing controls it, the annotation {consent} gives it to the cache."
    )
}

fn write_failed(primary: &Primary<'_>, failure: &Failure, reason: &FailureReason) -> Issue {
    let kind = &failure.target.kind;
    let target = format!("{} {}", kind.kind, failure.target.name);
    // The registry is reached through these two.
    let serves = *kind == STATEFUL_SET || *kind == SERVICE;
    // The API server's messages have no full stop at the end.
    let why = failure.message.trim_end_matches('.');
    let mut message = format!("{target}: {} failed ({} {reason}): {why}.", failure.verb, failure.code);
    if *reason == FailureReason::Invalid && failure.verb == Verb::Apply && *kind != VOLUME_CLAIM {
        message.push_str(&format!(
            " If this names a field that Kubernetes cannot change, delete {target}: the operator makes it again."
        ));
        if *kind == STATEFUL_SET {
            message.push_str(&match primary.spec.why_ephemeral() {
                Some(why) => format!(" That restarts the registry, which loses its artifacts, {why}."),
                None => " That restarts the registry.".to_owned(),
            });
        }
    }
    // The admission plugin OwnerReferencesPermissionEnforcement says it so.
    if why.contains("cannot set an ownerRef on a resource you can't delete") {
        message.push_str(&format!(
            " On this cluster the owner of an object changes only by who may delete it: docs/security.md of the operator says how to grant that for {}.",
            kind.plural
        ));
        // The release of a claim that is to outlive its cache.
        let is_release = *kind == VOLUME_CLAIM && failure.verb == Verb::Patch;
        if is_release && primary.spec.storage.as_ref().is_some_and(Storage::retains) {
            message.push_str(" Until then the claim is deleted with the cache.");
        }
    }
    // The admission plugin ResourceQuota says it so.
    let is_quota = *reason == FailureReason::Forbidden && why.contains("exceeded quota: ");
    Issue::new(
        match failure.verb {
            Verb::Delete => Reason::DeleteFailed,
            _ if is_quota => Reason::QuotaExceeded,
            _ => Reason::ApplyFailed,
        },
        if serves { Impact::Blocking } else { Impact::Warning },
        message,
    )
}
