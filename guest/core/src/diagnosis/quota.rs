//! Quotas that leave no room for a registry pod.
//!
//! Only Events tell why a StatefulSet could not create a pod, and nobody can watch the Events of
//! some objects alone. So the quotas of the namespace are compared with the pod.

use crate::json::Json;
use crate::kinds::RESOURCE_QUOTA;
use crate::observed::{Object, Objects};
use crate::quantity::{self, Quantity};

/// Fields of a quota that the host keeps.
pub(crate) const QUOTA_FIELDS: &[&str] =
    &["/spec/scopes", "/spec/scopeSelector", "/status/hard", "/status/used"];

/// Scopes of quotas that count no registry pods: these have no time limit, request resources, and
/// refer to no other namespaces.
const OTHER_SCOPES: [&str; 3] = ["Terminating", "BestEffort", "CrossNamespacePodAffinity"];

/// What a new pod takes of one resource of a quota.
enum Need {
    /// Nothing: the resource is not one of pods.
    Nothing,
    Amount(Quantity),
    /// Kubernetes refuses pods that do not say it.
    Unspecified,
}

/// The sentence about a quota of the namespace that has no room for one more pod of the set.
pub(super) fn without_room(set: &Object<'_>, related: &Objects<'_>) -> Option<String> {
    let template = set.spec?.get("template")?.get("spec")?;
    related.of_kind(&RESOURCE_QUOTA).find_map(|quota| {
        let spec = quota.spec;
        let scopes = spec.map(|spec| spec.items("scopes")).unwrap_or_default();
        if spec.is_some_and(|spec| spec.member("scopeSelector").is_some())
            || scopes.iter().filter_map(Json::as_str).any(|scope| OTHER_SCOPES.contains(&scope))
        {
            return None;
        }
        let status = quota.tree.member("status")?;
        let Json::Object(hard) = status.get("hard")? else { return None };
        hard.iter().find_map(|(resource, limit)| {
            let used = status.member_of("used", resource);
            problem(template, resource, limit, used)
                .map(|why| format!("ResourceQuota {} leaves no room for a registry pod: {why}.", quota.name))
        })
    })
}

fn problem(template: &Json<'_>, resource: &str, limit: &Json<'_>, used: Option<&Json<'_>>) -> Option<String> {
    match need(template, resource) {
        Need::Nothing => None,
        Need::Unspecified => Some(format!(
            "it limits {resource}, and spec.resources of the cache does not say how much a pod takes"
        )),
        Need::Amount(amount) => {
            let in_use = used.and_then(quantity::of).unwrap_or(quantity::ZERO);
            let text = |value: Option<&Json<'_>>| value.and_then(Json::as_str).unwrap_or("0").to_owned();
            (in_use.plus(amount) > quantity::of(limit)?).then(|| {
                format!(
                    "{resource} is limited to {}, {} are used, and one more pod is too much. Raise the quota, or free some of it",
                    text(Some(limit)),
                    text(used)
                )
            })
        }
    }
}

/// What one more pod takes of a resource
/// (kubernetes.io/docs/concepts/policy/resource-quotas).
fn need(template: &Json<'_>, resource: &str) -> Need {
    let (kind, name) = match resource {
        "pods" | "count/pods" => return quantity::parse("1").map_or(Need::Nothing, Need::Amount),
        "cpu" | "memory" | "ephemeral-storage" => ("requests", resource),
        _ => match resource.split_once('.') {
            Some((kind @ ("requests" | "limits"), name @ ("cpu" | "memory" | "ephemeral-storage"))) => {
                (kind, name)
            }
            _ => return Need::Nothing,
        },
    };
    let mut sum = quantity::ZERO;
    for container in template.items("containers") {
        let resources = container.member("resources");
        let amount = |kind| resources?.member_of(kind, name).and_then(quantity::of);
        // A request that is not given is the limit.
        match amount(kind).or_else(|| amount("limits")) {
            Some(amount) => sum = sum.plus(amount),
            None if name == "ephemeral-storage" => {}
            None => return Need::Unspecified,
        }
    }
    Need::Amount(sum)
}
