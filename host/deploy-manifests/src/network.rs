//! The NetworkPolicy of the operator's pods.

use crate::names::{HTTP_PORT_NAME, OPERATOR, WEBHOOK_PORT_NAME, metadata, pod_selector};
use crate::options::{DEFAULT_API_PORTS, ManifestOptions};
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Port of DNS (RFC 1035), over UDP and TCP.
const DNS_PORT: i32 = 53;

/// Admits connections to the webhook port (from [`ManifestOptions::webhook_from`], if given), where
/// there are webhooks, and to the metrics port; admits connections from the pods to DNS, to the API
/// server, and to [`ManifestOptions::egress_ports`]. Addresses are left open: that of the API
/// server is not known beforehand and usually outside of the pod network, and a policy knows no
/// names of hosts.
pub fn policy(options: &ManifestOptions) -> NetworkPolicy {
    let named = |name: &str| port("TCP", IntOrString::String(name.to_owned()));
    let metrics = NetworkPolicyIngressRule {
        ports: Some(vec![named(HTTP_PORT_NAME)]),
        ..NetworkPolicyIngressRule::default()
    };
    let ingress = if !options.webhooks {
        vec![metrics]
    } else if options.webhook_from.is_empty() {
        vec![NetworkPolicyIngressRule {
            ports: Some(vec![named(WEBHOOK_PORT_NAME), named(HTTP_PORT_NAME)]),
            ..NetworkPolicyIngressRule::default()
        }]
    } else {
        let webhook = NetworkPolicyIngressRule {
            from: Some(options.webhook_from.clone()),
            ports: Some(vec![named(WEBHOOK_PORT_NAME)]),
        };
        vec![webhook, metrics]
    };
    let dns = ["UDP", "TCP"].map(|protocol| port(protocol, IntOrString::Int(DNS_PORT))).to_vec();
    let api: &[u16] = if options.api_ports.is_empty() { &DEFAULT_API_PORTS } else { &options.api_ports };
    let tcp = |numbers: &[u16]| -> Vec<NetworkPolicyPort> {
        numbers.iter().map(|number| port("TCP", IntOrString::Int((*number).into()))).collect()
    };
    let mut egress = vec![dns, tcp(api)];
    if !options.egress_ports.is_empty() {
        egress.push(tcp(&options.egress_ports));
    }
    let rule = |ports| NetworkPolicyEgressRule { ports: Some(ports), ..NetworkPolicyEgressRule::default() };
    NetworkPolicy {
        metadata: metadata(OPERATOR, Some(&options.namespace)),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(pod_selector()),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: Some(ingress),
            egress: Some(egress.into_iter().map(rule).collect()),
        }),
    }
}

pub(crate) fn port(protocol: &str, number: IntOrString) -> NetworkPolicyPort {
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

    fn egress(options: &ManifestOptions) -> Value {
        serde_json::to_value(policy(options)).unwrap()["spec"]["egress"].clone()
    }

    fn tcp(ports: &[u16]) -> Value {
        json!({"ports": ports.iter().map(|port| json!({"port": port, "protocol": "TCP"})).collect::<Vec<_>>()})
    }

    #[test]
    fn pods_may_connect_to_dns_the_api_server_and_listed_ports() {
        let dns = json!({"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]});
        assert_eq!(egress(&ManifestOptions::default()), json!([dns, tcp(&[443, 6443, 8443, 16443])]));
        let options = ManifestOptions {
            api_ports: vec![7443, 17443],
            egress_ports: vec![5000],
            ..ManifestOptions::default()
        };
        assert_eq!(egress(&options), json!([dns, tcp(&[7443, 17443]), tcp(&[5000])]));
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
