//! Registries of other namespaces, which a step may name only where the administrator allows it.
//!
//! The registry of a cache asks for no credentials, so that whoever can name it can read and
//! replace its artifacts. Names of Services are recognized in every form that a pod resolves
//! (kubernetes.io/docs/concepts/services-networking/dns-pod-service). IP addresses, and other names
//! that lead to the same address, are for a NetworkPolicy to limit.

use super::pod::Pod;
use super::step::Step;
use crate::findings::Findings;
use crate::json::Json;
use crate::settings::Settings;
use orascache_api::names::REGISTRY_PORT;
use orascache_api::steps::{ANNOTATION_PREFIX as PREFIX, annotation};

/// The label between the namespace of a Service and the domain of the cluster.
const SERVICE_LABEL: &str = "svc";

/// A Service of the cluster, as a host name means it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Service<'h> {
    name: &'h str,
    namespace: &'h str,
}

/// Refuses a registry that is a Service of another namespace, unless the settings allow it.
pub(crate) fn check(
    settings: &Settings<'_>,
    step: &Step<'_>,
    pod: &Pod<'_>,
    namespace: &str,
    findings: &mut Findings,
) {
    let Some(endpoint) = &step.registry else { return };
    let authority = endpoint.host().to_ascii_lowercase();
    let (host, port) = authority.split_once(':').unwrap_or((&authority, ""));
    let host = host.trim_end_matches('.');
    let is_refused = |service: &Service<'_>| {
        service.namespace != namespace && !is_allowed(&settings.allowed_caches, service)
    };
    let mut refuse = |service: &Service<'_>| {
        let Service { name, namespace: foreign } = service;
        findings.refuse(format!(
            "{PREFIX}{} is {endpoint}, which is {name} in namespace {foreign}: use a cache of namespace {namespace}, or ask the administrator for {foreign}/{name} in the setting allowedCaches",
            annotation::REGISTRY
        ));
    };
    // `shared-0.shared` is the first pod of the step's own cache. For any other name, `shared` may
    // be a namespace: no other pod is sure to exist, and DNS then looks for a Service in that
    // namespace.
    let is_own_pod = host
        .split_once('.')
        .is_some_and(|(pod, service)| service == step.cache && pod.strip_prefix(service) == Some("-0"));
    if let Some(service) = services(host, port, settings.cluster_domain).find(is_refused)
        && !is_own_pod
    {
        refuse(&service);
        return;
    }
    // Search domains of the pod complete short names.
    let labels: Vec<&str> = host.split('.').collect();
    let is_short = match labels.as_slice() {
        [_] => true,
        [pod, service] => is_pod_of(pod, service),
        [_, protocol, _] => is_protocol(protocol),
        _ => false,
    };
    let searches = pod.spec.member("dnsConfig").map(|config| config.items("searches")).unwrap_or_default();
    for domain in searches.iter().filter_map(Json::as_str).filter(|_| is_short) {
        let completed = format!("{host}.{}", domain.trim_end_matches('.').to_ascii_lowercase());
        if let Some(service) = full_names(&completed, settings.cluster_domain).find(is_refused) {
            refuse(&service);
            return;
        }
    }
}

/// The Services that a host name may mean.
fn services<'h>(
    host: &'h str,
    port: &str,
    cluster_domain: Option<&str>,
) -> impl Iterator<Item = Service<'h>> {
    full_names(host, cluster_domain).chain(short_name(host, port))
}

/// `service.namespace.svc`, `pod.service.namespace.svc` and `port.protocol.service.namespace.svc`,
/// with the domain of the cluster behind them or without it. A search domain may complete it, so
/// that a part of it is enough. Where the domain is not set, everything behind `svc` may be it.
fn full_names<'h>(host: &'h str, cluster_domain: Option<&str>) -> impl Iterator<Item = Service<'h>> {
    let labels: Vec<&str> = host.split('.').collect();
    let is_in_domain = |rest: &[&str]| {
        cluster_domain.is_none_or(|domain| {
            let mut domain = domain.split('.');
            rest.iter().all(|label| domain.next() == Some(*label))
        })
    };
    let found = [2, 3, 4].map(|index| match labels.split_at_checked(index) {
        Some(([.., name, namespace], [SERVICE_LABEL, rest @ ..])) if is_in_domain(rest) => {
            Some(Service { name, namespace })
        }
        _ => None,
    });
    found.into_iter().flatten()
}

/// `service.namespace` with the port of registries, `service-0.service.namespace`, and
/// `port.protocol.service.namespace`. The search domains that every pod has complete them. Other
/// names with two labels are hosts of a network, as `ghcr.io` is.
fn short_name<'h>(host: &'h str, port: &str) -> Option<Service<'h>> {
    let labels: Vec<&str> = host.split('.').collect();
    match labels.as_slice() {
        [name, namespace] if port.parse() == Ok(REGISTRY_PORT) => Some(Service { name, namespace }),
        [pod, name, namespace] if is_pod_of(pod, name) => Some(Service { name, namespace }),
        [_, protocol, name, namespace] if is_protocol(protocol) => Some(Service { name, namespace }),
        _ => None,
    }
}

/// Whether a label is the protocol of a Service's port. DNS knows it with an underscore, and
/// CoreDNS without one too.
fn is_protocol(label: &str) -> bool {
    matches!(label.strip_prefix('_').unwrap_or(label), "tcp" | "udp" | "sctp")
}

/// Whether a label names a pod of the StatefulSet that is called like the Service: `shared-0`.
fn is_pod_of(label: &str, service: &str) -> bool {
    label
        .strip_prefix(service)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether one of the patterns `namespace/name` and `namespace/*` allows a Service.
fn is_allowed(patterns: &[&str], service: &Service<'_>) -> bool {
    patterns.iter().any(|pattern| {
        pattern.split_once('/').is_some_and(|(namespace, name)| {
            namespace == service.namespace && (name == "*" || name == service.name)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(host: &str, port: &str, cluster_domain: Option<&str>) -> Vec<String> {
        services(host, port, cluster_domain)
            .map(|Service { name, namespace }| format!("{namespace}/{name}"))
            .collect()
    }

    #[test]
    fn services_are_recognized_in_every_form_that_a_pod_resolves() {
        for (host, port) in [
            ("shared.victim.svc", ""),
            ("shared.victim.svc", "80"),
            ("shared-0.shared.victim.svc", "5000"),
            ("10-0-0-1.shared.victim.svc", "5000"),
            ("shared.victim.svc.cluster.local", "5000"),
            ("shared-0.shared.victim.svc.cluster.local", "5000"),
            ("shared.victim.svc.cluster", "5000"),
            ("shared.victim", "5000"),
            ("shared.victim", "05000"),
            ("shared-0.shared.victim", "5000"),
            ("shared-12.shared.victim", ""),
            ("registry.tcp.shared.victim.svc", "5000"),
            ("_registry._tcp.shared.victim.svc.cluster.local", "5000"),
            ("registry.tcp.shared.victim", "5000"),
            ("a.b.shared.victim.svc", "5000"),
        ] {
            for domain in [None, Some("cluster.local")] {
                assert_eq!(names(host, port, domain), ["victim/shared"], "{host} and {domain:?}");
            }
        }
        assert_eq!(names("shared.victim.svc.corp.example", "", None), ["victim/shared"]);
        assert_eq!(names("svc.svc.svc.svc", "", None), ["svc/svc", "svc/svc"]);
    }

    #[test]
    fn other_hosts_are_no_services() {
        for (host, port) in [
            ("ghcr.io", ""),
            ("registry.example.org", "5000"),
            ("localhost", "5000"),
            ("10.0.0.1", "5000"),
            ("[fd00::1]", "5000"),
            ("a.b.c.d.e.svc", "5000"),
            ("a.b.c.d", "5000"),
            ("svc", "5000"),
            ("svc.example.org", ""),
            ("a.svc.example.org", ""),
            ("shared-x.shared.victim", "5000"),
            ("shared.victim.svc.example.org", "5000"),
        ] {
            assert_eq!(names(host, port, Some("cluster.local")), Vec::<String>::new(), "{host}");
        }
    }
}
