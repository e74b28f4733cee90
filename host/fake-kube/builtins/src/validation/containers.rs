//! The containers of pods.

use fake_kube_apimachinery::status::Cause;
use serde_json::Value;

use super::causes::{duplicate, invalid, not_found, unsupported};
use super::{names, probes, resources, volumes};
use crate::json::Fields;

const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
const SOURCES: [&str; 5] = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"];
const ID_LIMIT: i64 = 4_294_967_295;

/// Validates the init containers and containers of a pod spec.
pub(super) fn all(spec: &Value, path: &str, causes: &mut Vec<Cause>) {
    if spec.list("containers").is_empty() {
        causes.push(Cause::required(format!("{path}.containers"), ""));
    }
    let volumes: Vec<&str> = spec.list("volumes").iter().map(|volume| volume.text("name")).collect();
    let mut seen = Vec::new();
    for list in ["containers", "initContainers"] {
        for (index, container) in spec.list(list).iter().enumerate() {
            let path = format!("{path}.{list}[{index}]");
            name(container, &seen, &path, causes);
            seen.push(container.text("name"));
            self::container(container, &volumes, &path, causes);
            if list == "initContainers" && container.text("restartPolicy") != "Always" {
                for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
                    if container.has(field) {
                        let sentence = "may not be set for init containers without restartPolicy=Always";
                        causes.push(Cause::forbidden(format!("{path}.{field}"), sentence));
                    }
                }
            }
        }
    }
}

pub(super) fn name(container: &Value, seen: &[&str], path: &str, causes: &mut Vec<Cause>) {
    let name = container.text("name");
    let field = || format!("{path}.name");
    if name.is_empty() {
        causes.push(Cause::required(field(), ""));
    } else {
        causes.extend(names::dns_label(name).iter().map(|wrong| invalid(field(), name, wrong)));
        if seen.contains(&name) {
            causes.push(duplicate(field(), container.at("name")));
        }
    }
}

pub(super) fn container(container: &Value, volumes: &[&str], path: &str, causes: &mut Vec<Cause>) {
    let image = container.text("image");
    if image.is_empty() {
        causes.push(Cause::required(format!("{path}.image"), ""));
    } else if image.trim() != image {
        causes.push(invalid(format!("{path}.image"), image, "must not have leading or trailing whitespace"));
    }
    let enums: [(&str, &[&str]); 2] = [
        ("terminationMessagePolicy", &["FallbackToLogsOnError", "File"]),
        ("imagePullPolicy", &["Always", "IfNotPresent", "Never"]),
    ];
    for (field, allowed) in enums {
        let value = container.text(field);
        if !value.is_empty() && !allowed.contains(&value) {
            causes.push(unsupported(format!("{path}.{field}"), value, allowed));
        }
    }
    ports(container, path, causes);
    environment(container, path, causes);
    mounts(container, volumes, path, causes);
    resources::requirements(container.at("resources"), &format!("{path}.resources"), causes);
    probes::container(container, path, causes);
    security(container.at("securityContext"), &format!("{path}.securityContext"), causes);
}

fn ports(container: &Value, path: &str, causes: &mut Vec<Cause>) {
    let mut seen = Vec::new();
    for (index, port) in container.list("ports").iter().enumerate() {
        let path = format!("{path}.ports[{index}]");
        let name = port.text("name");
        if !name.is_empty() {
            let wrong = names::port_name(name);
            causes.extend(wrong.iter().map(|wrong| invalid(format!("{path}.name"), name, wrong)));
            if wrong.is_empty() && seen.contains(&name) {
                causes.push(duplicate(format!("{path}.name"), port.at("name")));
            }
            seen.push(name);
        }
        let number = |field: &str| port.integer(field).unwrap_or(0);
        let wrong = |field: &str| {
            let wrong = names::port_number(number(field))?;
            Some(Cause::invalid(format!("{path}.{field}"), port.at(field), wrong))
        };
        if number("containerPort") == 0 {
            causes.push(Cause::required(format!("{path}.containerPort"), ""));
        } else {
            causes.extend(wrong("containerPort"));
        }
        if number("hostPort") != 0 {
            causes.extend(wrong("hostPort"));
        }
        protocol(port, &path, causes);
    }
}

/// The protocol of a port.
pub(super) fn protocol(port: &Value, path: &str, causes: &mut Vec<Cause>) {
    match port.text("protocol") {
        "" => causes.push(Cause::required(format!("{path}.protocol"), "")),
        known if PROTOCOLS.contains(&known) => {}
        other => causes.push(unsupported(format!("{path}.protocol"), other, &PROTOCOLS)),
    }
}

fn environment(container: &Value, path: &str, causes: &mut Vec<Cause>) {
    for (index, variable) in container.list("env").iter().enumerate() {
        let path = format!("{path}.env[{index}]");
        let name = variable.text("name");
        if name.is_empty() {
            causes.push(Cause::required(format!("{path}.name"), ""));
        } else {
            let wrong = names::variable_name(name);
            causes.extend(wrong.iter().map(|wrong| invalid(format!("{path}.name"), name, wrong)));
        }
        if variable.has("valueFrom") {
            value_source(variable, &format!("{path}.valueFrom"), causes);
        }
    }
    for (index, source) in container.list("envFrom").iter().enumerate() {
        let path = format!("{path}.envFrom[{index}]");
        match ["configMapRef", "secretRef"].map(|kind| source.has(kind)) {
            [false, false] => {
                causes.push(invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"));
            }
            [true, true] => {
                causes.push(invalid(path, "", "may not have more than one field specified at a time"));
            }
            [true, false] => required_name(source, "configMapRef", &path, causes),
            [false, true] => required_name(source, "secretRef", &path, causes),
        }
    }
}

fn required_name(source: &Value, kind: &str, path: &str, causes: &mut Vec<Cause>) {
    if source.at(kind).text("name").is_empty() {
        causes.push(Cause::required(format!("{path}.{kind}.name"), ""));
    }
}

fn value_source(variable: &Value, path: &str, causes: &mut Vec<Cause>) {
    let source = variable.at("valueFrom");
    let given: Vec<&str> = SOURCES.into_iter().filter(|kind| source.has(kind)).collect();
    if !variable.text("value").is_empty() {
        causes.push(invalid(path.to_owned(), "", "may not be specified when `value` is not empty"));
    } else if given.len() > 1 {
        causes.push(invalid(path.to_owned(), "", "may not have more than one field specified at a time"));
    } else if given.is_empty() {
        let all = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`";
        causes.push(invalid(path.to_owned(), "", all));
    }
    for kind in given {
        let reference = source.at(kind);
        let path = format!("{path}.{kind}");
        match kind {
            "configMapKeyRef" | "secretKeyRef" => {
                required_name(source, kind, path.trim_end_matches(&format!(".{kind}")), causes);
                let key = reference.text("key");
                if key.is_empty() {
                    causes.push(Cause::required(format!("{path}.key"), ""));
                } else {
                    let wrong = names::config_key(key);
                    causes.extend(wrong.iter().map(|wrong| invalid(format!("{path}.key"), key, wrong)));
                }
            }
            "fieldRef" if reference.text("fieldPath").is_empty() => {
                causes.push(Cause::required(format!("{path}.fieldPath"), ""));
            }
            "resourceFieldRef" if reference.text("resource").is_empty() => {
                causes.push(Cause::required(format!("{path}.resource"), ""));
            }
            _ => {}
        }
    }
}

fn mounts(container: &Value, volumes: &[&str], path: &str, causes: &mut Vec<Cause>) {
    let mut seen = Vec::new();
    for (index, mount) in container.list("volumeMounts").iter().enumerate() {
        let path = format!("{path}.volumeMounts[{index}]");
        let (name, mount_path) = (mount.text("name"), mount.text("mountPath"));
        if name.is_empty() {
            causes.push(Cause::required(format!("{path}.name"), ""));
        } else if !volumes.contains(&name) {
            causes.push(not_found(format!("{path}.name"), name));
        }
        if mount_path.is_empty() {
            causes.push(Cause::required(format!("{path}.mountPath"), ""));
        }
        if seen.contains(&mount_path) {
            causes.push(invalid(format!("{path}.mountPath"), mount_path, "must be unique"));
        }
        seen.push(mount_path);
        volumes::relative(mount.text("subPath"), &format!("{path}.subPath"), causes);
    }
}

/// Validates the user and group ids of a security context, of a container or a pod.
pub(super) fn security(context: &Value, path: &str, causes: &mut Vec<Cause>) {
    for field in ["runAsUser", "runAsGroup", "fsGroup"] {
        if let Some(id) = context.integer(field).filter(|id| !(0..=ID_LIMIT).contains(id)) {
            let sentence = format!("must be between 0 and {ID_LIMIT}, inclusive");
            causes.push(Cause::invalid(format!("{path}.{field}"), &id.into(), &sentence));
        }
    }
    let escalation = context.at("allowPrivilegeEscalation");
    if escalation == &Value::Bool(false) && context.flag("privileged") {
        let sentence = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
        causes.push(Cause::invalid(path, context, sentence));
    }
}
