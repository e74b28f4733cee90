//! A simulated scheduler and kubelet: pods get a node and become ready, unless what they mount or
//! read is missing. Containers are run by the caller's runners, if at all.

mod obstacle;
mod runs;
mod status;

use crate::controller::{Error, done, drive, patch_params, unless_gone};
use crate::events::EventRecorder;
use crate::pods;
use crate::runner::{PodReport, PodRunner};
use crate::volume_claim::mounts_unbound_claim;
use futures::StreamExt;
use futures::channel::mpsc;
use k8s_openapi::api::core::v1::{
    Binding, ConfigMap, ObjectReference, PersistentVolumeClaim, Pod, PodCondition, Secret,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PostParams, Preconditions};
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{Action, Controller};
use kube::runtime::events::EventType;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use runs::{Runs, Stopping};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const MANAGER: &str = "kubelet-simulator";
/// The only node. It has no Node object, so nothing of it can be changed.
const NODE: &str = "dev-node";
/// Reason of a pod that is not scheduled because it has scheduling gates (core/v1
/// `PodReasonSchedulingGated`).
const GATED: &str = "SchedulingGated";

/// Reason of a pod that no node can take (core/v1 `PodReasonUnschedulable`).
const UNSCHEDULABLE: &str = "Unschedulable";
/// The scheduler's words about a pod whose claim has no volume.
const UNBOUND: &str = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";

struct Context {
    client: Client,
    runners: Vec<Arc<dyn PodRunner>>,
    runs: Arc<Runs>,
    events: Arc<EventRecorder>,
}

pub(crate) async fn run(client: Client, runners: Vec<Arc<dyn PodRunner>>, events: bool) {
    let (changed, changes) = mpsc::unbounded();
    let events = Arc::new(EventRecorder::new(client.clone(), MANAGER, events));
    let runs = Arc::new(Runs::new(changed, events.clone()));
    let (store, writer) = reflector::store();
    let observer = runs.clone();
    let pods = watcher(Api::<Pod>::all(client.clone()), watcher::Config::default())
        .default_backoff()
        .inspect(move |event| observer.observe(event))
        .reflect(writer)
        .applied_objects();
    let controller = Controller::for_stream(pods, store.clone()).reconcile_on(changes);
    let controller = watch_dependencies(controller, &client, &store);
    drive(controller, reconcile, Context { client, runners, runs, events }).await;
}

/// Has pods reconciled that are not ready when a Secret, a ConfigMap or a claim of their namespace
/// changes: it may be what they wait for.
fn watch_dependencies(controller: Controller<Pod>, client: &Client, store: &Store<Pod>) -> Controller<Pod> {
    let pods_of = |store: Store<Pod>| {
        move |namespace: Option<String>| -> Vec<ObjectRef<Pod>> {
            let waits = |pod: &Arc<Pod>| pod.namespace() == namespace && !pods::is_ready(pod);
            let pods = store.state();
            pods.iter().filter(|pod| waits(pod)).map(|pod| ObjectRef::from_obj(pod.as_ref())).collect()
        }
    };
    let (by_secret, by_map, by_claim) =
        (pods_of(store.clone()), pods_of(store.clone()), pods_of(store.clone()));
    let config = watcher::Config::default;
    let secrets = watcher(Api::<PartialObjectMeta<Secret>>::all(client.clone()), config());
    let maps = watcher(Api::<PartialObjectMeta<ConfigMap>>::all(client.clone()), config());
    let claims = watcher(Api::<PartialObjectMeta<PersistentVolumeClaim>>::all(client.clone()), config());
    controller
        .watches_stream(
            secrets.default_backoff().touched_objects(),
            move |object: PartialObjectMeta<Secret>| by_secret(object.namespace()),
        )
        .watches_stream(
            maps.default_backoff().touched_objects(),
            move |object: PartialObjectMeta<ConfigMap>| by_map(object.namespace()),
        )
        .watches_stream(
            claims.default_backoff().touched_objects(),
            move |object: PartialObjectMeta<PersistentVolumeClaim>| by_claim(object.namespace()),
        )
}

async fn reconcile(pod: Arc<Pod>, context: Arc<Context>) -> Result<Action, Error> {
    let api: Api<Pod> = Api::namespaced(context.client.clone(), &pod.namespace().unwrap_or_default());
    let uid = pod.uid().unwrap_or_default();
    if pods::is_terminating(&pod) {
        return terminate(&context, &api, &pod, &uid).await;
    }
    if pods::is_finished(&pod) {
        return done();
    }
    if pod.spec.as_ref().is_some_and(|spec| spec.scheduling_gates.iter().flatten().next().is_some()) {
        // It gets a node when the last gate is removed.
        return report_once(&api, &pod, GATED, "Scheduling is blocked due to non-empty scheduling gates")
            .await;
    }
    let runner = context.runners.iter().find(|runner| runner.accepts(&pod));
    let runs_for_ever =
        pod.spec.as_ref().is_some_and(|spec| spec.restart_policy.as_deref() == Some("Always"));
    if runner.is_none() && !runs_for_ever {
        return report_not_simulated(&context, &api, &pod).await;
    }
    if pod.spec.as_ref().is_none_or(|spec| spec.node_name.is_none()) {
        if mounts_unbound_claim(&context.client, &pod).await? {
            return report_once(&api, &pod, UNSCHEDULABLE, UNBOUND).await;
        }
        unless_gone(bind(&api, &pod).await)?;
        return done();
    }
    let report = match (context.runs.report(&uid), runner) {
        (Some(report), _) => report,
        (None, runner) => match (obstacle::find(&context.client, &pod).await?, runner) {
            (Some(obstacle), _) => Some(PodReport::waiting(&pod, obstacle.reason, &obstacle.message)),
            (None, Some(runner)) => {
                context.runs.start(runner.clone(), pod.clone());
                context.runs.report(&uid).flatten()
            }
            (None, None) => Some(PodReport::running(&pod)),
        },
    };
    // A runner that has not reported yet will.
    let Some(report) = report else { return done() };
    if let Some(status) = status::wanted(&pod, report) {
        let patch = json!({"metadata": {"uid": pod.uid()}, "status": status});
        unless_gone(api.patch_status(&pod.name_any(), &patch_params(MANAGER), &Patch::Merge(patch)).await)?;
    }
    done()
}

/// Removes a pod that is being deleted, once its containers have stopped.
async fn terminate(context: &Context, api: &Api<Pod>, pod: &Pod, uid: &str) -> Result<Action, Error> {
    let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(0);
    let grace = Duration::from_secs(u64::try_from(grace).unwrap_or(0));
    if context.runs.stop(uid, grace) == Stopping::InProgress {
        // The end of the run has this pod reconciled again.
        return done();
    }
    let preconditions = Some(Preconditions { uid: pod.uid(), resource_version: None });
    let parameters = DeleteParams { grace_period_seconds: Some(0), preconditions, ..DeleteParams::default() };
    unless_gone(api.delete(&pod.name_any(), &parameters).await)?;
    done()
}

/// Says once, by a condition, why a pod has no node.
async fn report_once(api: &Api<Pod>, pod: &Pod, reason: &str, message: &str) -> Result<Action, Error> {
    if scheduled_condition(pod).is_some_and(|found| found.reason.as_deref() == Some(reason)) {
        return done();
    }
    report_unscheduled(api, pod, reason, message).await?;
    done()
}

/// The condition that says whether a pod has a node.
fn scheduled_condition(pod: &Pod) -> Option<&PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == "PodScheduled")
}

/// Says by a condition why a pod has no node.
async fn report_unscheduled(api: &Api<Pod>, pod: &Pod, reason: &str, message: &str) -> Result<(), Error> {
    let condition = json!([{
        "type": "PodScheduled", "status": "False", "reason": reason, "message": message,
        "lastTransitionTime": Timestamp::now().to_string(),
    }]);
    let patch = json!({"metadata": {"uid": pod.uid()}, "status": {"conditions": condition}});
    unless_gone(api.patch_status(&pod.name_any(), &patch_params(MANAGER), &Patch::Merge(patch)).await)
}

/// Says once, by a condition and an Event, that nobody runs a pod whose containers are meant to
/// end.
async fn report_not_simulated(context: &Context, api: &Api<Pod>, pod: &Pod) -> Result<Action, Error> {
    if pods::phase(pod) != "Pending"
        || scheduled_condition(pod).is_some_and(|found| found.reason.as_deref() != Some(GATED))
    {
        return done();
    }
    let message = "Pods that end are stored but not run here: there are no containers.";
    report_unscheduled(api, pod, "NotSimulated", message).await?;
    let about = pod.object_ref(&());
    context.events.record(&about, EventType::Normal, "NotSimulated", message.to_owned()).await;
    done()
}

async fn bind(api: &Api<Pod>, pod: &Pod) -> Result<(), Error> {
    let binding = Binding {
        metadata: ObjectMeta { name: pod.metadata.name.clone(), uid: pod.uid(), ..ObjectMeta::default() },
        target: ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Node".to_owned()),
            name: Some(NODE.to_owned()),
            ..ObjectReference::default()
        },
    };
    let _: Value =
        api.create_subresource("binding", &pod.name_any(), &PostParams::default(), &binding).await?;
    Ok(())
}
