//! Prepares an object as the API server does after it has tracked field managers: it sets the
//! initial status, and adds what the default admission plugins add.

use serde_json::{Value, json};

use crate::catalogue::Resource;
use crate::json::{Fields, copy, ensure, is_empty, items, remove, set, set_default, set_default_text};
use crate::validation::qos_class;

/// Resets the status of a new object and adds what its strategy and the default admission plugins
/// add.
///
/// The caller sets name and UID before: the selector of a Job contains them.
pub fn prepare_for_create(resource: &Resource, object: &mut Value) {
    if let Some(status) = initial_status(resource, object) {
        set(object, "status", status);
    }
    match resource.group_kind() {
        ("", "Pod") => admit_pod(object),
        ("", "Service") => service_families(object),
        ("", "Namespace") => {
            if let Some(spec) = ensure(object, "spec")
                && is_empty(spec.at("finalizers"))
            {
                set(spec, "finalizers", json!(["kubernetes"]));
            }
        }
        ("apps", "DaemonSet") => {
            let annotations = ensure(object, "metadata").and_then(|metadata| ensure(metadata, "annotations"));
            if let Some(annotations) = annotations {
                set_default(annotations, "deprecated.daemonset.template.generation", "1");
            }
        }
        ("batch", "Job") => job_selector(object),
        _ => {}
    }
}

/// Adds what the default admission plugins add to a new object before webhooks are called.
pub fn admit_for_create(resource: &Resource, object: &mut Value) {
    if resource.group_kind() == ("", "Pod") {
        admit_pod(object);
    }
}

/// Keeps the fields that an update of the main resource cannot change, and those that clients may
/// leave out.
pub fn prepare_for_update(resource: &Resource, new: &mut Value, old: &Value) {
    if resource.subresources.iter().any(|subresource| subresource.name == "status") {
        copy(old, new, "status");
    }
    match resource.group_kind() {
        ("", "Service") => {
            keep_cluster_ips(new, old);
            drop_fields_of_other_type(new, old);
        }
        ("", "PersistentVolumeClaim") => {
            let volume = old.at("spec").text("volumeName");
            if let Some(spec) = new.get_mut("spec").filter(|_| !volume.is_empty()) {
                set_default_text(spec, "volumeName", volume);
            }
        }
        ("", "Namespace") => keep_within(new, old, "spec", "finalizers"),
        ("", "Pod") => {
            for field in ["priority", "preemptionPolicy"] {
                default_from(new, old, field);
            }
            if let Some(spec) = ensure(new, "spec") {
                default_tolerations(spec);
            }
        }
        _ => {}
    }
}

/// The status of a new object. `None` for kinds whose new objects keep the status that the client
/// sent.
fn initial_status(resource: &Resource, object: &Value) -> Option<Value> {
    let status = match resource.group_kind() {
        ("", "Pod") => json!({"phase": "Pending", "qosClass": qos_class(object.at("spec"))}),
        ("", "Service") | ("networking.k8s.io", "Ingress") => json!({"loadBalancer": {}}),
        ("", "Namespace") => json!({"phase": "Active"}),
        ("", "PersistentVolumeClaim" | "PersistentVolume") => json!({"phase": "Pending"}),
        ("", "ResourceQuota") | ("apps", "Deployment") | ("batch", "Job" | "CronJob") => json!({}),
        ("", "ReplicationController") | ("apps", "ReplicaSet") => json!({"replicas": 0}),
        ("apps", "StatefulSet") => json!({"replicas": 0, "availableReplicas": 0}),
        ("apps", "DaemonSet") => json!({
            "currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0,
        }),
        ("policy", "PodDisruptionBudget") => json!({
            "disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0,
        }),
        ("autoscaling", "HorizontalPodAutoscaler") if resource.is_autoscaler_v1() => {
            json!({"currentReplicas": 0, "desiredReplicas": 0})
        }
        ("autoscaling", "HorizontalPodAutoscaler") => json!({"desiredReplicas": 0, "currentMetrics": null}),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition_status(object),
        _ => return None,
    };
    Some(status)
}

fn definition_status(object: &Value) -> Value {
    let stored: Vec<&str> = object
        .at("spec")
        .list("versions")
        .iter()
        .filter(|version| version.flag("storage"))
        .map(|version| version.text("name"))
        .collect();
    json!({"conditions": null, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": stored})
}

/// The tolerations and priority that the default admission plugins give to every pod.
fn admit_pod(object: &mut Value) {
    let Some(spec) = ensure(object, "spec") else { return };
    default_tolerations(spec);
    let priority = match spec.text("priorityClassName") {
        "system-cluster-critical" => 2_000_000_000,
        "system-node-critical" => 2_000_001_000,
        _ => 0,
    };
    set_default(spec, "priority", priority);
    set_default_text(spec, "preemptionPolicy", "PreemptLowerPriority");
}

/// The tolerations of the admission plugin `DefaultTolerationSeconds`: a pod stays for five minutes
/// on a node that is not ready.
fn default_tolerations(spec: &mut Value) {
    let mut tolerations = spec.list("tolerations").to_vec();
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let tolerated = tolerations.iter().any(|toleration| {
            let matches_key = toleration.text("key") == key || toleration.text("key").is_empty();
            matches_key && matches!(toleration.text("effect"), "NoExecute" | "")
        });
        if !tolerated {
            tolerations.push(json!({
                "key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300,
            }));
        }
    }
    set(spec, "tolerations", tolerations);
}

/// Address families of a single-stack cluster.
fn service_families(object: &mut Value) {
    let Some(spec) = ensure(object, "spec") else { return };
    if spec.text("type") == "ExternalName" {
        return;
    }
    let address = spec.text("clusterIP").to_owned();
    if !address.is_empty() {
        set_default(spec, "clusterIPs", json!([address]));
    } else if let Some(first) = spec.list("clusterIPs").first().cloned() {
        set(spec, "clusterIP", first);
    }
    // A headless Service without a selector has endpoints that somebody writes, of either family.
    if address == "None" && is_empty(spec.at("selector")) {
        set_default_text(spec, "ipFamilyPolicy", "RequireDualStack");
        if is_empty(spec.at("ipFamilies")) && spec.text("ipFamilyPolicy") != "SingleStack" {
            set(spec, "ipFamilies", json!(["IPv4", "IPv6"]));
        }
    }
    if is_empty(spec.at("ipFamilies")) {
        set(spec, "ipFamilies", json!(["IPv4"]));
    }
    set_default_text(spec, "ipFamilyPolicy", "SingleStack");
}

/// Keeps the allocated addresses of a Service when the client leaves them out.
fn keep_cluster_ips(new: &mut Value, old: &Value) {
    let was_external = old.at("spec").text("type") == "ExternalName";
    let Some(spec) = new.get_mut("spec") else { return };
    if spec.text("type") == "ExternalName" {
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            remove(spec, field);
        }
        return;
    }
    if was_external {
        service_families(new);
        return;
    }
    for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        let kept = old.at("spec").at(field);
        if is_empty(spec.at(field)) && !kept.is_null() {
            set(spec, field, kept.clone());
        }
    }
    if spec.text("type") == "LoadBalancer" && !spec.has("healthCheckNodePort") {
        default_from(new, old, "healthCheckNodePort");
    }
    keep_node_ports(new, old);
}

/// Clears what only the former type of a Service has, where the client did not change it
/// (`dropTypeDependentFields` of the registry's REST storage).
fn drop_fields_of_other_type(new: &mut Value, old: &Value) {
    let before = old.at("spec");
    let Some(spec) = new.get_mut("spec") else { return };
    let (was, is) = (before.text("type").to_owned(), spec.text("type").to_owned());
    let is_external = |kind: &str| matches!(kind, "NodePort" | "LoadBalancer");
    let mut dropped = Vec::new();
    if is_external(&was) && !is_external(&is) {
        dropped.push("externalTrafficPolicy");
        let ports = |spec: &Value| {
            let ports = spec.list("ports").iter();
            ports.map(|port| port.at("nodePort").clone()).collect::<Vec<_>>()
        };
        if ports(spec) == ports(before) {
            items(spec, "ports").for_each(|port| remove(port, "nodePort"));
        }
    }
    if was == "LoadBalancer" && is != "LoadBalancer" {
        dropped.extend(["allocateLoadBalancerNodePorts", "healthCheckNodePort", "loadBalancerClass"]);
    }
    for field in dropped {
        if spec.at(field) == before.at(field) {
            remove(spec, field);
        }
    }
}

fn keep_node_ports(new: &mut Value, old: &Value) {
    let Some(spec) = new.get_mut("spec") else { return };
    if !matches!(spec.text("type"), "NodePort" | "LoadBalancer") {
        return;
    }
    for port in items(spec, "ports") {
        let before = old.at("spec").list("ports").iter().find(|before| {
            before.at("port") == port.at("port") && before.at("protocol") == port.at("protocol")
        });
        if let Some(number) = before.map(|before| before.at("nodePort")).filter(|number| !number.is_null()) {
            set_default(port, "nodePort", number.clone());
        }
    }
}

fn default_from(new: &mut Value, old: &Value, field: &str) {
    let kept = old.at("spec").at(field);
    if let Some(spec) = new.get_mut("spec").filter(|_| !kept.is_null()) {
        set_default(spec, field, kept.clone());
    }
}

fn keep_within(new: &mut Value, old: &Value, part: &str, field: &str) {
    if let Some(part_of_new) = ensure(new, part) {
        copy(old.at(part), part_of_new, field);
    }
}

const JOB_LABELS: [(&str, &str); 4] = [
    ("controller-uid", "uid"),
    ("job-name", "name"),
    ("batch.kubernetes.io/controller-uid", "uid"),
    ("batch.kubernetes.io/job-name", "name"),
];

/// A Job selects its pods by its UID, unless `manualSelector` is set.
fn job_selector(object: &mut Value) {
    if object.at("spec").flag("manualSelector") {
        return;
    }
    let metadata = object.at("metadata").clone();
    let Some(spec) = ensure(object, "spec") else { return };
    if let Some(selector) = ensure(spec, "selector").and_then(|selector| ensure(selector, "matchLabels")) {
        set(selector, "batch.kubernetes.io/controller-uid", metadata.text("uid"));
    }
    let labels = ensure(spec, "template")
        .and_then(|template| ensure(template, "metadata"))
        .and_then(|metadata| ensure(metadata, "labels"));
    if let Some(labels) = labels {
        for (label, source) in JOB_LABELS {
            set_default(labels, label, metadata.text(source));
        }
    }
}
