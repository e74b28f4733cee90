//! The NetworkPolicy of the operator's pods.

use crate::names::{HTTP_PORT_NAME, OPERATOR, WEBHOOK_PORT_NAME, metadata, pod_selector};
use crate::options::ManifestOptions;
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Ports on which API servers listen. A policy sees the port behind the Service `kubernetes`, which
/// is the API server's own.
const API_SERVER_PORTS: [i32; 2] = [443, 6443];
/// Port of DNS (RFC 1035), over UDP and TCP.
const DNS_PORT: i32 = 53;

/// Admits connections to the webhook port (from [`ManifestOptions::webhook_from`], if given) and to
/// the metrics port; admits connections from the pods to DNS and to the API server. The API
/// server's address is left open, since it is not known beforehand and usually outside of the pod
/// network.
pub fn policy(options: &ManifestOptions) -> NetworkPolicy {
    let named = |name: &str| port("TCP", IntOrString::String(name.to_owned()));
    let ingress = if options.webhook_from.is_empty() {
        vec![NetworkPolicyIngressRule {
            ports: Some(vec![named(WEBHOOK_PORT_NAME), named(HTTP_PORT_NAME)]),
            ..NetworkPolicyIngressRule::default()
        }]
    } else {
        let webhook = NetworkPolicyIngressRule {
            from: Some(options.webhook_from.clone()),
            ports: Some(vec![named(WEBHOOK_PORT_NAME)]),
        };
        let metrics = NetworkPolicyIngressRule {
            ports: Some(vec![named(HTTP_PORT_NAME)]),
            ..NetworkPolicyIngressRule::default()
        };
        vec![webhook, metrics]
    };
    let dns = ["UDP", "TCP"].map(|protocol| port(protocol, IntOrString::Int(DNS_PORT))).to_vec();
    let api = API_SERVER_PORTS.map(|number| port("TCP", IntOrString::Int(number))).to_vec();
    let egress = [dns, api]
        .map(|ports| NetworkPolicyEgressRule { ports: Some(ports), ..NetworkPolicyEgressRule::default() });
    NetworkPolicy {
        metadata: metadata(OPERATOR, Some(&options.namespace)),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(pod_selector()),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: Some(ingress),
            egress: Some(egress.to_vec()),
        }),
    }
}

fn port(protocol: &str, number: IntOrString) -> NetworkPolicyPort {
    NetworkPolicyPort {
        protocol: Some(protocol.to_owned()),
        port: Some(number),
        ..NetworkPolicyPort::default()
    }
}

#[cfg(test)]
mod tests {
    use super::policy;
    use crate::options::ManifestOptions;
    use crate::peers::parse_peer;
    use serde_json::{Value, json};

    fn ingress(options: &ManifestOptions) -> Value {
        serde_json::to_value(policy(options)).unwrap()["spec"]["ingress"].clone()
    }

    #[test]
    fn everybody_may_connect_unless_peers_are_given() {
        let ports = json!([
            {"port": "webhook", "protocol": "TCP"},
            {"port": "http", "protocol": "TCP"},
        ]);
        assert_eq!(ingress(&ManifestOptions::default()), json!([{"ports": ports}]));
    }

    #[test]
    fn peers_bound_the_webhook_port_alone() {
        let peers = ["10.0.0.0/24", "fd00::/8", "kube-system", "kube-system/a=b,c.d/e=f"];
        let webhook_from = peers.map(|peer| parse_peer(peer).unwrap()).to_vec();
        let options = ManifestOptions { webhook_from, ..ManifestOptions::default() };
        options.check().unwrap();
        let namespace = json!({"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}});
        let pods = json!({"matchLabels": {"a": "b", "c.d/e": "f"}});
        let from = json!([
            {"ipBlock": {"cidr": "10.0.0.0/24"}},
            {"ipBlock": {"cidr": "fd00::/8"}},
            {"namespaceSelector": namespace},
            {"namespaceSelector": namespace, "podSelector": pods},
        ]);
        let expected = json!([
            {"from": from, "ports": [{"port": "webhook", "protocol": "TCP"}]},
            {"ports": [{"port": "http", "protocol": "TCP"}]},
        ]);
        assert_eq!(ingress(&options), expected);
    }
}
