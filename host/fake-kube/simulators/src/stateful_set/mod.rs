//! A simulated StatefulSet controller: ordered or parallel pods, and rolling updates from the
//! highest ordinal down.

mod rollout;

use crate::controller::{Error, done, drive, is_gone, patch_params, unless_gone};
use crate::events::{EventRecorder, api_message};
use crate::pods;
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetStatus};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, Pod, Volume};
use kube::api::{DeleteParams, Patch, PostParams, Preconditions};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::events::EventType;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use rollout::{PodChange, REVISION_LABEL, next, ordinal, revision, status};
use serde_json::json;
use std::sync::Arc;

const MANAGER: &str = "statefulset-simulator";
/// apps/v1 `StatefulSetPodNameLabel`.
const POD_NAME_LABEL: &str = "statefulset.kubernetes.io/pod-name";
/// apps/v1 `PodIndexLabel`.
const POD_INDEX_LABEL: &str = "apps.kubernetes.io/pod-index";

struct Context {
    client: Client,
    pods: Store<Pod>,
    events: EventRecorder,
}

pub(crate) async fn run(client: Client, events: bool) {
    let (pods, writer) = reflector::store();
    let stream = watcher(Api::<Pod>::all(client.clone()), watcher::Config::default());
    let stream = stream.default_backoff().reflect(writer).touched_objects();
    let events = EventRecorder::new(client.clone(), MANAGER, events);
    let context = Context { client: client.clone(), pods, events };
    let controller = Controller::new(Api::<StatefulSet>::all(client), watcher::Config::default());
    let sets = controller.store();
    let controller = controller.watches_stream(stream, move |pod: Pod| {
        // Sets are matched by the pod's name, since a set may adopt a pod that it does not control
        // yet.
        let concerns = |set: &Arc<StatefulSet>| {
            set.namespace() == pod.namespace() && ordinal(&set.name_any(), &pod).is_some()
        };
        sets.state()
            .into_iter()
            .filter(concerns)
            .map(|set| ObjectRef::from_obj(set.as_ref()))
            .collect::<Vec<_>>()
    });
    drive(controller, reconcile, context).await;
}

/// The pod of an ordinal.
fn pod(set: &StatefulSet, revision: &str, ordinal: i32) -> Pod {
    let spec = set.spec.clone().unwrap_or_default();
    let name = format!("{}-{ordinal}", set.name_any());
    let mut pod = pods::from_template(set, &spec.template, name.clone());
    let labels = pod.labels_mut();
    labels.insert(REVISION_LABEL.to_owned(), revision.to_owned());
    labels.insert(POD_NAME_LABEL.to_owned(), name.clone());
    labels.insert(POD_INDEX_LABEL.to_owned(), ordinal.to_string());
    if let Some(pod_spec) = &mut pod.spec {
        pod_spec.hostname = Some(name.clone());
        pod_spec.subdomain = spec.service_name;
        for template in spec.volume_claim_templates.iter().flatten() {
            let claim = PersistentVolumeClaimVolumeSource {
                claim_name: claim_name(template, &name),
                read_only: None,
            };
            let volume = Volume {
                name: template.name_any(),
                persistent_volume_claim: Some(claim),
                ..Volume::default()
            };
            pod_spec.volumes.get_or_insert_default().push(volume);
        }
    }
    pod
}

fn claim_name(template: &PersistentVolumeClaim, pod: &str) -> String {
    format!("{}-{pod}", template.name_any())
}

async fn reconcile(set: Arc<StatefulSet>, context: Arc<Context>) -> Result<Action, Error> {
    if set.metadata.deletion_timestamp.is_some() {
        return done();
    }
    adopt(&context, &set).await?;
    let owned = pods::controlled_by(&context.pods, set.as_ref());
    let revision = revision(&set);
    let changed = change_pods(&context, &set, &revision, &owned).await;
    // The status is also written when a change failed: `observedGeneration` says that the set was
    // seen.
    write_status(&context, &set, &revision, &owned).await?;
    changed?;
    done()
}

async fn change_pods(
    context: &Context,
    set: &StatefulSet,
    revision: &str,
    owned: &[Arc<Pod>],
) -> Result<(), Error> {
    for change in next(set, revision, owned) {
        match change {
            PodChange::Create(ordinal) => create(context, set, revision, ordinal).await?,
            PodChange::Delete(name) => {
                let uid = owned.iter().find(|pod| pod.name_any() == name).and_then(|pod| pod.uid());
                let preconditions = Some(Preconditions { uid, resource_version: None });
                let parameters = DeleteParams { preconditions, ..DeleteParams::default() };
                unless_gone(pod_api(context, set).delete(&name, &parameters).await)?;
            }
        }
    }
    Ok(())
}

/// Adopts pods that the selector matches and that have no controller, as after `kubectl delete
/// --cascade=orphan` of an older set.
async fn adopt(context: &Context, set: &StatefulSet) -> Result<(), Error> {
    let Some(owner) = set.controller_owner_ref(&()) else { return Ok(()) };
    let labels = set.spec.as_ref().and_then(|spec| spec.selector.match_labels.clone()).unwrap_or_default();
    for pod in context.pods.state() {
        let orphaned = !pod.owner_references().iter().any(|reference| reference.controller == Some(true));
        let selected =
            !labels.is_empty() && labels.iter().all(|(key, value)| pod.labels().get(key) == Some(value));
        let is_named = pod.namespace() == set.namespace() && ordinal(&set.name_any(), &pod).is_some();
        if orphaned && selected && is_named && !pods::is_terminating(&pod) {
            let mut owners = pod.owner_references().to_vec();
            owners.push(owner.clone());
            let patch = json!({"metadata": {"uid": pod.uid(), "resourceVersion": pod.resource_version(), "ownerReferences": owners}});
            let parameters = patch_params(MANAGER);
            unless_gone(
                pod_api(context, set).patch(&pod.name_any(), &parameters, &Patch::Merge(patch)).await,
            )?;
        }
    }
    Ok(())
}

fn pod_api(context: &Context, set: &StatefulSet) -> Api<Pod> {
    Api::namespaced(context.client.clone(), &set.namespace().unwrap_or_default())
}

async fn create(context: &Context, set: &StatefulSet, revision: &str, ordinal: i32) -> Result<(), Error> {
    let parameters = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    let pod = pod(set, revision, ordinal);
    let claims = set.spec.as_ref().and_then(|spec| spec.volume_claim_templates.as_ref());
    for template in claims.into_iter().flatten() {
        let mut claim = template.clone();
        claim.metadata.name = Some(claim_name(template, &pod.name_any()));
        claim.metadata.namespace = set.namespace();
        let api = Api::namespaced(context.client.clone(), &set.namespace().unwrap_or_default());
        unless_gone(api.create(&parameters, &claim).await)?;
    }
    match pod_api(context, set).create(&parameters, &pod).await {
        Ok(_) => Ok(()),
        // It exists, and the watch has not reported it yet.
        Err(error) if is_gone(&error) => Ok(()),
        Err(error) => {
            let note = format!(
                "create Pod {} in StatefulSet {} failed error: {}",
                pod.name_any(),
                set.name_any(),
                api_message(&error)
            );
            let about = set.object_ref(&());
            context.events.record(&about, EventType::Warning, "FailedCreate", note).await;
            Err(error)
        }
    }
}

async fn write_status(
    context: &Context,
    set: &StatefulSet,
    revision: &str,
    pods: &[Arc<Pod>],
) -> Result<(), Error> {
    let wanted = status(set, revision, pods);
    let old = set.status.clone().unwrap_or_default();
    // Absent counters are zero. Conditions are not compared: this simulator sets none.
    let summary = |status: &StatefulSetStatus| {
        let number = |count: Option<i32>| count.unwrap_or(0);
        let numbers = [
            number(status.available_replicas),
            number(status.current_replicas),
            number(status.ready_replicas),
            number(status.updated_replicas),
            status.replicas,
        ];
        (numbers, status.observed_generation, status.current_revision.clone(), status.update_revision.clone())
    };
    if summary(&wanted) == summary(&old) {
        return Ok(());
    }
    let api: Api<StatefulSet> = Api::namespaced(context.client.clone(), &set.namespace().unwrap_or_default());
    let parameters = patch_params(MANAGER);
    let patch = json!({"metadata": {"uid": set.uid()}, "status": wanted});
    unless_gone(api.patch_status(&set.name_any(), &parameters, &Patch::Merge(patch)).await)
}
