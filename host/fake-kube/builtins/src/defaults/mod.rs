//! Fills in the defaults of fields that a client leaves out. The API server does so before it
//! tracks field managers.

mod admission;
mod core;
mod definitions;
mod image;
mod network;
mod pod;
mod volumes;
mod workloads;

use serde_json::{Value, json};

use crate::autoscalers::{autoscaler_to_v1, autoscaler_to_v2};
use crate::catalogue::Resource;
use crate::json::{Fields, ensure, is_empty, items, set_default, set_default_text};

/// Fills in the defaults of the kind.
pub fn default(resource: &Resource, object: &mut Value) {
    match resource.group_kind() {
        ("", "Pod") => pod::pod(object),
        ("", "PodTemplate") => pod::template(object, "template"),
        ("", "ReplicationController") => workloads::replication_controller(object),
        ("", "Service") => core::service(object),
        ("", "Endpoints") => core::endpoints(object),
        ("", "Namespace") => core::namespace(object),
        ("", "Secret") => set_default_text(object, "type", "Opaque"),
        ("", "PersistentVolumeClaim") => volumes::claim(object),
        ("", "PersistentVolume") => volumes::volume_resource(object),
        ("", "LimitRange") => core::limit_range(object),
        ("apps", "StatefulSet") => workloads::stateful_set(object),
        ("apps", "Deployment") => workloads::deployment(object),
        ("apps", "DaemonSet") => workloads::daemon_set(object),
        ("apps", "ReplicaSet") => workloads::replica_set(object),
        ("batch", "Job") => workloads::job(object),
        ("batch", "CronJob") => workloads::cron_job(object),
        ("autoscaling", "HorizontalPodAutoscaler") if resource.is_autoscaler_v1() => {
            *object = autoscaler_to_v2(object);
            workloads::autoscaler(object);
            *object = autoscaler_to_v1(object);
        }
        ("autoscaling", "HorizontalPodAutoscaler") => workloads::autoscaler(object),
        ("discovery.k8s.io", "EndpointSlice") => network::endpoint_slice(object),
        ("networking.k8s.io", "NetworkPolicy") => network::policy(object),
        ("networking.k8s.io", "IngressClass") => network::ingress_class(object),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => role_binding(object),
        ("rbac.authorization.k8s.io", "ClusterRole" | "Role") => {}
        ("scheduling.k8s.io", "PriorityClass") => {
            set_default(object, "preemptionPolicy", "PreemptLowerPriority");
        }
        ("storage.k8s.io", "StorageClass") => {
            set_default(object, "reclaimPolicy", "Delete");
            set_default(object, "volumeBindingMode", "Immediate");
        }
        ("admissionregistration.k8s.io", kind) => {
            admission::webhooks(object, kind == "MutatingWebhookConfiguration");
        }
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definitions::definition(object),
        _ => {}
    }
}

const RBAC: &str = "rbac.authorization.k8s.io";

fn role_binding(object: &mut Value) {
    if let Some(role) = ensure(object, "roleRef") {
        set_default_text(role, "apiGroup", RBAC);
    }
    for subject in items(object, "subjects") {
        if matches!(subject.text("kind"), "User" | "Group") {
            set_default_text(subject, "apiGroup", RBAC);
        }
    }
}

/// Sets a list field that is absent or empty.
fn set_default_list(object: &mut Value, key: &str, value: Value) {
    if is_empty(object.at(key)) {
        crate::json::set(object, key, value);
    }
}

/// The default port of a webhook's service reference.
fn service_reference(client_config: &mut Value) {
    if let Some(service) = client_config.get_mut("service") {
        set_default(service, "port", json!(443));
    }
}
