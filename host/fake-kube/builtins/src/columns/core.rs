//! Namespaces, nodes, configuration and other small kinds.

use serde_json::Value;

use super::format::{NONE, condition, joined, or_none, scalar};
use super::{AGE, NAME, Table, boolean, integer, text};
use crate::json::Fields;

pub(super) const NAMESPACES: Table = Table {
    columns: &[NAME, text("Status", "The status of the namespace"), AGE],
    cells: |row| vec![row.name(), row.status.text("phase").into(), row.age()],
};

fn size(object: &Value, fields: &[&str]) -> Value {
    fields.iter().map(|field| object.entries(field).count()).sum::<usize>().into()
}

pub(super) const CONFIG_MAPS: Table = Table {
    columns: &[NAME, integer("Data", "Data contains the configuration data."), AGE],
    cells: |row| vec![row.name(), size(row.object, &["data", "binaryData"]), row.age()],
};

pub(super) const SECRETS: Table = Table {
    columns: &[
        NAME,
        text("Type", "Used to facilitate programmatic handling of secret data."),
        integer("Data", "Data contains the secret data."),
        AGE,
    ],
    cells: |row| vec![row.name(), row.object.text("type").into(), size(row.object, &["data"]), row.age()],
};

pub(super) const SERVICE_ACCOUNTS: Table = Table {
    columns: &[NAME, integer("Secrets", "Secrets that pods running using this ServiceAccount may use."), AGE],
    cells: |row| vec![row.name(), row.object.list("secrets").len().into(), row.age()],
};

pub(super) const LEASES: Table = Table {
    columns: &[
        NAME,
        text("Holder", "holderIdentity contains the identity of the holder of a current lease."),
        AGE,
    ],
    cells: |row| vec![row.name(), row.spec.text("holderIdentity").into(), row.age()],
};

pub(super) const PRIORITY_CLASSES: Table = Table {
    columns: &[
        NAME,
        integer("Value", "Value represents the integer value of this priority class."),
        boolean(
            "Global-Default",
            "Whether this is the default priority for pods without any priority class.",
        ),
        AGE,
        text("PreemptionPolicy", "PreemptionPolicy is the policy for preempting pods with lower priority."),
    ],
    cells: |row| {
        vec![
            row.name(),
            row.object.integer("value").unwrap_or(0).into(),
            row.object.flag("globalDefault").into(),
            row.age(),
            row.object.text("preemptionPolicy").into(),
        ]
    },
};

pub(super) const QUOTAS: Table = Table {
    columns: &[
        NAME,
        text("Request", "Request represents a minimum amount of cpu/memory that a container may consume."),
        text("Limit", "Limits control the maximum amount of cpu/memory that a container may use."),
        AGE,
    ],
    cells: |row| {
        let (mut requests, mut limits) = (Vec::new(), Vec::new());
        for (name, hard) in row.status.entries("hard") {
            let used = row.status.at("used").at(name);
            let used = if used.is_null() { "0".to_owned() } else { scalar(used) };
            let shown = format!("{name}: {used}/{}", scalar(hard));
            if name.starts_with("limits") { limits.push(shown) } else { requests.push(shown) }
        }
        vec![row.name(), requests.join(", ").into(), limits.join(", ").into(), row.age()]
    },
};

pub(super) const NODES: Table = Table {
    columns: &[
        NAME,
        text("Status", "The status of the node"),
        text("Roles", "The roles of the node"),
        AGE,
        text("Version", "Kubelet Version reported by the node."),
        text("Internal-IP", "List of addresses reachable to the node.").wide(),
        text("External-IP", "List of addresses reachable to the node.").wide(),
        text("OS-Image", "OS Image reported by the node from /etc/os-release.").wide(),
        text("Kernel-Version", "Kernel Version reported by the node.").wide(),
        text("Container-Runtime", "ContainerRuntime Version reported by the node.").wide(),
    ],
    cells: |row| {
        let info = row.status.at("nodeInfo");
        let address = |kind: &str| {
            let addresses = row.status.list("addresses").iter();
            addresses
                .clone()
                .find(|address| address.text("type") == kind)
                .map_or(NONE, |found| found.text("address"))
        };
        let unknown = |field| match info.text(field) {
            "" => Value::from("<unknown>"),
            known => known.into(),
        };
        vec![
            row.name(),
            node_status(row.spec, row.status).into(),
            node_roles(row.object.at("metadata")).into(),
            row.age(),
            info.text("kubeletVersion").into(),
            address("InternalIP").into(),
            address("ExternalIP").into(),
            unknown("osImage"),
            unknown("kernelVersion"),
            unknown("containerRuntimeVersion"),
        ]
    },
};

fn node_status(spec: &Value, status: &Value) -> String {
    let known = status.list("conditions").iter().any(|condition| condition.text("type") == "Ready");
    let ready = match (known, condition(status, "Ready")) {
        (false, _) => "Unknown",
        (true, true) => "Ready",
        (true, false) => "NotReady",
    };
    if spec.flag("unschedulable") { format!("{ready},SchedulingDisabled") } else { ready.to_owned() }
}

fn node_roles(metadata: &Value) -> String {
    let roles = metadata.entries("labels").filter_map(|(label, value)| match label {
        "kubernetes.io/role" => value.as_str(),
        _ => label.strip_prefix("node-role.kubernetes.io/"),
    });
    or_none(&joined(roles.filter(|role| !role.is_empty())))
}
