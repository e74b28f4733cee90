//! Refuses the objects that the API server refuses, in the API server's words.

mod access;
mod autoscalers;
mod causes;
mod configuration;
mod containers;
mod definitions;
mod ephemeral_containers;
mod events;
mod jobs;
mod metadata;
mod names;
mod numbers;
mod pods;
mod probes;
mod resources;
mod selectors;
mod services;
mod storage;
#[cfg(test)]
mod tests;
mod volumes;
mod webhooks;
mod workloads;

use fake_kube_apimachinery::status::Cause;
use serde_json::Value;

use crate::autoscalers::autoscaler_to_v2;
use crate::catalogue::Resource;
use crate::json::Fields;

pub use metadata::validate_metadata;
pub(crate) use resources::qos_class;

/// What is wrong with a new object.
pub fn validate_create(resource: &Resource, object: &Value) -> Vec<Cause> {
    if !is_stored(resource) {
        return Vec::new();
    }
    let mut causes =
        metadata::validate(resource.namespaced, name_format(resource), object.at("metadata"), "metadata");
    content(resource, object, &mut causes);
    if resource.group_kind() == ("", "Pod") && !object.at("spec").list("ephemeralContainers").is_empty() {
        causes.push(Cause::forbidden("spec.ephemeralContainers", "cannot be set on create"));
    }
    causes
}

/// What is wrong with a changed object.
pub fn validate_update(resource: &Resource, new: &Value, old: &Value) -> Vec<Cause> {
    let mut causes = metadata::validate_update(new.at("metadata"));
    changes(resource, new, old, &mut causes);
    // The content is checked only when the change is allowed: a second complaint about it would
    // only distract.
    let unchanged = new.as_object().is_some_and(|map| {
        map.iter()
            .all(|(key, value)| matches!(key.as_str(), "metadata" | "status") || old.get(key) == Some(value))
    });
    if causes.is_empty() && !unchanged {
        content(resource, new, &mut causes);
    }
    causes
}

/// What is wrong with a pod that was changed through `pods/ephemeralcontainers`: containers can be
/// added, but not changed or removed.
pub fn validate_ephemeral_containers_update(new: &Value, old: &Value) -> Vec<Cause> {
    let mut causes = metadata::validate_update(new.at("metadata"));
    pods::spec(new.at("spec"), "spec", &mut causes);
    // The annotation marks the API object of a static pod (`MirrorPodAnnotationKey`).
    if old.path(&["metadata", "annotations"]).has("kubernetes.io/config.mirror") {
        return vec![Cause::forbidden("<nil>", "static pods do not support ephemeral containers")];
    }
    ephemeral_containers::additions(new.at("spec"), old.at("spec"), &mut causes);
    causes
}

/// Whether objects of the kind are stored. Reviews are not.
fn is_stored(resource: &Resource) -> bool {
    resource.verbs.contains(&"get")
}

fn name_format(resource: &Resource) -> metadata::NameFormat {
    match resource.group_kind() {
        ("", "Namespace") => names::dns_label,
        ("", "Service") => names::dns_1035_label,
        ("", "Event") | ("rbac.authorization.k8s.io", _) => names::path_segment,
        _ => names::dns_subdomain,
    }
}

/// Validates everything but metadata.
fn content(resource: &Resource, object: &Value, causes: &mut Vec<Cause>) {
    match resource.group_kind() {
        ("", "Pod") => pods::spec(object.at("spec"), "spec", causes),
        ("", "PodTemplate") => pods::template(object.at("template"), "template", causes),
        ("", "ReplicationController") => workloads::replication_controller(object, causes),
        ("", "Service") => services::service(object, causes),
        ("", "ConfigMap") => configuration::config_map(object, causes),
        ("", "Secret") => configuration::secret(object, causes),
        ("", "PersistentVolumeClaim") => storage::claim_spec(object.at("spec"), "spec", causes),
        ("", "PersistentVolume") => storage::volume(object, causes),
        ("", "Event") => events::event(object, true, causes),
        ("events.k8s.io", "Event") => events::event(object, false, causes),
        ("coordination.k8s.io", "Lease") => events::lease(object, causes),
        ("apps", "StatefulSet") => workloads::stateful_set(object, causes),
        ("apps", "Deployment") => workloads::deployment(object, causes),
        ("apps", "DaemonSet") => workloads::daemon_set(object, causes),
        ("apps", "ReplicaSet") => workloads::replica_set(object, causes),
        ("apps", "ControllerRevision") => workloads::controller_revision(object, causes),
        ("batch", "Job") => jobs::job(object, causes),
        ("batch", "CronJob") => jobs::cron_job(object, causes),
        ("policy", "PodDisruptionBudget") => workloads::disruption_budget(object, causes),
        ("autoscaling", "HorizontalPodAutoscaler") if resource.is_autoscaler_v1() => {
            autoscalers::autoscaler(&autoscaler_to_v2(object), causes);
        }
        ("autoscaling", "HorizontalPodAutoscaler") => autoscalers::autoscaler(object, causes),
        ("networking.k8s.io", "Ingress") => services::ingress(object, causes),
        ("networking.k8s.io", "NetworkPolicy") => services::network_policy(object, causes),
        ("storage.k8s.io", "StorageClass") => storage::class(object, causes),
        ("rbac.authorization.k8s.io", "Role" | "ClusterRole") => {
            access::role(object, resource.namespaced, causes);
        }
        ("rbac.authorization.k8s.io", _) => access::binding(object, resource.namespaced, causes),
        ("admissionregistration.k8s.io", kind) => {
            webhooks::configuration(object, kind == "MutatingWebhookConfiguration", causes);
        }
        ("apiextensions.k8s.io", _) => definitions::definition(object, causes),
        _ => {}
    }
}

/// Validates that fields that cannot change are unchanged.
fn changes(resource: &Resource, new: &Value, old: &Value, causes: &mut Vec<Cause>) {
    match resource.group_kind() {
        ("", "Pod") => pods::update(new, old, causes),
        ("", "Service") => services::service_update(new, old, causes),
        ("", "ConfigMap") => configuration::config_map_update(new, old, causes),
        ("", "Secret") => configuration::secret_update(new, old, causes),
        ("", "PersistentVolumeClaim") => storage::claim_update(new, old, causes),
        ("apps", "StatefulSet") => workloads::stateful_set_update(new, old, causes),
        ("apps", "Deployment" | "DaemonSet" | "ReplicaSet") => workloads::selector_update(new, old, causes),
        ("apps", "ControllerRevision") => workloads::controller_revision_update(new, old, causes),
        ("batch", "Job") => jobs::job_update(new, old, causes),
        ("storage.k8s.io", "StorageClass") => storage::class_update(new, old, causes),
        ("scheduling.k8s.io", "PriorityClass") => {
            for field in ["value", "preemptionPolicy"] {
                causes.extend(causes::immutable(field, new.at(field), old.at(field)));
            }
        }
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
            access::binding_update(new, old, causes);
        }
        ("apiextensions.k8s.io", _) => definitions::definition_update(new, old, causes),
        _ => {}
    }
}
