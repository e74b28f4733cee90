//! What controllers that make pods have in common.

use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::reflector::Store;
use kube::{Resource, ResourceExt};
use std::sync::Arc;

/// Pods whose controller has this UID.
pub(crate) fn owned_by(store: &Store<Pod>, uid: &str) -> Vec<Arc<Pod>> {
    let controls = |pod: &Arc<Pod>| {
        pod.owner_references().iter().any(|owner| owner.controller == Some(true) && owner.uid == uid)
    };
    store.state().into_iter().filter(controls).collect()
}

/// A pod from a template, owned by `owner`.
pub(crate) fn from_template<K: Resource<DynamicType = ()>>(
    owner: &K,
    template: &PodTemplateSpec,
    name: String,
) -> Pod {
    let metadata = template.metadata.clone().unwrap_or_default();
    Pod {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: owner.namespace(),
            labels: metadata.labels,
            annotations: metadata.annotations,
            owner_references: owner.controller_owner_ref(&()).map(|reference| vec![reference]),
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        status: None,
    }
}

/// Whether a pod's Ready condition is true.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Whether a pod is being deleted.
pub(crate) fn is_terminating(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// `Pending`, `Running`, `Succeeded`, `Failed`.
pub(crate) fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}
