//! Requests and limits of the pods that work on a registry.
//!
//! A namespace with a quota or a limit range admits only pods that say what the quota counts. What
//! the author of a cache wrote for the registry pods shows what that is, so that the pods for work on
//! the registry say the same things, with amounts of their own.

use super::not_empty;
use crate::json::Json;
use crate::primary::Spec;
use crate::quantity;

/// Small amounts of one resource.
struct Amounts {
    resource: &'static str,
    request: &'static str,
    limit: &'static str,
    /// Whether it is requested where the registry pods request none.
    is_always_requested: bool,
}

/// The agent keeps no artifacts in memory or on a disk while it works on a registry.
const SMALL: [Amounts; 3] = [
    Amounts { resource: "cpu", request: "50m", limit: "1", is_always_requested: true },
    Amounts { resource: "ephemeral-storage", request: "64Mi", limit: "64Mi", is_always_requested: false },
    Amounts { resource: "memory", request: "64Mi", limit: "512Mi", is_always_requested: true },
];

/// `resources` of the container: as the spec says. Otherwise small requests, and small limits of
/// what the registry pods have limits of. No amount is larger than what the registry pods have.
pub(super) fn of<'a>(spec: &Spec<'a>) -> Json<'a> {
    if let Some(written) = not_empty(spec.task_resources) {
        return written;
    }
    let written = |kind, resource| spec.resources?.member_of(kind, resource);
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for small in SMALL {
        let (request, limit) = (written("requests", small.resource), written("limits", small.resource));
        if request.is_some() || limit.is_some() || small.is_always_requested {
            let amount = smaller(smaller(small.request.into(), request), limit);
            requests.push((small.resource.into(), amount));
        }
        if limit.is_some() {
            limits.push((small.resource.into(), smaller(small.limit.into(), limit)));
        }
    }
    let limits = (!limits.is_empty()).then_some(Json::Object(limits));
    Json::object([("limits", limits), ("requests", Some(Json::Object(requests)))])
}

fn smaller<'a>(amount: Json<'a>, bound: Option<&Json<'a>>) -> Json<'a> {
    let is_larger = |bound: &&Json<'_>| quantity::of(&amount) > quantity::of(bound);
    bound.filter(is_larger).cloned().unwrap_or(amount)
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::json::Json;
    use crate::primary::Primary;

    fn resources(spec: &str) -> String {
        let cache = format!(
            r#"{{"apiVersion":"cache.converged-computing.github.io/v1alpha1","kind":"OrasCache","metadata":{{"name":"demo"}},"spec":{spec}}}"#
        );
        let tree = Json::parse(&cache).unwrap();
        of(&Primary::read(&tree).unwrap().spec).to_text()
    }

    #[test]
    fn by_default_there_are_small_requests_and_no_limits() {
        let small = r#"{"requests":{"cpu":"50m","memory":"64Mi"}}"#;
        assert_eq!(resources("{}"), small);
        assert_eq!(resources(r#"{"resources":{},"taskResources":{}}"#), small);
        assert_eq!(resources(r#"{"resources":{"requests":{"cpu":"4","memory":"8Gi"}}}"#), small);
    }

    #[test]
    fn what_the_registry_pods_limit_is_limited() {
        assert_eq!(
            resources(r#"{"resources":{"limits":{"cpu":"4","memory":"8Gi","ephemeral-storage":"1Gi"}}}"#),
            r#"{"limits":{"cpu":"1","ephemeral-storage":"64Mi","memory":"512Mi"},"requests":{"cpu":"50m","ephemeral-storage":"64Mi","memory":"64Mi"}}"#
        );
    }

    #[test]
    fn no_amount_is_larger_than_that_of_the_registry_pods() {
        assert_eq!(
            resources(r#"{"resources":{"requests":{"cpu":"10m"},"limits":{"cpu":"0.02","memory":"32Mi"}}}"#),
            r#"{"limits":{"cpu":"0.02","memory":"32Mi"},"requests":{"cpu":"10m","memory":"32Mi"}}"#
        );
    }

    #[test]
    fn what_the_spec_says_counts_as_it_is() {
        let written = r#"{"limits":{"memory":"2Gi"},"requests":{"memory":"1Gi"}}"#;
        let spec = format!(r#"{{"resources":{{"limits":{{"cpu":"4"}}}},"taskResources":{written}}}"#);
        assert_eq!(resources(&spec), written);
    }
}
