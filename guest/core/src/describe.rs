//! What this guest manages, and which requests it wants to review.

use crate::admission;
use crate::desired::TASK_ROLES;
use crate::diagnosis::QUOTA_FIELDS;
use crate::jobs_without_pods::JOB_FIELDS;
use crate::kinds::{
    CERTIFICATE, CRON_JOB, DISRUPTION_BUDGET, JOB, NETWORK_POLICY, ORAS_CACHE, POD, RESOURCE_QUOTA, SECRET,
    SERVICE, SERVICE_MONITOR, STATEFUL_SET, VOLUME_CLAIM,
};
use crate::registry_pod::POD_FIELDS;
use orascache_api::names::{FIELD_MANAGER, labels};
use orascache_contract::{Description, WatchedKind};

/// What this guest manages: OrasCaches and their children.
///
/// ```
/// let description = orascache_core::describe();
/// assert_eq!(description.primary.kind, "OrasCache");
/// assert_eq!(description.admission[0].name, "create.pods");
/// ```
pub fn describe() -> Description {
    let whole = |kind: &orascache_contract::Kind| WatchedKind::whole(kind.clone());
    let always = [&SECRET, &VOLUME_CLAIM, &NETWORK_POLICY, &SERVICE, &STATEFUL_SET, &DISRUPTION_BUDGET];
    // A cluster may have many Jobs, which are nobody's business here.
    let ours = format!("{}={}", labels::MANAGED_BY, labels::MANAGED_BY_VALUE);
    let labelled = |kind: &orascache_contract::Kind, fields: &[&str]| {
        WatchedKind::reduced(kind.clone(), fields).with_labels(&ours)
    };
    let mut owned: Vec<WatchedKind> = always.into_iter().map(whole).collect();
    owned.extend([&SERVICE_MONITOR, &CERTIFICATE].map(|kind| whole(kind).or_absent()));
    owned.extend([&JOB, &CRON_JOB].map(|kind| labelled(kind, &[])));
    Description {
        primary: ORAS_CACHE.clone(),
        owned,
        related: vec![
            // That a Secret exists is all that matters.
            WatchedKind::reduced(SECRET.clone(), &[]),
            WatchedKind::reduced(
                VOLUME_CLAIM.clone(),
                &[
                    "/metadata/annotations/cache.converged-computing.github.io~1cache",
                    "/metadata/annotations/cache.converged-computing.github.io~1retained",
                    "/spec/accessModes",
                    "/spec/resources/requests/storage",
                    "/spec/storageClassName",
                    "/status/capacity/storage",
                    "/status/phase",
                ],
            )
            // To release those that outlive their cache.
            .to_be_patched(),
            // Those of CronJobs, which control the pods of retention and exports.
            labelled(&JOB, JOB_FIELDS),
            // Pods tell why a registry is not ready, and what retention, seeds and exports did. Quotas
            // tell the first one too. A cache works without them.
            WatchedKind {
                optional: true,
                label_selector: format!(
                    "{}={},{} in ({},{})",
                    labels::NAME,
                    labels::NAME_VALUE,
                    labels::COMPONENT,
                    labels::COMPONENT_REGISTRY,
                    TASK_ROLES.join(",")
                ),
                ..WatchedKind::reduced(POD.clone(), POD_FIELDS)
            },
            WatchedKind { optional: true, ..WatchedKind::reduced(RESOURCE_QUOTA.clone(), QUOTA_FIELDS) },
        ],
        field_manager: FIELD_MANAGER.to_owned(),
        admission: admission::rules(),
        // Deprecated, and still in clusters: the HTTP secret as a literal.
        sensitive: vec!["/spec/secrets/registryHttp".to_owned()],
    }
}
