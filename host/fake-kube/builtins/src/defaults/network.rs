//! Defaults of network policies, ingress classes and endpoint slices.

use serde_json::{Value, json};

use super::set_default_list;
use crate::json::{Fields, ensure, existing, items, set_default};

/// The directions of a policy, and the protocols of its ports.
pub(super) fn policy(object: &mut Value) {
    let Some(spec) = ensure(object, "spec") else { return };
    let egress = !spec.list("egress").is_empty();
    let types = if egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
    set_default_list(spec, "policyTypes", types);
    set_default(spec, "podSelector", json!({}));
    for direction in ["ingress", "egress"] {
        for rule in items(spec, direction) {
            for port in items(rule, "ports") {
                set_default(port, "protocol", "TCP");
            }
        }
    }
}

/// The scope of the parameters.
pub(super) fn ingress_class(object: &mut Value) {
    if let Some(parameters) = existing(object, &["spec", "parameters"]) {
        set_default(parameters, "scope", "Cluster");
    }
}

/// Names and protocols of the ports.
pub(super) fn endpoint_slice(object: &mut Value) {
    for port in items(object, "ports") {
        set_default(port, "name", "");
        set_default(port, "protocol", "TCP");
    }
}
