//! Rules for `spec.service` and `spec.metrics`.

use super::pods;
use super::report::Report;
use crate::json::Json;
use crate::names;
use crate::primary::{Metrics, Service};
use orascache_api::sentences;

pub(super) fn service_problems(service: &Service<'_>, has_policy: bool, report: &mut Report) {
    let kind = service.kind();
    if !matches!(kind, "ClusterIP" | "NodePort" | "LoadBalancer") {
        report.quoted("spec.service.type", kind, "is none of ClusterIP, NodePort and LoadBalancer");
    }
    for (field, port) in
        [("spec.service.port", Some(service.port())), ("spec.service.nodePort", service.node_port)]
    {
        if let Some(port) = port.filter(|port| !(1..=65535).contains(port)) {
            report.add(field, format!("{port} is no port: write a number from 1 to 65535"));
        }
    }
    if !service.is_external() {
        if service.node_port.is_some() {
            report.say("spec.service.nodePort", sentences::NODE_PORT_IS_INTERNAL);
        }
        if !service.source_ranges.is_empty() {
            report.say("spec.service.sourceRanges", sentences::SOURCE_RANGES_ARE_INTERNAL);
        }
    } else if !has_policy && !service.source_ranges.is_empty() {
        // A load balancer looks at the networks, and leads to a port of nodes that anybody may reach.
        let sentence = "only a NetworkPolicy keeps other networks from a port of nodes: set spec.networkPolicy.enabled to true, or remove sourceRanges";
        report.say("spec.service.sourceRanges", sentence);
    }
    for range in service.source_ranges.iter().filter(|range| !is_network(range)) {
        report.quoted("spec.service.sourceRanges", range, "is no network: write one like 192.0.2.0/24");
    }
    for range in super::repeated(&service.source_ranges) {
        report.add("spec.service.sourceRanges", format!("{range} is there twice: keep one of them"));
    }
    match service.annotations {
        Some(Json::Object(annotations)) => {
            pods::annotation_problems("spec.service.annotations", annotations, report);
        }
        Some(other) => {
            report.add(
                "spec.service.annotations",
                format!("this must be an object, not {}", other.type_name()),
            );
        }
        None => {}
    }
}

pub(super) fn metrics_problems(metrics: &Metrics<'_>, report: &mut Report) {
    for namespace in metrics.allowed_namespaces.iter().filter(|namespace| !names::is_label(namespace)) {
        report.quoted("spec.metrics.allowedNamespaces", namespace, sentences::NAMESPACE);
    }
    let Some(monitor) = &metrics.service_monitor else { return };
    if let Some(interval) = monitor.interval.filter(|interval| !is_interval(interval)) {
        report.quoted(
            "spec.metrics.serviceMonitor.interval",
            interval,
            "is no time: write one like 30s or 1m30s",
        );
    }
    const LABELS: &str = "spec.metrics.serviceMonitor.labels";
    match monitor.labels {
        Some(Json::Object(labels)) => pods::label_problems(LABELS, labels, report),
        Some(other) => report.add(LABELS, format!("this must be an object, not {}", other.type_name())),
        None => {}
    }
}

/// Whether a text is a network in CIDR notation (RFC 4632, RFC 4291). An API server looks closer at
/// the groups of an IPv6 address.
fn is_network(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let length = length.parse::<u8>().ok().filter(|_| !length.starts_with('+'));
    if address.contains(':') {
        let is_part = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
        return length.is_some_and(|length| length <= 128) && address.bytes().all(is_part);
    }
    let is_number = |part: &str| {
        part.bytes().all(|byte| byte.is_ascii_digit())
            && part.parse::<u8>().is_ok()
            && (part.len() == 1 || !part.starts_with('0'))
    };
    length.is_some_and(|length| length <= 32)
        && address.split('.').count() == 4
        && address.split('.').all(is_number)
}

/// Whether a text is a duration of Prometheus, like `1m30s`: numbers with units, the larger ones
/// first.
fn is_interval(text: &str) -> bool {
    let mut rest = text;
    for unit in ["y", "w", "d", "h", "m", "s", "ms"] {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let Some(behind) = rest.get(digits..).filter(|_| digits > 0) else { break };
        let units = behind.bytes().take_while(u8::is_ascii_alphabetic).count();
        if behind.get(..units) == Some(unit) {
            rest = behind.get(units..).unwrap_or_default();
        }
    }
    rest.is_empty() && !text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::{is_interval, is_network};

    #[test]
    fn networks_are_told_from_other_texts() {
        for right in ["192.0.2.0/24", "0.0.0.0/0", "2001:db8::/32", "::/0", "10.0.0.1/32"] {
            assert!(is_network(right), "{right}");
        }
        for wrong in [
            "192.0.2.0",
            "192.0.2/24",
            "192.0.2.0/33",
            "256.0.0.0/8",
            "a.b.c.d/8",
            "::/129",
            "01.0.0.0/8",
            "1.2.3.4/+8",
            "/8",
            "::g/8",
        ] {
            assert!(!is_network(wrong), "{wrong}");
        }
    }

    #[test]
    fn intervals_are_those_of_prometheus() {
        for right in ["30s", "1m30s", "500ms", "1h", "1d12h", "2w"] {
            assert!(is_interval(right), "{right}");
        }
        for wrong in ["", "30", "s", "30s1m", "1.5s", "-1s", "30 s", "1x"] {
            assert!(!is_interval(wrong), "{wrong}");
        }
    }
}
