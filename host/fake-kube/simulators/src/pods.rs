//! What several simulators need to know about pods.

use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::reflector::Store;
use kube::{Resource, ResourceExt};
use std::sync::Arc;

/// The pods that an object controls.
pub(crate) fn controlled_by<K: Resource<DynamicType = ()>>(store: &Store<Pod>, owner: &K) -> Vec<Arc<Pod>> {
    store.state().into_iter().filter(|pod| is_controlled_by(pod, owner)).collect()
}

/// Whether an object controls a pod. A reference across namespaces is void, whatever UID it names.
pub(crate) fn is_controlled_by<K: Resource<DynamicType = ()>>(pod: &Pod, owner: &K) -> bool {
    let uid = owner.meta().uid.as_deref().unwrap_or_default();
    pod.namespace() == owner.meta().namespace
        && pod.owner_references().iter().any(|reference| {
            reference.controller == Some(true) && reference.uid == uid && reference.kind == K::kind(&())
        })
}

/// A pod from a template, controlled by `owner`.
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

/// `Pending`, `Running`, `Succeeded`, `Failed`, or nothing.
pub(crate) fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

/// Whether all containers of a pod have ended for good.
pub(crate) fn is_finished(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

#[cfg(test)]
mod tests {
    use super::is_controlled_by;
    use k8s_openapi::api::apps::v1::StatefulSet;
    use k8s_openapi::api::batch::v1::Job;
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    #[test]
    fn a_controller_is_matched_by_namespace_kind_and_uid() {
        let metadata = json!({"name": "s", "namespace": "n", "uid": "1"});
        let set: StatefulSet = serde_json::from_value(json!({"metadata": metadata})).expect("a set");
        let job: Job = serde_json::from_value(json!({"metadata": metadata})).expect("a job");
        let pod = |namespace: &str, uid: &str, controller: bool| -> Pod {
            let owner = json!({
                "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "s", "uid": uid, "controller": controller,
            });
            let metadata = json!({"name": "p", "namespace": namespace, "ownerReferences": [owner]});
            serde_json::from_value(json!({"metadata": metadata})).expect("a pod")
        };
        assert!(is_controlled_by(&pod("n", "1", true), &set));
        assert!(!is_controlled_by(&pod("other", "1", true), &set), "another namespace");
        assert!(!is_controlled_by(&pod("n", "2", true), &set), "another UID");
        assert!(!is_controlled_by(&pod("n", "1", false), &set), "no controller");
        assert!(!is_controlled_by(&pod("n", "1", true), &job), "another kind");
    }
}
