//! Warns of who reaches the registry of a cache, and who does not.

use crate::findings::Findings;
use crate::primary::Spec;

pub(crate) fn warn(spec: &Spec<'_>, findings: &mut Findings) {
    if !spec.deploy() {
        return;
    }
    let has_policy = spec.network_policy.is_enabled();
    if let Some(service) = spec.service.as_ref().filter(|service| service.is_external()) {
        if service.source_ranges.is_empty() && has_policy {
            findings.warn("spec.service.sourceRanges names no network, so that the NetworkPolicy admits nobody from outside of the cluster: name the networks of the clients".to_owned());
        } else if service.source_ranges.is_empty() {
            findings.warn(format!(
                "spec.service.type is {}, and no NetworkPolicy says who reaches the registry: whoever reaches a node of the cluster can read and overwrite its artifacts",
                service.kind()
            ));
        }
    }
    if let Some(metrics) = &spec.metrics
        && metrics.allowed_namespaces.is_empty()
        && has_policy
    {
        findings.warn("spec.metrics.allowedNamespaces names no namespace, so that the NetworkPolicy keeps everybody from the metrics port: name the namespace of Prometheus".to_owned());
    }
}
