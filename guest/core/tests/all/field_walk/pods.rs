//! The registry pods: what they run, how many there are, and where.

use super::line::{Line, line, shared};
use serde_json::json;

pub(super) fn lines() -> Vec<Line> {
    vec![
        line(
            "affinity",
            json!({}),
            json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}]}}}}),
        ),
        line("deploy", json!({}), json!({"deploy": false})),
        line("deploy", json!({"storage": shared()}), json!({"storage": shared(), "deploy": false})),
        line("env", json!({}), json!({"env": [{"name": "REGISTRY_LOG_LEVEL", "value": "debug"}]})),
        line(
            "env",
            json!({"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}),
            json!({"env": [{"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}),
        ),
        line("image", json!({}), json!({"image": "registry:3"})),
        line("image", json!({"tls": {}, "auth": {}}), json!({"tls": {}, "auth": {}, "image": "zot:2"})),
        line("imagePullPolicy", json!({}), json!({"imagePullPolicy": "Always"})),
        line("imagePullSecrets", json!({}), json!({"imagePullSecrets": [{"name": "pull"}]})),
        line("metrics.enabled", json!({}), json!({"metrics": {"enabled": true}})),
        line(
            "metrics.enabled",
            json!({"metrics": {"enabled": true, "serviceMonitor": {}}}),
            json!({"metrics": {"enabled": false, "serviceMonitor": {}}}),
        ),
        line(
            "metrics.allowedNamespaces",
            json!({"metrics": {}}),
            json!({"metrics": {"allowedNamespaces": ["monitoring"]}}),
        ),
        line(
            "metrics.serviceMonitor.interval",
            json!({"metrics": {}}),
            json!({"metrics": {"serviceMonitor": {"interval": "30s"}}}),
        ),
        line(
            "metrics.serviceMonitor.labels",
            json!({"metrics": {"serviceMonitor": {"labels": {"team": "a"}}}}),
            json!({"metrics": {"serviceMonitor": {"labels": {"release": "prometheus"}}}}),
        ),
        line("nodeSelector", json!({}), json!({"nodeSelector": {"disk": "ssd"}})),
        line("podAnnotations", json!({}), json!({"podAnnotations": {"example.org/a": "b"}})),
        line("podLabels", json!({}), json!({"podLabels": {"team": "a"}})),
        line("priorityClassName", json!({}), json!({"priorityClassName": "high"})),
        line("progressDeadlineSeconds", json!({}), json!({"progressDeadlineSeconds": 60})),
        line("replicas", json!({"storage": shared()}), json!({"storage": shared(), "replicas": 3})),
        line("replicas", json!({"storage": shared()}), json!({"storage": shared(), "replicas": 0})),
        line("replicas", json!({}), json!({"replicas": 0})),
        line("resources", json!({}), json!({"resources": {"limits": {"memory": "1Gi"}}})),
        line("serviceAccountName", json!({}), json!({"serviceAccountName": "cloud"})),
        line("suspend", json!({}), json!({"suspend": true})),
        line("tolerations", json!({}), json!({"tolerations": [{"operator": "Exists"}]})),
        line(
            "topologySpreadConstraints",
            json!({"storage": shared(), "replicas": 2}),
            json!({"storage": shared(), "replicas": 2, "topologySpreadConstraints": [
                {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]}),
        ),
        line(
            "topologySpreadConstraints",
            json!({"storage": shared(), "replicas": 2}),
            json!({"storage": shared(), "replicas": 2, "topologySpreadConstraints": []}),
        ),
    ]
}
