//! Defaults of pods and pod templates.

use serde_json::{Value, json};

use super::image::pull_policy;
use super::volumes::{pod_volume, references};
use crate::json::{Fields, ensure, existing, is_empty, items, set, set_default, set_default_text};

/// A pod: the defaults of pod templates, and those that only pods get.
pub(super) fn pod(object: &mut Value) {
    let Some(spec) = ensure(object, "spec") else { return };
    pod_spec(spec);
    set_default(spec, "enableServiceLinks", true);
    let host_network = spec.flag("hostNetwork");
    for list in ["initContainers", "containers"] {
        for container in items(spec, list) {
            requests_from_limits(container);
            if host_network {
                host_ports(container);
            }
        }
    }
}

/// The pod template in a field of a workload's spec.
pub(super) fn template(owner: &mut Value, key: &str) {
    let Some(template) = ensure(owner, key) else { return };
    set_default(template, "metadata", json!({}));
    if let Some(spec) = ensure(template, "spec") {
        pod_spec(spec);
        if spec.flag("hostNetwork") {
            items(spec, "containers").for_each(host_ports);
            items(spec, "initContainers").for_each(host_ports);
        }
    }
}

fn pod_spec(spec: &mut Value) {
    set_default_text(spec, "dnsPolicy", "ClusterFirst");
    set_default_text(spec, "restartPolicy", "Always");
    set_default(spec, "securityContext", json!({}));
    set_default(spec, "terminationGracePeriodSeconds", 30);
    set_default_text(spec, "schedulerName", "default-scheduler");
    // `serviceAccount` is the deprecated name of `serviceAccountName`. Both always have the same
    // value.
    for (from, to) in [("serviceAccountName", "serviceAccount"), ("serviceAccount", "serviceAccountName")] {
        let name = spec.text(from).to_owned();
        if !name.is_empty() {
            set_default_text(spec, to, &name);
        }
    }
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        items(spec, list).for_each(container);
    }
    items(spec, "volumes").for_each(pod_volume);
}

fn container(container: &mut Value) {
    let policy = pull_policy(container.text("image"));
    set_default_text(container, "imagePullPolicy", policy);
    set_default_text(container, "terminationMessagePath", "/dev/termination-log");
    set_default_text(container, "terminationMessagePolicy", "File");
    set_default(container, "resources", json!({}));
    for port in items(container, "ports") {
        set_default_text(port, "protocol", "TCP");
    }
    for variable in items(container, "env") {
        if let Some(source) = existing(variable, &["valueFrom"]) {
            references(source);
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = existing(container, &[name]) {
            self::probe(probe);
        }
    }
    for hook in ["postStart", "preStop"] {
        if let Some(handler) = existing(container, &["lifecycle", hook]) {
            http_get(handler);
        }
    }
}

fn probe(probe: &mut Value) {
    for (field, value) in
        [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
    {
        if probe.integer(field).unwrap_or(0) == 0 {
            set(probe, field, value);
        }
    }
    http_get(probe);
    if let Some(grpc) = existing(probe, &["grpc"]) {
        set_default(grpc, "service", "");
    }
}

fn http_get(handler: &mut Value) {
    if let Some(get) = existing(handler, &["httpGet"]) {
        set_default_text(get, "path", "/");
        set_default_text(get, "scheme", "HTTP");
    }
}

fn requests_from_limits(container: &mut Value) {
    let Some(resources) = existing(container, &["resources"]) else { return };
    let Some(limits) = resources.at("limits").as_object().cloned() else { return };
    if limits.is_empty() {
        return;
    }
    if let Some(requests) = ensure(resources, "requests") {
        for (name, limit) in limits {
            set_default(requests, &name, limit);
        }
    }
}

fn host_ports(container: &mut Value) {
    for port in items(container, "ports") {
        let number = port.at("containerPort").clone();
        if port.integer("hostPort").unwrap_or(0) == 0 && !is_empty(&number) {
            set(port, "hostPort", number);
        }
    }
}
