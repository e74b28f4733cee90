//! Who may talk to the operator, and whom it talks to.

use crate::names::{HTTP_PORT_NAME, OPERATOR, WEBHOOK_PORT_NAME, metadata, pod_selector};
use crate::settings::Settings;
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Ports on which API servers listen. Policies see the port behind the Service `kubernetes`, which is the server's own.
const API_SERVER_PORTS: [i32; 2] = [443, 6443];
/// Port of DNS (RFC 1035), over UDP and TCP.
const DNS_PORT: i32 = 53;

/// Reviews and metrics in; DNS and the API server out. Addresses are left open: the API server has none that is
/// known beforehand, and usually lies outside the pod network.
pub fn policy(settings: &Settings) -> NetworkPolicy {
    let ingress = NetworkPolicyIngressRule {
        ports: Some(
            [WEBHOOK_PORT_NAME, HTTP_PORT_NAME]
                .map(|name| port("TCP", IntOrString::String(name.to_owned())))
                .to_vec(),
        ),
        ..NetworkPolicyIngressRule::default()
    };
    let dns = ["UDP", "TCP"].map(|protocol| port(protocol, IntOrString::Int(DNS_PORT))).to_vec();
    let api = API_SERVER_PORTS.map(|number| port("TCP", IntOrString::Int(number))).to_vec();
    let egress = [dns, api]
        .map(|ports| NetworkPolicyEgressRule { ports: Some(ports), ..NetworkPolicyEgressRule::default() });
    NetworkPolicy {
        metadata: metadata(OPERATOR, Some(&settings.namespace)),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(pod_selector()),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: Some(vec![ingress]),
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
