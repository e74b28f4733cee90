//! Probes and lifecycle hooks of containers.

use fake_kube_apimachinery::status::Cause;
use serde_json::Value;

use super::causes::{invalid, unsupported};
use super::names;
use super::numbers::not_negative;
use crate::json::Fields;

/// Validates the probes and hooks of a container.
pub(super) fn container(container: &Value, path: &str, causes: &mut Vec<Cause>) {
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let probe = container.at(name);
        if probe.is_null() {
            continue;
        }
        let path = format!("{path}.{name}");
        handler(probe, &path, &["exec", "grpc", "httpGet", "tcpSocket"], causes);
        for field in
            ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"]
        {
            not_negative(probe, field, &path, causes);
        }
        if name != "readinessProbe"
            && probe.has("successThreshold")
            && probe.integer("successThreshold") != Some(1)
        {
            causes.push(Cause::invalid(
                format!("{path}.successThreshold"),
                probe.at("successThreshold"),
                "must be 1",
            ));
        }
    }
    for hook in ["postStart", "preStop"] {
        let hook_handler = container.at("lifecycle").at(hook);
        if !hook_handler.is_null() {
            let path = format!("{path}.lifecycle.{hook}");
            handler(hook_handler, &path, &["exec", "httpGet", "sleep", "tcpSocket"], causes);
        }
    }
}

fn handler(owner: &Value, path: &str, kinds: &[&str], causes: &mut Vec<Cause>) {
    let mut given = kinds.iter().filter(|kind| owner.has(kind));
    let Some(kind) = given.next() else {
        causes.push(Cause::required(path, "must specify a handler type"));
        return;
    };
    causes.extend(given.map(|other| {
        Cause::forbidden(format!("{path}.{other}"), "may not specify more than 1 handler type")
    }));
    let given = owner.at(kind);
    let path = format!("{path}.{kind}");
    match *kind {
        "exec" if given.list("command").is_empty() => {
            causes.push(Cause::required(format!("{path}.command"), ""))
        }
        "httpGet" => {
            if given.text("path").is_empty() {
                causes.push(Cause::required(format!("{path}.path"), ""));
            }
            port(given, &path, causes);
            if !matches!(given.text("scheme"), "HTTP" | "HTTPS") {
                causes.push(unsupported(format!("{path}.scheme"), given.text("scheme"), &["HTTP", "HTTPS"]));
            }
        }
        "tcpSocket" | "grpc" => port(given, &path, causes),
        _ => {}
    }
}

/// The field `port`, by number or by name.
pub(super) fn port(owner: &Value, path: &str, causes: &mut Vec<Cause>) {
    port_value(owner.at("port"), format!("{path}.port"), causes);
}

/// A port by number or by name.
pub(super) fn port_value(port: &Value, field: String, causes: &mut Vec<Cause>) {
    match port {
        Value::String(name) => {
            causes.extend(names::port_name(name).iter().map(|wrong| invalid(field.clone(), name, wrong)));
        }
        other => {
            let number = other.as_i64().unwrap_or(0);
            causes
                .extend(names::port_number(number).map(|wrong| Cause::invalid(field, &number.into(), wrong)));
        }
    }
}
