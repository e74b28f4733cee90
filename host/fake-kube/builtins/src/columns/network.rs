//! Services and what routes to them.

use serde_json::Value;

use super::format::{NONE, first_three, joined, labels, or_none, scalar, selector};
use super::{AGE, NAME, Row, Table, text};
use crate::json::Fields;

pub(super) const SERVICES: Table = Table {
    columns: &[
        NAME,
        text("Type", "type determines how the Service is exposed."),
        text("Cluster-IP", "clusterIP is the IP address of the service."),
        text(
            "External-IP",
            "externalIPs is a list of IP addresses for which nodes will also accept traffic.",
        ),
        text("Port(s)", "The list of ports that are exposed by this service."),
        AGE,
        text("Selector", "Route service traffic to pods with label keys and values matching this selector.")
            .wide(),
    ],
    cells: |row| {
        vec![
            row.name(),
            row.spec.text("type").into(),
            or_none(row.spec.text("clusterIP")).into(),
            external_address(row).into(),
            service_ports(row.spec).into(),
            row.age(),
            labels(row.spec, "selector").into(),
        ]
    },
};

fn external_address(row: &Row<'_>) -> String {
    let addresses = || row.spec.list("externalIPs").iter().filter_map(Value::as_str);
    match row.spec.text("type") {
        "ExternalName" => row.spec.text("externalName").to_owned(),
        "LoadBalancer" => {
            let mut found = balancers(row.status);
            found.extend(addresses());
            if found.is_empty() { "<pending>".to_owned() } else { found.join(",") }
        }
        _ => or_none(&joined(addresses())),
    }
}

fn balancers(status: &Value) -> Vec<&str> {
    let ingress = status.at("loadBalancer").list("ingress").iter();
    ingress
        .map(|ingress| match ingress.text("ip") {
            "" => ingress.text("hostname"),
            ip => ip,
        })
        .collect()
}

fn service_ports(spec: &Value) -> String {
    let ports: Vec<String> = spec
        .list("ports")
        .iter()
        .map(|port| {
            let node_port = port.integer("nodePort").filter(|port| *port > 0);
            let node_port = node_port.map_or(String::new(), |port| format!(":{port}"));
            format!("{}{node_port}/{}", scalar(port.at("port")), port.text("protocol"))
        })
        .collect();
    or_none(&ports.join(","))
}

pub(super) const ENDPOINTS: Table = Table {
    columns: &[NAME, text("Endpoints", "The set of all endpoints is the union of all subsets."), AGE],
    cells: |row| {
        let mut all = Vec::new();
        for subset in row.object.list("subsets") {
            let addresses = || subset.list("addresses").iter().map(|address| address.text("ip").to_owned());
            if subset.list("ports").is_empty() {
                all.extend(addresses());
            }
            for port in subset.list("ports") {
                all.extend(addresses().map(|ip| format!("{ip}:{}", scalar(port.at("port")))));
            }
        }
        vec![row.name(), first_three(&all).into(), row.age()]
    },
};

pub(super) const ENDPOINT_SLICES: Table = Table {
    columns: &[
        NAME,
        text("AddressType", "addressType specifies the type of address carried by this EndpointSlice."),
        text("Ports", "ports specifies the list of network ports exposed by each endpoint in this slice."),
        text("Endpoints", "endpoints is a list of unique endpoints in this slice."),
        AGE,
    ],
    cells: |row| {
        let ports: Vec<String> = row
            .object
            .list("ports")
            .iter()
            .map(|port| if port.has("port") { scalar(port.at("port")) } else { "*".to_owned() })
            .collect();
        let ports = if ports.is_empty() { "<unset>".to_owned() } else { first_three(&ports) };
        let endpoints: Vec<String> = row
            .object
            .list("endpoints")
            .iter()
            .flat_map(|endpoint| endpoint.list("addresses"))
            .map(scalar)
            .collect();
        let endpoints = if endpoints.is_empty() { "<unset>".to_owned() } else { first_three(&endpoints) };
        vec![row.name(), row.object.text("addressType").into(), ports.into(), endpoints.into(), row.age()]
    },
};

pub(super) const INGRESSES: Table = Table {
    columns: &[
        NAME,
        text(
            "Class",
            "The name of the IngressClass resource that should be used for additional configuration",
        ),
        text("Hosts", "Hosts that incoming requests are matched against before the ingress rule"),
        text("Address", "Address is a list containing ingress points for the load-balancer"),
        text("Ports", "Ports of TLS configurations that open"),
        AGE,
    ],
    cells: |row| {
        let hosts: Vec<String> = row
            .spec
            .list("rules")
            .iter()
            .map(|rule| rule.text("host").to_owned())
            .filter(|host| !host.is_empty())
            .collect();
        let hosts = if hosts.is_empty() { "*".to_owned() } else { first_three(&hosts) };
        let ports = if row.spec.list("tls").is_empty() { "80" } else { "80, 443" };
        vec![
            row.name(),
            or_none(row.spec.text("ingressClassName")).into(),
            hosts.into(),
            balancers(row.status).join(",").into(),
            ports.into(),
            row.age(),
        ]
    },
};

pub(super) const INGRESS_CLASSES: Table = Table {
    columns: &[
        NAME,
        text("Controller", "Controller that is responsible for handling this class"),
        text("Parameters", "A reference to a resource with additional parameters"),
        AGE,
    ],
    cells: |row| {
        let parameters = row.spec.at("parameters");
        let shown = if parameters.is_null() {
            NONE.to_owned()
        } else {
            let group = parameters.text("apiGroup");
            let dot = if group.is_empty() { "" } else { "." };
            format!("{}{dot}{group}/{}", parameters.text("kind"), parameters.text("name"))
        };
        vec![row.name(), row.spec.text("controller").into(), shown.into(), row.age()]
    },
};

pub(super) const POLICIES: Table = Table {
    columns: &[
        NAME,
        text("Pod-Selector", "podSelector selects the pods to which this NetworkPolicy applies."),
        AGE,
    ],
    cells: |row| vec![row.name(), selector(row.spec.at("podSelector")).into(), row.age()],
};
