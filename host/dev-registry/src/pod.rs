//! What a pod says about its registry, and what it is told.

use crate::store::StoreOwner;
use k8s_openapi::api::core::v1::{ContainerPort, PersistentVolumeClaim, Pod};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

/// Annotation on a registry pod with the host and port at which it is served on this machine.
pub const ENDPOINT_ANNOTATION: &str = "cache.converged-computing.github.io/dev-endpoint";

const MANAGER: &str = "dev-registry";
const COMPONENT_LABEL: &str = "app.kubernetes.io/component";
const COMPONENT_REGISTRY: &str = "registry";
/// A label and the container of registry pods that the former operator makes. They name no port.
const FORMER_LABEL: &str = "oras-namespace";
const FORMER_CONTAINER: &str = "oras";
/// The port of a registry in its pod.
pub(crate) const REGISTRY_PORT: u16 = 5000;
const DATA_PATH: &str = "/var/lib/registry";

/// Whether a pod is the registry of a cache.
pub(crate) fn is_registry(pod: &Pod) -> bool {
    let labelled = pod.labels().get(COMPONENT_LABEL).is_some_and(|component| component == COMPONENT_REGISTRY);
    (labelled || is_of_former_operator(pod)) && registry_container(pod).is_some()
}

/// Whether the former operator (oras-operator, in Go) made the registry pod. Pods of its users have
/// the label and a container of that name too, beside their own.
fn is_of_former_operator(pod: &Pod) -> bool {
    let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let [container] = containers else { return false };
    pod.labels().contains_key(FORMER_LABEL)
        && container.name == FORMER_CONTAINER
        && pod.owner_references().iter().any(|owner| owner.kind == "StatefulSet")
}

/// The name of the container with the registry's port.
pub(crate) fn registry_container(pod: &Pod) -> Option<&str> {
    if is_of_former_operator(pod) {
        return Some(FORMER_CONTAINER);
    }
    let mut containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let is_registry = |port: &ContainerPort| port.container_port == i32::from(REGISTRY_PORT);
    let container = containers.find(|container| container.ports.iter().flatten().any(is_registry))?;
    Some(container.name.as_str())
}

/// What the store of a pod belongs to: the claim that the pod mounts at the registry's data path,
/// or the pod. `None` while the claim does not exist.
pub(crate) async fn store_owner(client: &Client, pod: &Pod) -> kube::Result<Option<StoreOwner>> {
    let Some(claim) = claim_name(pod) else {
        return Ok(pod.uid().map(StoreOwner::Pod));
    };
    let claims: Api<PersistentVolumeClaim> =
        Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let claim = claims.get_metadata_opt(claim).await?;
    Ok(claim.and_then(|claim| claim.uid()).map(StoreOwner::Claim))
}

fn claim_name(pod: &Pod) -> Option<&str> {
    let spec = pod.spec.as_ref()?;
    let mut mounts = spec.containers.iter().flat_map(|container| container.volume_mounts.iter().flatten());
    let mount = mounts.find(|mount| mount.mount_path == DATA_PATH)?;
    let volume = spec.volumes.iter().flatten().find(|volume| volume.name == mount.name)?;
    Some(volume.persistent_volume_claim.as_ref()?.claim_name.as_str())
}

/// Writes the address of its registry on a pod.
pub(crate) async fn annotate(client: &Client, pod: &Pod, address: &str) -> kube::Result<()> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let annotations = json!({ENDPOINT_ANNOTATION: address});
    let patch = json!({"metadata": {"uid": pod.uid(), "annotations": annotations}});
    let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    pods.patch_metadata(&pod.name_any(), &parameters, &Patch::Merge(patch)).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::{claim_name, is_registry};
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::{Value, json};

    fn pod(component: &str, port: i32, volumes: Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "demo-0", "labels": {"app.kubernetes.io/component": component}},
            "spec": {
                "containers": [{
                    "name": "registry", "ports": [{"containerPort": port}],
                    "volumeMounts": [{"name": "data", "mountPath": "/var/lib/registry"}],
                }],
                "volumes": volumes,
            },
        }))
        .expect("a pod")
    }

    #[test]
    fn a_registry_pod_has_the_label_and_the_port() {
        assert!(is_registry(&pod("registry", 5000, json!([]))));
        assert!(!is_registry(&pod("database", 5000, json!([]))));
        assert!(!is_registry(&pod("registry", 80, json!([]))));
        assert!(!is_registry(&Pod::default()));
    }

    #[test]
    fn a_registry_pod_of_the_former_operator_is_told_from_pods_with_its_steps() {
        let former = |owner: &str, containers: &[&str]| -> Pod {
            let containers: Vec<Value> = containers.iter().map(|name| json!({"name": name})).collect();
            serde_json::from_value(json!({
                "metadata": {
                    "labels": {"oras-namespace": "lab"},
                    "ownerReferences": [{"apiVersion": "v1", "kind": owner, "name": "n", "uid": "u"}],
                },
                "spec": {"containers": containers},
            }))
            .expect("a pod")
        };
        assert!(is_registry(&former("StatefulSet", &["oras"])));
        assert!(!is_registry(&former("StatefulSet", &["app", "oras"])));
        assert!(!is_registry(&former("Job", &["oras"])));
        assert!(!is_registry(&former("StatefulSet", &["app"])));
    }

    #[test]
    fn the_claim_is_the_one_at_the_data_path() {
        let claim = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "c"}}]);
        assert_eq!(claim_name(&pod("registry", 5000, claim)), Some("c"));
        assert_eq!(claim_name(&pod("registry", 5000, json!([{"name": "data", "emptyDir": {}}]))), None);
    }
}
