//! A pretend scheduler and kubelet: pods get a node and become Ready, unless what they mount or read is missing.

use crate::registry::{Registries, Served};
use crate::tasks::{Error, done, drive, unless_gone};
use crate::{events, pods};
use k8s_openapi::api::core::v1::{Binding, ConfigMap, ObjectReference, PersistentVolumeClaim, Pod, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{Action, Controller};
use kube::runtime::events::{EventType, Recorder};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const MANAGER: &str = "kubelet-simulator";
/// The only node there is. It has no Node object: nothing of it can be changed.
const NODE: &str = "dev-node";
/// When a registry that cannot be served is tried again: nothing in the API tells.
const REGISTRY_RETRY: Duration = Duration::from_secs(5);

struct Context {
    client: Client,
    registries: Option<Registries>,
    events: Recorder,
}

pub(crate) async fn run(client: Client, registries: Option<Registries>) {
    let controller = Controller::new(Api::<Pod>::all(client.clone()), watcher::Config::default());
    let store = controller.store();
    let events = events::recorder(client.clone(), MANAGER);
    let context = Context { client: client.clone(), registries: registries.clone(), events };
    let config = watcher::Config::default;
    let waiting = |store: Store<Pod>| {
        move |namespace: Option<String>| -> Vec<ObjectRef<Pod>> {
            // What appears may be what a pod of that namespace waits for.
            let waits = |pod: &Arc<Pod>| pod.namespace() == namespace && !pods::is_ready(pod);
            store
                .state()
                .iter()
                .filter(|pod| waits(pod))
                .map(|pod| ObjectRef::from_obj(pod.as_ref()))
                .collect()
        }
    };
    let (for_secrets, for_maps, for_claims) =
        (waiting(store.clone()), waiting(store.clone()), waiting(store.clone()));
    let secrets = watcher(Api::<PartialObjectMeta<Secret>>::all(client.clone()), config()).default_backoff();
    let maps = watcher(Api::<PartialObjectMeta<ConfigMap>>::all(client.clone()), config()).default_backoff();
    let claims = watcher(Api::<PartialObjectMeta<PersistentVolumeClaim>>::all(client.clone()), config())
        .default_backoff();
    let controller = controller
        .watches_stream(secrets.touched_objects(), move |object: PartialObjectMeta<Secret>| {
            for_secrets(object.namespace())
        })
        .watches_stream(maps.touched_objects(), move |object: PartialObjectMeta<ConfigMap>| {
            for_maps(object.namespace())
        })
        .watches_stream(claims.touched_objects(), move |object: PartialObjectMeta<PersistentVolumeClaim>| {
            for_claims(object.namespace())
        });
    let pods = drive(controller, reconcile, context);
    match registries {
        Some(registries) => {
            tokio::join!(pods, registries.follow_deletions(client));
        }
        None => pods.await,
    }
}

async fn reconcile(pod: Arc<Pod>, context: Arc<Context>) -> Result<Action, Error> {
    let api: Api<Pod> = Api::namespaced(context.client.clone(), &pod.namespace().unwrap_or_default());
    let spec = pod.spec.clone().unwrap_or_default();
    if pods::is_terminating(&pod) {
        // The containers end at once.
        let preconditions = Some(Preconditions { uid: pod.uid(), resource_version: None });
        let parameters =
            DeleteParams { grace_period_seconds: Some(0), preconditions, ..DeleteParams::default() };
        unless_gone(api.delete(&pod.name_any(), &parameters).await)?;
        return done();
    }
    if spec.restart_policy.as_deref() != Some("Always") {
        return not_run(&context, &pod).await;
    }
    if spec.node_name.is_none() {
        unless_gone(bind(&context.client, &pod).await)?;
        return done();
    }
    let mut obstacle = obstacle(&context.client, &pod).await?;
    let mut next = done();
    if let (None, Some(registries)) = (&obstacle, &context.registries) {
        match registries.serve(&context.client, &pod).await? {
            Served::NotARegistry => {}
            Served::At(address) => annotate(&api, &pod, &address).await?,
            Served::Failed(message) => {
                obstacle = Some(("RunContainerError", message));
                next = Ok(Action::requeue(REGISTRY_RETRY));
            }
        }
    }
    if let Some(status) = wanted_status(&pod, obstacle) {
        let patch = json!({"metadata": {"uid": pod.uid()}, "status": status});
        unless_gone(api.patch_status(&pod.name_any(), &parameters(), &Patch::Merge(patch)).await)?;
    }
    next
}

/// Puts the address of its registry on a pod.
async fn annotate(api: &Api<Pod>, pod: &Pod, address: &str) -> Result<(), Error> {
    if pod.annotations().get(crate::DEV_ENDPOINT_ANNOTATION).is_some_and(|known| known == address) {
        return Ok(());
    }
    let patch =
        json!({"metadata": {"uid": pod.uid(), "annotations": {crate::DEV_ENDPOINT_ANNOTATION: address}}});
    unless_gone(api.patch(&pod.name_any(), &parameters(), &Patch::Merge(patch)).await)
}

fn parameters() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() }
}

/// Says once that a workflow step does not run here.
async fn not_run(context: &Context, pod: &Pod) -> Result<Action, Error> {
    let told = pod.status.as_ref().and_then(|status| status.conditions.as_ref()).into_iter().flatten();
    if pods::phase(pod) != "Pending" || told.into_iter().any(|condition| condition.type_ == "PodScheduled") {
        return done();
    }
    let message = "Pods that end are stored but not run here: there are no containers.";
    let condition = json!([{
        "type": "PodScheduled", "status": "False", "reason": "NotSimulated", "message": message,
        "lastTransitionTime": Timestamp::now().to_string(),
    }]);
    let api: Api<Pod> = Api::namespaced(context.client.clone(), &pod.namespace().unwrap_or_default());
    let patch = json!({"metadata": {"uid": pod.uid()}, "status": {"conditions": condition}});
    unless_gone(api.patch_status(&pod.name_any(), &parameters(), &Patch::Merge(patch)).await)?;
    events::record(&context.events, pod, EventType::Normal, "NotSimulated", message.to_owned()).await;
    done()
}

async fn bind(client: &Client, pod: &Pod) -> Result<(), Error> {
    let binding = Binding {
        metadata: ObjectMeta { name: pod.metadata.name.clone(), uid: pod.uid(), ..ObjectMeta::default() },
        target: ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Node".to_owned()),
            name: Some(NODE.to_owned()),
            ..ObjectReference::default()
        },
    };
    let api: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let _: Value =
        api.create_subresource("binding", &pod.name_any(), &PostParams::default(), &binding).await?;
    Ok(())
}

/// Why the containers cannot start: reason and message of a waiting container.
async fn obstacle(client: &Client, pod: &Pod) -> Result<Option<(&'static str, String)>, Error> {
    let namespace = pod.namespace().unwrap_or_default();
    let spec = pod.spec.clone().unwrap_or_default();
    for volume in spec.volumes.iter().flatten() {
        if let Some(claim) = &volume.persistent_volume_claim {
            let api: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &namespace);
            if api.get_metadata_opt(&claim.claim_name).await?.is_none() {
                return Ok(Some((
                    "ContainerCreating",
                    format!("persistentvolumeclaim {:?} not found", claim.claim_name),
                )));
            }
        }
    }
    for container in &spec.containers {
        let image = container.image.as_deref().unwrap_or_default();
        if !is_image_name(image) {
            return Ok(Some((
                "InvalidImageName",
                format!("Failed to apply default image tag {image:?}: couldn't parse image name"),
            )));
        }
        for variable in container.env.iter().flatten() {
            let Some(source) = &variable.value_from else { continue };
            if let Some(reference) =
                source.secret_key_ref.as_ref().filter(|reference| reference.optional != Some(true))
            {
                let api: Api<Secret> = Api::namespaced(client.clone(), &namespace);
                match api.get_opt(&reference.name).await? {
                    None => return Ok(Some(missing(format!("secret {:?} not found", reference.name)))),
                    Some(secret)
                        if !secret.data.as_ref().is_some_and(|data| data.contains_key(&reference.key)) =>
                    {
                        return Ok(Some(missing(format!(
                            "couldn't find key {} in Secret {namespace}/{}",
                            reference.key, reference.name
                        ))));
                    }
                    Some(_) => {}
                }
            }
            if let Some(reference) =
                source.config_map_key_ref.as_ref().filter(|reference| reference.optional != Some(true))
            {
                let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
                if api.get_metadata_opt(&reference.name).await?.is_none() {
                    return Ok(Some(missing(format!("configmap {:?} not found", reference.name))));
                }
            }
        }
    }
    Ok(None)
}

/// Whether a runtime could parse an image name: tags may have capitals, repositories may not.
fn is_image_name(image: &str) -> bool {
    let name = image.split_once('@').map_or(image, |(name, _digest)| name);
    // A colon before a slash is a registry's port.
    let name = match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    };
    let repository = match name.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => path,
        _ => name,
    };
    let plain =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "._-".contains(letter);
    !image.contains(char::is_whitespace)
        && repository.split('/').all(|part| !part.is_empty() && part.chars().all(plain))
}

fn missing(message: String) -> (&'static str, String) {
    ("CreateContainerConfigError", message)
}

/// The status that the pod should have, or `None` when it has it.
fn wanted_status(pod: &Pod, obstacle: Option<(&'static str, String)>) -> Option<Value> {
    let old = pod.status.clone().unwrap_or_default();
    let waiting =
        old.container_statuses.iter().flatten().find_map(|status| status.state.as_ref()?.waiting.clone());
    match &obstacle {
        None if pods::is_ready(pod) && pods::phase(pod) == "Running" => return None,
        Some((reason, message))
            if waiting.as_ref().is_some_and(|old| {
                old.reason.as_deref() == Some(reason) && old.message.as_ref() == Some(message)
            }) =>
        {
            return None;
        }
        _ => {}
    }
    let now = Timestamp::now().to_string();
    let ready = obstacle.is_none();
    let status = |holds: bool| if holds { "True" } else { "False" };
    let condition =
        |kind: &str, holds: bool| json!({"type": kind, "status": status(holds), "lastTransitionTime": now});
    let spec = pod.spec.clone().unwrap_or_default();
    let containers: Vec<Value> = spec
        .containers
        .iter()
        .map(|container| {
            let state = match &obstacle {
                None => json!({"running": {"startedAt": now}}),
                Some((reason, message)) => json!({"waiting": {"reason": reason, "message": message}}),
            };
            json!({
                "name": container.name, "image": container.image, "imageID": "", "ready": ready, "started": ready,
                "restartCount": 0, "state": state,
            })
        })
        .collect();
    Some(json!({
        "phase": if ready { "Running" } else { "Pending" },
        "hostIP": "127.0.0.1",
        "podIP": "127.0.0.1",
        "podIPs": [{"ip": "127.0.0.1"}],
        "startTime": old.start_time.map_or_else(|| now.clone(), |time| time.0.to_string()),
        "conditions": [
            condition("PodScheduled", true),
            condition("Initialized", true),
            condition("ContainersReady", ready),
            condition("Ready", ready),
        ],
        "containerStatuses": containers,
    }))
}

#[cfg(test)]
mod tests {
    use super::{is_image_name, missing, wanted_status};
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    fn pod(status: serde_json::Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}, "status": status,
        }))
        .expect("a pod")
    }

    #[test]
    fn capitals_are_for_tags_and_hosts() {
        for image in
            ["i", "i:RC1", "ghcr.io/o/i:V1", "Host.example/o/i", "localhost:5000/i", "h.io/i@sha256:00"]
        {
            assert!(is_image_name(image), "{image}");
        }
        for image in ["", "I", "ghcr.io/O/i", "o//i", "i i", ":tag"] {
            assert!(!is_image_name(image), "{image}");
        }
    }

    #[test]
    fn a_pod_becomes_ready_once() {
        let status = wanted_status(&pod(json!({})), None).expect("a status");
        assert_eq!(status["phase"], "Running");
        assert_eq!(wanted_status(&pod(status), None), None);
    }

    #[test]
    fn an_obstacle_is_told_once() {
        let status =
            wanted_status(&pod(json!({})), Some(missing("secret \"s\" not found".into()))).expect("a status");
        assert_eq!(status["phase"], "Pending");
        assert_eq!(
            status["containerStatuses"][0]["state"]["waiting"]["reason"],
            "CreateContainerConfigError"
        );
        assert_eq!(wanted_status(&pod(status.clone()), Some(missing("secret \"s\" not found".into()))), None);
        assert!(wanted_status(&pod(status), None).is_some());
    }
}
