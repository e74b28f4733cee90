//! The Service over which clients are spread, and where clients find the registry.

use super::{Child, Extras, selector_labels};
use crate::json::Json;
use crate::kinds::SERVICE;
use crate::primary::{Primary, Service};
use orascache_api::endpoint::Endpoint;
use orascache_api::names::{REGISTRY_NAME, REGISTRY_PORT, REGISTRY_SERVICE_SUFFIX};

/// Name of the objects of a cache beside those that have its own name: the Service over which
/// clients are spread, the disruption budget and the ServiceMonitor.
pub(crate) fn registry_service_name(primary: &Primary<'_>) -> String {
    format!("{}{REGISTRY_SERVICE_SUFFIX}", primary.metadata.name)
}

/// Where clients within the cluster find the registry: the first pod, or the Service that spreads
/// them over all pods.
pub(crate) fn endpoint(primary: &Primary<'_>, cluster_domain: Option<&str>) -> Endpoint<'static> {
    let (name, namespace) = (primary.metadata.name, primary.metadata.namespace);
    let endpoint = if primary.spec.is_balanced() {
        let port = primary.spec.service.as_ref().map_or(REGISTRY_PORT, Service::port);
        Endpoint::of_balanced_cache(name, namespace, cluster_domain, port)
    } else {
        Endpoint::of_cache(name, namespace, cluster_domain)
    };
    endpoint.with_tls(primary.spec.tls.is_some())
}

/// The Service over which clients are spread. Where one `exists`, it stays when the spec does without
/// it: steps that were sent to it still run. Then nobody reaches it from outside of the cluster.
pub(crate) fn registry_service<'a>(primary: &'a Primary<'a>, exists: bool) -> Option<Child<'a>> {
    if !primary.spec.is_balanced() && !exists {
        return None;
    }
    let service = primary.spec.service.as_ref().unwrap_or(const { &Service::NONE });
    let port = Json::object([
        ("name", Some(REGISTRY_NAME.into())),
        ("nodePort", service.node_port.map(Json::from)),
        ("port", Some(service.port().into())),
        ("protocol", Some("TCP".into())),
        ("targetPort", Some(REGISTRY_NAME.into())),
    ]);
    let networks = || Json::Array(service.source_ranges.iter().map(|range| Json::from(*range)).collect());
    let is_limited = !service.source_ranges.is_empty();
    let spec = Json::object([
        // Only nodes with a registry pod see the address of a client, by which the NetworkPolicy
        // admits it.
        ("externalTrafficPolicy", is_limited.then(|| "Local".into())),
        ("loadBalancerSourceRanges", (is_limited && service.kind() == "LoadBalancer").then(networks)),
        ("ports", Some(Json::Array(vec![port]))),
        ("selector", Some(selector_labels(primary))),
        // All requests of an upload go to one pod: over shared storage, another one may not see yet
        // what the first one has written.
        ("sessionAffinity", Some("ClientIP".into())),
        ("type", Some(service.kind().into())),
    ]);
    let extras = Extras { annotations: service.annotations, ..Extras::default() };
    Some(Child::with(primary, &SERVICE, registry_service_name(primary).into(), extras, [("spec", spec)]))
}
