//! Defaults of services, endpoints, namespaces and limit ranges.

use serde_json::{Value, json};

use crate::json::{Fields, ensure, items, set, set_default, set_default_text};

/// core/v1 `LabelMetadataName`: the label by which namespace selectors select a namespace by its
/// name.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

pub(super) fn service(object: &mut Value) {
    let Some(spec) = ensure(object, "spec") else { return };
    set_default_text(spec, "sessionAffinity", "None");
    match spec.text("sessionAffinity") {
        "ClientIP" => {
            if let Some(client) =
                ensure(spec, "sessionAffinityConfig").and_then(|config| ensure(config, "clientIP"))
            {
                set_default(client, "timeoutSeconds", 10800);
            }
        }
        _ => crate::json::remove(spec, "sessionAffinityConfig"),
    }
    set_default_text(spec, "type", "ClusterIP");
    for port in items(spec, "ports") {
        set_default_text(port, "protocol", "TCP");
        let target = port.at("targetPort");
        if target.is_null() || target == &json!(0) || target == &json!("") {
            let number = port.at("port").clone();
            set(port, "targetPort", number);
        }
    }
    let kind = spec.text("type").to_owned();
    let external = matches!(kind.as_str(), "NodePort" | "LoadBalancer")
        || (kind == "ClusterIP" && !spec.list("externalIPs").is_empty());
    if external {
        set_default_text(spec, "externalTrafficPolicy", "Cluster");
    }
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer" | "ClusterIP") {
        set_default(spec, "internalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        set_default(spec, "allocateLoadBalancerNodePorts", true);
    }
}

pub(super) fn endpoints(object: &mut Value) {
    for subset in items(object, "subsets") {
        for port in items(subset, "ports") {
            set_default_text(port, "protocol", "TCP");
        }
    }
}

pub(super) fn namespace(object: &mut Value) {
    let name = object.at("metadata").text("name").to_owned();
    if name.is_empty() {
        return;
    }
    if let Some(labels) = ensure(object, "metadata").and_then(|metadata| ensure(metadata, "labels")) {
        set(labels, NAMESPACE_NAME, name);
    }
}

/// For containers, the maximum is the default limit, and the default limit, or else the minimum, is
/// the default request.
pub(super) fn limit_range(object: &mut Value) {
    let Some(spec) = ensure(object, "spec") else { return };
    for limit in items(spec, "limits").filter(|limit| limit.text("type") == "Container") {
        for (from, to) in [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")] {
            let Some(values) = limit.at(from).as_object().cloned().filter(|values| !values.is_empty()) else {
                continue;
            };
            if let Some(target) = ensure(limit, to) {
                for (name, quantity) in values {
                    set_default(target, &name, quantity);
                }
            }
        }
    }
}
