//! The StatefulSet controller: ordered or parallel pods, rolling updates from the highest ordinal down.

use crate::tasks::{Error, done, drive, is_gone, unless_gone};
use crate::{events, pods};
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetStatus};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, Pod, Volume};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::events::{EventType, Recorder};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::json;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

const MANAGER: &str = "statefulset-simulator";
/// apps/v1 `StatefulSetRevisionLabel`.
const REVISION_LABEL: &str = "controller-revision-hash";
/// apps/v1 `StatefulSetPodNameLabel`.
const POD_NAME_LABEL: &str = "statefulset.kubernetes.io/pod-name";
/// apps/v1 `PodIndexLabel`.
const POD_INDEX_LABEL: &str = "apps.kubernetes.io/pod-index";

struct Context {
    client: Client,
    pods: Store<Pod>,
    events: Recorder,
}

pub(crate) async fn run(client: Client) {
    let (pods, writer) = reflector::store();
    let stream = watcher(Api::<Pod>::all(client.clone()), watcher::Config::default());
    let stream = stream.default_backoff().reflect(writer).touched_objects();
    let context = Context { client: client.clone(), pods, events: events::recorder(client.clone(), MANAGER) };
    let controller = Controller::new(Api::<StatefulSet>::all(client), watcher::Config::default());
    let sets = controller.store();
    let controller = controller.watches_stream(stream, move |pod: Pod| {
        // Its controller, or the set that may adopt it.
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

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Create(i32),
    Delete(String),
}

/// The next steps for a set; none when it is as it should be or has to wait.
pub(crate) fn next(set: &StatefulSet, revision: &str, pods: &[Arc<Pod>]) -> Vec<Step> {
    let name = set.name_any();
    let spec = set.spec.clone().unwrap_or_default();
    let wanted = spec.replicas.unwrap_or(1);
    let parallel = spec.pod_management_policy.as_deref() == Some("Parallel");
    let pod = |ordinal: i32| pods.iter().find(|pod| pod.name_any() == format!("{name}-{ordinal}"));
    let mut steps = Vec::new();

    for ordinal in 0..wanted {
        match pod(ordinal) {
            None => {
                steps.push(Step::Create(ordinal));
                if !parallel {
                    return steps;
                }
            }
            Some(pod) if !parallel && !is_settled(pod) && revision_of(pod) == revision => return steps,
            Some(_) => {}
        }
    }
    let mut surplus: Vec<(i32, &Arc<Pod>)> = pods
        .iter()
        .filter_map(|pod| ordinal(&name, pod).filter(|ordinal| *ordinal >= wanted).map(|o| (o, pod)))
        .collect();
    surplus.sort_by_key(|(ordinal, _)| -ordinal);
    for (_, pod) in surplus {
        if !pods::is_terminating(pod) {
            steps.push(Step::Delete(pod.name_any()));
        }
        if !parallel {
            return steps;
        }
    }
    if !steps.is_empty() {
        return steps;
    }
    let strategy = spec.update_strategy.unwrap_or_default();
    if strategy.type_.as_deref() == Some("OnDelete") {
        return steps;
    }
    let partition = strategy.rolling_update.and_then(|update| update.partition).unwrap_or(0);
    for ordinal in (partition..wanted).rev() {
        match pod(ordinal) {
            Some(pod) if revision_of(pod) != revision => {
                if !pods::is_terminating(pod) {
                    steps.push(Step::Delete(pod.name_any()));
                }
                return steps;
            }
            Some(pod) if is_settled(pod) => {}
            // One at a time: the next waits until this one is ready.
            _ => return steps,
        }
    }
    steps
}

fn is_settled(pod: &Pod) -> bool {
    pods::is_ready(pod) && !pods::is_terminating(pod)
}

fn revision_of(pod: &Pod) -> &str {
    pod.labels().get(REVISION_LABEL).map(String::as_str).unwrap_or_default()
}

fn ordinal(set: &str, pod: &Pod) -> Option<i32> {
    pod.name_any().strip_prefix(set)?.strip_prefix('-')?.parse().ok()
}

/// `<name>-<10 characters>` of the pod template, as a ControllerRevision would be named.
pub(crate) fn revision(set: &StatefulSet) -> String {
    /// apimachinery `rand.SafeEncodeString`: no vowels, so that no words appear.
    const ALPHABET: &[u8; 16] = b"bcdfghjklmnpqrst";
    let template = set.spec.as_ref().map(|spec| serde_json::to_string(&spec.template).unwrap_or_default());
    let mut hasher = std::hash::DefaultHasher::new();
    template.hash(&mut hasher);
    let hash = hasher.finish();
    let digits =
        (0..10).map(|place| ALPHABET.get((hash >> (place * 4) & 15) as usize).copied().unwrap_or(b'b'));
    format!("{}-{}", set.name_any(), digits.map(char::from).collect::<String>())
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
    let owned = pods::owned_by(&context.pods, &set.uid().unwrap_or_default());
    let revision = revision(&set);
    let taken = take_steps(&context, &set, &revision, &owned).await;
    // Also when a step failed: who waits for `observedGeneration` must learn that the set was seen.
    write_status(&context, &set, &revision, &owned).await?;
    taken?;
    done()
}

async fn take_steps(
    context: &Context,
    set: &StatefulSet,
    revision: &str,
    owned: &[Arc<Pod>],
) -> Result<(), Error> {
    for step in next(set, revision, owned) {
        match step {
            Step::Create(ordinal) => create(context, set, revision, ordinal).await?,
            Step::Delete(name) => {
                let uid = owned.iter().find(|pod| pod.name_any() == name).and_then(|pod| pod.uid());
                let preconditions = Some(Preconditions { uid, resource_version: None });
                let parameters = DeleteParams { preconditions, ..DeleteParams::default() };
                unless_gone(pod_api(context, set).delete(&name, &parameters).await)?;
            }
        }
    }
    Ok(())
}

/// Takes in pods that the selector matches and that nobody controls: those that an older set left behind.
async fn adopt(context: &Context, set: &StatefulSet) -> Result<(), Error> {
    let Some(owner) = set.controller_owner_ref(&()) else { return Ok(()) };
    let labels = set.spec.as_ref().and_then(|spec| spec.selector.match_labels.clone()).unwrap_or_default();
    for pod in context.pods.state() {
        let orphaned = !pod.owner_references().iter().any(|reference| reference.controller == Some(true));
        let selected =
            !labels.is_empty() && labels.iter().all(|(key, value)| pod.labels().get(key) == Some(value));
        let ours = pod.namespace() == set.namespace() && ordinal(&set.name_any(), &pod).is_some();
        if orphaned && selected && ours && !pods::is_terminating(&pod) {
            let mut owners = pod.owner_references().to_vec();
            owners.push(owner.clone());
            let patch = json!({"metadata": {"uid": pod.uid(), "resourceVersion": pod.resource_version(), "ownerReferences": owners}});
            let parameters =
                PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
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
        // It exists already: the watch has not told yet.
        Err(error) if is_gone(&error) => Ok(()),
        Err(error) => {
            let note = format!(
                "create Pod {} in StatefulSet {} failed error: {}",
                pod.name_any(),
                set.name_any(),
                events::reason_of(&error)
            );
            events::record(&context.events, set, EventType::Warning, "FailedCreate", note).await;
            Err(error)
        }
    }
}

/// The status that these pods make.
fn status(set: &StatefulSet, revision: &str, pods: &[Arc<Pod>]) -> StatefulSetStatus {
    let old = set.status.clone().unwrap_or_default();
    let alive: Vec<_> = pods.iter().filter(|pod| !pods::is_terminating(pod)).collect();
    let count = |condition: &dyn Fn(&Pod) -> bool| {
        i32::try_from(alive.iter().filter(|pod| condition(pod)).count()).unwrap_or(i32::MAX)
    };
    let replicas = count(&|_| true);
    let updated = count(&|pod| revision_of(pod) == revision);
    let ready = count(&pods::is_ready);
    let wanted = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let complete = updated == wanted && replicas == wanted && ready == wanted;
    let current = match old.current_revision {
        Some(current) if !complete && !current.is_empty() => current,
        _ => revision.to_owned(),
    };
    StatefulSetStatus {
        available_replicas: Some(ready),
        collision_count: Some(old.collision_count.unwrap_or(0)),
        conditions: old.conditions,
        current_replicas: Some(count(&|pod| revision_of(pod) == current)),
        current_revision: Some(current),
        observed_generation: set.metadata.generation,
        ready_replicas: Some(ready),
        replicas,
        update_revision: Some(revision.to_owned()),
        updated_replicas: Some(updated),
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
    // Absent counters are zero.
    let plain = |status: &StatefulSetStatus| {
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
    if plain(&wanted) == plain(&old) {
        return Ok(());
    }
    let api: Api<StatefulSet> = Api::namespaced(context.client.clone(), &set.namespace().unwrap_or_default());
    let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let patch = json!({"metadata": {"uid": set.uid()}, "status": wanted});
    unless_gone(api.patch_status(&set.name_any(), &parameters, &Patch::Merge(patch)).await)
}

#[cfg(test)]
mod tests {
    use super::{REVISION_LABEL, Step, next, revision, status};
    use k8s_openapi::api::apps::v1::StatefulSet;
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;
    use std::sync::Arc;

    fn set(replicas: i32, policy: &str) -> StatefulSet {
        serde_json::from_value(json!({
            "metadata": {"name": "s", "namespace": "n", "generation": 3},
            "spec": {"replicas": replicas, "podManagementPolicy": policy, "serviceName": "s", "selector": {}, "template": {}},
        }))
        .expect("a set")
    }

    fn pod(ordinal: i32, revision: &str, ready: bool) -> Arc<Pod> {
        let status = if ready { "True" } else { "False" };
        Arc::new(
            serde_json::from_value(json!({
                "metadata": {"name": format!("s-{ordinal}"), "labels": {REVISION_LABEL: revision}},
                "status": {"conditions": [{"type": "Ready", "status": status}]},
            }))
            .expect("a pod"),
        )
    }

    #[test]
    fn ordered_pods_wait_for_each_other() {
        assert_eq!(next(&set(2, "OrderedReady"), "r", &[]), [Step::Create(0)]);
        assert_eq!(next(&set(2, "OrderedReady"), "r", &[pod(0, "r", false)]), []);
        assert_eq!(next(&set(2, "OrderedReady"), "r", &[pod(0, "r", true)]), [Step::Create(1)]);
        assert_eq!(next(&set(2, "Parallel"), "r", &[]), [Step::Create(0), Step::Create(1)]);
    }

    #[test]
    fn surplus_goes_from_the_top() {
        let pods = [pod(0, "r", true), pod(1, "r", true), pod(2, "r", true)];
        assert_eq!(next(&set(1, "OrderedReady"), "r", &pods), [Step::Delete("s-2".into())]);
        assert_eq!(
            next(&set(1, "Parallel"), "r", &pods),
            [Step::Delete("s-2".into()), Step::Delete("s-1".into())]
        );
    }

    #[test]
    fn a_rolling_update_replaces_one_after_the_other() {
        let old = [pod(0, "o", true), pod(1, "o", true)];
        assert_eq!(next(&set(2, "Parallel"), "r", &old), [Step::Delete("s-1".into())]);
        let half = [pod(0, "o", true), pod(1, "r", false)];
        assert_eq!(next(&set(2, "Parallel"), "r", &half), []);
        let half = [pod(0, "o", true), pod(1, "r", true)];
        assert_eq!(next(&set(2, "Parallel"), "r", &half), [Step::Delete("s-0".into())]);
        let broken = [pod(0, "o", false)];
        assert_eq!(next(&set(1, "Parallel"), "r", &broken), [Step::Delete("s-0".into())]);
    }

    #[test]
    fn status_counts_and_revisions() {
        let set = set(2, "Parallel");
        let status = status(&set, "r", &[pod(0, "o", true), pod(1, "r", true)]);
        assert_eq!((status.replicas, status.ready_replicas, status.updated_replicas), (2, Some(2), Some(1)));
        assert_eq!(status.observed_generation, Some(3));
        assert!(revision(&set).starts_with("s-") && revision(&set).len() == 12);
    }
}
