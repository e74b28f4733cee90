//! Who may reach the registry, and how: accounts, secrets, TLS, the Service and the NetworkPolicy.

use super::line::{Line, line, shared};
use serde_json::json;

pub(super) fn lines() -> Vec<Line> {
    vec![
        line("auth.htpasswdSecret", json!({"auth": {}}), json!({"auth": {"htpasswdSecret": "mysecret"}})),
        line("auth.htpasswdSecret", json!({}), json!({"auth": {"htpasswdSecret": "mysecret"}})),
        line(
            "auth.credentialsSecret",
            json!({"auth": {"htpasswdSecret": "mysecret"}}),
            json!({"auth": {"htpasswdSecret": "mysecret", "credentialsSecret": "mysecret"}}),
        ),
        line(
            "auth.credentialsSecret",
            json!({"auth": {}, "retention": {"keepTags": 5}, "export": {"destination": "ghcr.io/lab"}}),
            json!({
                "auth": {"htpasswdSecret": "mysecret", "credentialsSecret": "mysecret"},
                "retention": {"keepTags": 5}, "export": {"destination": "ghcr.io/lab"},
            }),
        ),
        line("auth.rotateAfter", json!({"auth": {}}), json!({"auth": {"rotateAfter": "90d"}})),
        line("networkPolicy.enabled", json!({}), json!({"networkPolicy": {"enabled": false}})),
        line(
            "networkPolicy.allowedNamespaces",
            json!({}),
            json!({"networkPolicy": {"allowedNamespaces": ["team"]}}),
        ),
        line("secret", json!({}), json!({"secret": "mysecret"})),
        line("secrets.orasEnv", json!({}), json!({"secrets": {"orasEnv": "mysecret"}})),
        line(
            "secrets.orasEnvRegistry",
            json!({"secrets": {"orasEnv": "mysecret"}}),
            json!({"secrets": {"orasEnv": "mysecret", "orasEnvRegistry": "ghcr.io"}}),
        ),
        line("secrets.registryHttp", json!({}), json!({"secrets": {"registryHttp": "literal"}})),
        line("service.type", json!({}), json!({"service": {"type": "NodePort"}})),
        line(
            "service.type",
            json!({"service": {"type": "NodePort", "nodePort": 30500}}),
            json!({"service": {"type": "ClusterIP"}}),
        ),
        line(
            "service.type",
            json!({"storage": shared(), "replicas": 2, "service": {"type": "LoadBalancer", "sourceRanges": ["192.0.2.0/24"]}}),
            json!({"storage": shared(), "replicas": 2}),
        ),
        line("service.port", json!({"service": {}}), json!({"service": {"port": 80}})),
        line(
            "service.nodePort",
            json!({"service": {"type": "NodePort"}}),
            json!({"service": {"type": "NodePort", "nodePort": 30500}}),
        ),
        line(
            "service.sourceRanges",
            json!({"service": {"type": "LoadBalancer"}}),
            json!({"service": {"type": "LoadBalancer", "sourceRanges": ["192.0.2.0/24", "2001:db8::/32"]}}),
        ),
        line(
            "service.annotations",
            json!({"service": {"annotations": {"a": "1", "b": "2"}}}),
            json!({"service": {"annotations": {"b": "3"}}}),
        ),
        line(
            "tls.secretName",
            json!({"seed": {"artifacts": [{"source": "ghcr.io/lab/words:1"}]}}),
            json!({"seed": {"artifacts": [{"source": "ghcr.io/lab/words:1"}]}, "tls": {"secretName": "mysecret"}}),
        ),
        line("tls.secretName", json!({"tls": {}}), json!({"tls": {"secretName": "mysecret"}})),
        line("tls.secretName", json!({}), json!({"tls": {"secretName": "mysecret"}})),
        line("tls.issuerRef.name", json!({"tls": {}}), json!({"tls": {"issuerRef": {"name": "lab"}}})),
        line(
            "tls.issuerRef.name",
            json!({"tls": {"secretName": "mysecret"}}),
            json!({"tls": {"issuerRef": {"name": "lab"}}}),
        ),
        line(
            "tls.issuerRef.kind",
            json!({"tls": {"issuerRef": {"name": "lab"}}}),
            json!({"tls": {"issuerRef": {"name": "lab", "kind": "ClusterIssuer"}}}),
        ),
        line(
            "tls.issuerRef.group",
            json!({"tls": {"issuerRef": {"name": "lab"}}}),
            json!({"tls": {"issuerRef": {"name": "lab", "group": "awspca.cert-manager.io"}}}),
        ),
        line(
            "tls.ca",
            json!({"tls": {"secretName": "mysecret"}}),
            json!({"tls": {"secretName": "mysecret", "ca": "system"}}),
        ),
    ]
}
