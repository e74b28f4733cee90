//! Simulated volumes, without disks: a claim is bound, with the capacity that it asks for, unless
//! its StorageClass has the provisioner `kubernetes.io/no-provisioner`: nobody makes volumes by
//! hand here. A claim that is being deleted stays while pods mount it, as the storage protection of
//! the API server wants it.

use crate::controller::{Error, done, drive, patch_params, unless_gone};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{ListParams, Patch};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use std::sync::Arc;

/// storage `PVCProtectionFinalizer`. The admission plugin `StorageObjectInUseProtection` sets it,
/// which the fake API server does not have.
const PROTECTION: &str = "kubernetes.io/pvc-protection";

/// Provisioner of classes whose volumes an administrator makes
/// (kubernetes.io/docs/concepts/storage/storage-classes/#local).
const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

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

/// Whether a pod mounts a claim that stays without a volume.
pub(crate) async fn mounts_unbound_claim(client: &Client, pod: &Pod) -> Result<bool, Error> {
    let claims: Api<PersistentVolumeClaim> =
        Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    for name in mounted(pod) {
        let Some(claim) = claims.get_opt(name).await? else { continue };
        let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref());
        if phase != Some("Bound") && has_no_provisioner(client, &claim).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn has_no_provisioner(client: &Client, claim: &PersistentVolumeClaim) -> Result<bool, Error> {
    let class = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref());
    let Some(class) = class.filter(|class| !class.is_empty()) else { return Ok(false) };
    let classes: Api<StorageClass> = Api::all(client.clone());
    Ok(classes.get_opt(class).await?.is_some_and(|class| class.provisioner == NO_PROVISIONER))
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
    if spec.volume_name.is_none() && has_no_provisioner(&client, &claim).await? {
        if status.phase.as_deref() != Some("Pending") {
            let patch = json!({"metadata": {"uid": claim.uid()}, "status": {"phase": "Pending"}});
            unless_gone(api.patch_status(&claim.name_any(), &parameters, &Patch::Merge(patch)).await)?;
        }
        return done();
    }
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
