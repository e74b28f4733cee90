//! Simulated volumes, without disks: every claim is bound, with the capacity that it asks for. A claim that is
//! being deleted stays while pods mount it, as the storage protection of the API server wants it.

use crate::controller::{Error, done, drive, patch_params, unless_gone};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::{ListParams, Patch};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use std::sync::Arc;

/// storage `PVCProtectionFinalizer`. The admission plugin `StorageObjectInUseProtection` sets it, which the fake
/// API server does not have.
const PROTECTION: &str = "kubernetes.io/pvc-protection";

const MANAGER: &str = "volume-simulator";

pub(crate) async fn run(client: Client) {
    let claims = Api::<PersistentVolumeClaim>::all(client.clone());
    let pods = Api::<Pod>::all(client.clone());
    let controller = Controller::new(claims, watcher::Config::default());
    let known = controller.store();
    // A pod that is deleted may have been the last one that mounted a claim.
    let controller = controller.watches(pods, watcher::Config::default(), move |pod| {
        let released = |claim: &ObjectRef<PersistentVolumeClaim>| {
            known.get(claim).is_some_and(|claim| claim.metadata.deletion_timestamp.is_some())
        };
        let namespace = pod.namespace().unwrap_or_default();
        let claims = mounted(&pod).map(|name| ObjectRef::new(name).within(&namespace));
        claims.filter(released).collect::<Vec<_>>()
    });
    drive(controller, reconcile, client).await;
}

/// Names of the claims that a pod mounts.
fn mounted(pod: &Pod) -> impl Iterator<Item = &str> {
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    volumes.filter_map(|volume| Some(volume.persistent_volume_claim.as_ref()?.claim_name.as_str()))
}

async fn reconcile(claim: Arc<PersistentVolumeClaim>, client: Arc<Client>) -> Result<Action, Error> {
    if claim.metadata.deletion_timestamp.is_some() {
        return release(&claim, &client).await;
    }
    let spec = claim.spec.clone().unwrap_or_default();
    let requests = spec.resources.and_then(|resources| resources.requests);
    let status = claim.status.clone().unwrap_or_default();
    let bound = status.phase.as_deref() == Some("Bound") && status.capacity == requests;
    if bound {
        return done();
    }
    let api: Api<PersistentVolumeClaim> =
        Api::namespaced((*client).clone(), &claim.namespace().unwrap_or_default());
    let parameters = patch_params(MANAGER);
    if spec.volume_name.is_none() {
        let volume = format!("pvc-{}", claim.uid().unwrap_or_default());
        let patch = json!({"metadata": {"uid": claim.uid()}, "spec": {"volumeName": volume}});
        unless_gone(api.patch(&claim.name_any(), &parameters, &Patch::Merge(patch)).await)?;
    }
    let patch = json!({
        "metadata": {"uid": claim.uid()},
        "status": {"phase": "Bound", "accessModes": spec.access_modes, "capacity": requests},
    });
    unless_gone(api.patch_status(&claim.name_any(), &parameters, &Patch::Merge(patch)).await)?;
    done()
}

/// Removes the finalizer when no pod mounts the claim any more.
async fn release(claim: &PersistentVolumeClaim, client: &Client) -> Result<Action, Error> {
    if !claim.finalizers().iter().any(|finalizer| finalizer == PROTECTION) {
        return done();
    }
    let namespace = claim.namespace().unwrap_or_default();
    let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
    let mounts = |pod: &Pod| mounted(pod).any(|name| name == claim.name_any());
    if pods.list(&ListParams::default()).await?.items.iter().any(mounts) {
        return done();
    }
    let kept: Vec<&String> = claim.finalizers().iter().filter(|finalizer| *finalizer != PROTECTION).collect();
    let patch = json!({"metadata": {"uid": claim.uid(), "finalizers": kept}});
    let api: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &namespace);
    let parameters = patch_params(MANAGER);
    unless_gone(api.patch(&claim.name_any(), &parameters, &Patch::Merge(patch)).await)?;
    done()
}
