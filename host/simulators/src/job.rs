//! The Job controller, as far as pods that never run allow: pods are made, counted and, once somebody gives them a
//! terminal phase, summed up.

use crate::pods;
use crate::tasks::{Error, done, retry, unless_gone};
use futures::StreamExt;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector::Store;
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use std::sync::Arc;

const MANAGER: &str = "job-simulator";
/// batch/v1 `JobCompletionIndexAnnotation`; also a label.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";

struct Context {
    client: Client,
    pods: Store<Pod>,
}

pub(crate) async fn run(client: Client) {
    let (pods, writer) = reflector::store();
    let stream = watcher(Api::<Pod>::all(client.clone()), watcher::Config::default());
    let stream = stream.default_backoff().reflect(writer).touched_objects();
    let context = Arc::new(Context { client: client.clone(), pods });
    Controller::new(Api::<Job>::all(client), watcher::Config::default())
        .owns_stream(stream)
        .run(reconcile, retry, context)
        .for_each(|_| async {})
        .await;
}

/// Counts of a Job's pods.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    active: i32,
    succeeded: i32,
    failed: i32,
}

fn count(pods: &[Arc<Pod>]) -> Counts {
    let mut counts = Counts::default();
    for pod in pods {
        match pods::phase(pod) {
            "Succeeded" => counts.succeeded += 1,
            "Failed" => counts.failed += 1,
            _ if !pods::is_terminating(pod) => counts.active += 1,
            _ => {}
        }
    }
    counts
}

/// Completion indexes (or positions) for which a pod is missing now.
fn missing(job: &Job, pods: &[Arc<Pod>]) -> Vec<i32> {
    let spec = job.spec.clone().unwrap_or_default();
    let counts = count(pods);
    if spec.suspend == Some(true) || counts.failed > spec.backoff_limit.unwrap_or(6) {
        return Vec::new();
    }
    let completions = spec.completions.unwrap_or(1);
    let room =
        (spec.parallelism.unwrap_or(1) - counts.active).min(completions - counts.succeeded - counts.active);
    let room = usize::try_from(room).unwrap_or(0);
    if spec.completion_mode.as_deref() == Some("Indexed") {
        let taken = |index: i32| {
            let is_alive = |pod: &&Arc<Pod>| pods::phase(pod) != "Failed";
            pods.iter().filter(is_alive).any(|pod| pod.annotations().get(INDEX) == Some(&index.to_string()))
        };
        (0..completions).filter(|index| !taken(*index)).take(room).collect()
    } else {
        let first = i32::try_from(pods.len()).unwrap_or(i32::MAX);
        (first..).take(room).collect()
    }
}

async fn reconcile(job: Arc<Job>, context: Arc<Context>) -> Result<Action, Error> {
    let finished = job.status.as_ref().and_then(|status| status.conditions.as_ref());
    let finished = finished
        .into_iter()
        .flatten()
        .any(|condition| matches!(condition.type_.as_str(), "Complete" | "Failed"));
    if finished || job.metadata.deletion_timestamp.is_some() {
        return done();
    }
    let owned = pods::owned_by(&context.pods, &job.uid().unwrap_or_default());
    let namespace = job.namespace().unwrap_or_default();
    let api: Api<Pod> = Api::namespaced(context.client.clone(), &namespace);
    let spec = job.spec.clone().unwrap_or_default();
    let indexed = spec.completion_mode.as_deref() == Some("Indexed");
    for index in missing(&job, &owned) {
        let mut pod = pods::from_template(&*job, &spec.template, format!("{}-{index}", job.name_any()));
        if indexed {
            pod.annotations_mut().insert(INDEX.to_owned(), index.to_string());
            pod.labels_mut().insert(INDEX.to_owned(), index.to_string());
        }
        let parameters = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        unless_gone(api.create(&parameters, &pod).await)?;
    }
    write_status(&context, &job, &count(&owned)).await?;
    done()
}

async fn write_status(context: &Context, job: &Job, counts: &Counts) -> Result<(), Error> {
    let spec = job.spec.clone().unwrap_or_default();
    let old = job.status.clone().unwrap_or_default();
    let now = Timestamp::now().to_string();
    let condition = |kind: &str, reason: &str, message: &str| json!([{"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now, "lastProbeTime": now}]);
    let conditions = if counts.succeeded >= spec.completions.unwrap_or(1) {
        Some(condition("Complete", "CompletionsReached", "Reached expected number of succeeded pods"))
    } else if counts.failed > spec.backoff_limit.unwrap_or(6) {
        Some(condition("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"))
    } else {
        None
    };
    let same = old.active.unwrap_or(0) == counts.active
        && old.succeeded.unwrap_or(0) == counts.succeeded
        && old.failed.unwrap_or(0) == counts.failed;
    if same && conditions.is_none() && old.start_time.is_some() {
        return Ok(());
    }
    let started = old.start_time.map_or_else(|| now.clone(), |time| time.0.to_string());
    let patch = json!({"metadata": {"uid": job.uid()}, "status": {
        "active": counts.active, "succeeded": counts.succeeded, "failed": counts.failed, "ready": 0,
        "startTime": started, "conditions": conditions,
    }});
    let api: Api<Job> = Api::namespaced(context.client.clone(), &job.namespace().unwrap_or_default());
    let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    unless_gone(api.patch_status(&job.name_any(), &parameters, &Patch::Merge(patch)).await)
}

#[cfg(test)]
mod tests {
    use super::{INDEX, count, missing};
    use k8s_openapi::api::batch::v1::Job;
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn job(spec: Value) -> Job {
        let mut spec = spec;
        spec["template"] = json!({});
        serde_json::from_value(json!({"metadata": {"name": "j"}, "spec": spec})).expect("a job")
    }

    fn pod(index: u8, phase: &str) -> Arc<Pod> {
        let pod =
            json!({"metadata": {"annotations": {INDEX: index.to_string()}}, "status": {"phase": phase}});
        Arc::new(serde_json::from_value(pod).expect("a pod"))
    }

    #[test]
    fn indexed_jobs_fill_their_gaps() {
        let indexed = job(json!({"completionMode": "Indexed", "completions": 3, "parallelism": 2}));
        assert_eq!(missing(&indexed, &[]), [0, 1]);
        assert_eq!(missing(&indexed, &[pod(0, "Succeeded"), pod(2, "Pending")]), [1]);
        assert_eq!(missing(&indexed, &[pod(0, "Failed"), pod(1, "Pending")]), [0]);
    }

    #[test]
    fn suspended_and_failed_jobs_wait() {
        assert!(missing(&job(json!({"suspend": true})), &[]).is_empty());
        assert!(missing(&job(json!({"backoffLimit": 0})), &[pod(0, "Failed")]).is_empty());
        assert_eq!(missing(&job(json!({})), &[pod(0, "Failed")]), [1]);
        assert_eq!(count(&[pod(0, "Failed"), pod(1, "Succeeded"), pod(2, "")]).active, 1);
    }
}
