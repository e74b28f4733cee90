//! Services, ingresses and network policies.

use std::net::IpAddr;

use fake_kube_apimachinery::status::Cause;
use serde_json::{Value, json};

use super::causes::{duplicate, invalid, unsupported};
use super::{containers, metadata, names, probes, selectors};
use crate::json::{Fields, is_empty};

const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];

pub(super) fn service(object: &Value, causes: &mut Vec<Cause>) {
    let spec = object.at("spec");
    let type_ = spec.text("type");
    let headless = spec.text("clusterIP") == "None";
    if spec.list("ports").is_empty() && !headless && type_ != "ExternalName" {
        causes.push(Cause::required("spec.ports", ""));
    }
    match type_ {
        "LoadBalancer" | "NodePort" if headless => {
            let kind = if type_ == "NodePort" { "NodePort" } else { "LoadBalancer" };
            let sentence = format!("may not be set to 'None' for {kind} services");
            causes.push(invalid("spec.clusterIPs[0]".to_owned(), "None", &sentence));
        }
        "ExternalName" => external_name(spec, causes),
        _ => {}
    }
    ports(spec, causes);
    metadata::labels(spec, "selector", "spec.selector", causes);
    match spec.text("sessionAffinity") {
        "" => causes.push(Cause::required("spec.sessionAffinity", "")),
        "ClientIP" | "None" => {}
        other => causes.push(unsupported("spec.sessionAffinity".to_owned(), other, &["ClientIP", "None"])),
    }
    cluster_ip(spec, causes);
    for (index, address) in spec.list("externalIPs").iter().enumerate() {
        ip(address, format!("spec.externalIPs[{index}]"), causes);
    }
    match type_ {
        "" => causes.push(Cause::required("spec.type", "")),
        known if TYPES.contains(&known) => {}
        other => causes.push(unsupported("spec.type".to_owned(), other, &TYPES)),
    }
    for (field, allowed) in [
        ("externalTrafficPolicy", ["Cluster", "Local"].as_slice()),
        ("internalTrafficPolicy", &["Cluster", "Local"]),
        ("ipFamilyPolicy", &["PreferDualStack", "RequireDualStack", "SingleStack"]),
    ] {
        let value = spec.text(field);
        if !value.is_empty() && !allowed.contains(&value) {
            causes.push(unsupported(format!("spec.{field}"), value, allowed));
        }
    }
}

fn external_name(spec: &Value, causes: &mut Vec<Cause>) {
    let name = spec.text("externalName");
    if name.is_empty() {
        causes.push(Cause::required("spec.externalName", ""));
    } else {
        let wrong = names::dns_subdomain(name.trim_end_matches('.'));
        causes.extend(wrong.iter().map(|wrong| invalid("spec.externalName".to_owned(), name, wrong)));
    }
    for field in ["clusterIP", "clusterIPs"] {
        if !is_empty(spec.at(field)) {
            let sentence = "may not be set for ExternalName services";
            causes.push(Cause::forbidden(format!("spec.{field}"), sentence));
        }
    }
}

fn ports(spec: &Value, causes: &mut Vec<Cause>) {
    let ports = spec.list("ports");
    let (mut seen_names, mut seen_ports) = (Vec::new(), Vec::new());
    for (index, port) in ports.iter().enumerate() {
        let path = format!("spec.ports[{index}]");
        let name = port.text("name");
        if name.is_empty() {
            if ports.len() > 1 {
                causes.push(Cause::required(format!("{path}.name"), ""));
            }
        } else {
            let wrong = names::dns_label(name);
            causes.extend(wrong.iter().map(|wrong| invalid(format!("{path}.name"), name, wrong)));
            if seen_names.contains(&name) {
                causes.push(duplicate(format!("{path}.name"), port.at("name")));
            }
            seen_names.push(name);
        }
        probes::port(port, &path, causes);
        containers::protocol(port, &path, causes);
        probes::port_value(port.at("targetPort"), format!("{path}.targetPort"), causes);
        let key = (port.at("port"), port.text("protocol"));
        if seen_ports.contains(&key) {
            causes.push(duplicate(path, &json!({"protocol": key.1, "port": key.0})));
        }
        seen_ports.push(key);
    }
}

fn cluster_ip(spec: &Value, causes: &mut Vec<Cause>) {
    let first = spec.at("clusterIP");
    if is_empty(first) || first == "None" {
        return;
    }
    ip(first, "spec.clusterIPs[0]".to_owned(), causes);
    if spec.list("clusterIPs").first().is_some_and(|listed| listed != first) {
        causes.push(Cause::invalid(
            "spec.clusterIPs",
            spec.at("clusterIPs"),
            "first value must match `clusterIP`",
        ));
    }
}

fn ip(address: &Value, field: String, causes: &mut Vec<Cause>) {
    if address.as_str().is_none_or(|text| text.parse::<IpAddr>().is_err()) {
        causes.push(Cause::invalid(
            field,
            address,
            "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        ));
    }
}

/// The cluster IP of a Service cannot change, unless its type changes from or to `ExternalName`.
pub(super) fn service_update(new: &Value, old: &Value, causes: &mut Vec<Cause>) {
    let (new, old) = (new.at("spec"), old.at("spec"));
    if [new, old].iter().any(|spec| spec.text("type") == "ExternalName") || is_empty(old.at("clusterIP")) {
        return;
    }
    if new.at("clusterIP") != old.at("clusterIP") {
        causes.push(Cause::invalid(
            "spec.clusterIPs[0]",
            &json!([new.at("clusterIP")]),
            "may not change once set",
        ));
    }
}

pub(super) fn ingress(object: &Value, causes: &mut Vec<Cause>) {
    let spec = object.at("spec");
    if spec.list("rules").is_empty() && !spec.has("defaultBackend") {
        let sentence = "either `defaultBackend` or `rules` must be specified";
        causes.push(Cause::invalid("spec", spec, sentence));
    }
    for (index, rule) in spec.list("rules").iter().enumerate() {
        let paths = rule.at("http").list("paths");
        if rule.has("http") && paths.is_empty() {
            causes.push(Cause::required(format!("spec.rules[{index}].http.paths"), ""));
        }
        for (at, path) in paths.iter().enumerate() {
            let field = format!("spec.rules[{index}].http.paths[{at}]");
            let allowed = ["Exact", "ImplementationSpecific", "Prefix"];
            match path.text("pathType") {
                "" => causes.push(Cause::required(format!("{field}.pathType"), "pathType must be specified")),
                known if allowed.contains(&known) => {
                    if known != "ImplementationSpecific" && !path.text("path").starts_with('/') {
                        let sentence = "must be an absolute path";
                        causes.push(invalid(format!("{field}.path"), path.text("path"), sentence));
                    }
                }
                other => causes.push(unsupported(format!("{field}.pathType"), other, &allowed)),
            }
        }
    }
}

pub(super) fn network_policy(object: &Value, causes: &mut Vec<Cause>) {
    let spec = object.at("spec");
    selectors::label_selector(spec.at("podSelector"), "spec.podSelector", causes);
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        for (index, rule) in spec.list(direction).iter().enumerate() {
            for (at, peer) in rule.list(peers).iter().enumerate() {
                let path = format!("spec.{direction}[{index}].{peers}[{at}]");
                for selector in ["podSelector", "namespaceSelector"] {
                    selectors::label_selector(peer.at(selector), &format!("{path}.{selector}"), causes);
                }
                if !["podSelector", "namespaceSelector", "ipBlock"].iter().any(|kind| peer.has(kind)) {
                    causes.push(Cause::required(path, "must specify a peer"));
                }
            }
        }
    }
    for (index, type_) in spec.list("policyTypes").iter().enumerate() {
        let type_ = type_.as_str().unwrap_or_default();
        if !matches!(type_, "Ingress" | "Egress") {
            causes.push(unsupported(format!("spec.policyTypes[{index}]"), type_, &["Egress", "Ingress"]));
        }
    }
}
