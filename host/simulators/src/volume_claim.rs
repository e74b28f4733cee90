//! Volumes without disks: every claim is bound, with the capacity that it asks for.

use crate::tasks::{Error, done, retry, unless_gone};
use futures::StreamExt;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use std::sync::Arc;

const MANAGER: &str = "volume-simulator";

pub(crate) async fn run(client: Client) {
    Controller::new(Api::<PersistentVolumeClaim>::all(client.clone()), watcher::Config::default())
        .run(reconcile, retry, Arc::new(client))
        .for_each(|_| async {})
        .await;
}

async fn reconcile(claim: Arc<PersistentVolumeClaim>, client: Arc<Client>) -> Result<Action, Error> {
    let spec = claim.spec.clone().unwrap_or_default();
    let requests = spec.resources.and_then(|resources| resources.requests);
    let status = claim.status.clone().unwrap_or_default();
    let bound = status.phase.as_deref() == Some("Bound") && status.capacity == requests;
    if bound || claim.metadata.deletion_timestamp.is_some() {
        return done();
    }
    let api: Api<PersistentVolumeClaim> =
        Api::namespaced((*client).clone(), &claim.namespace().unwrap_or_default());
    let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
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
