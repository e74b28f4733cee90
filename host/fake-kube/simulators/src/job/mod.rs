//! A simulated Job controller: pods are created and counted, and the Job completes or fails with
//! them. Pods end when a pod runner or a client writes a phase that is final.
//!
//! It obeys completions, parallelism, indexes, the limits of failures, `podFailurePolicy`,
//! `podReplacementPolicy`, `activeDeadlineSeconds` and `suspend`. It does not obey `successPolicy`
//! and `ttlSecondsAfterFinished`, and restarts within a pod do not count.

mod backoff;
mod counts;
mod failure_policy;
mod indexes;
mod outcome;
mod plan;

use crate::controller::{Error, done, drive, patch_params, unless_gone};
use crate::pods;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, ObjectFieldSelector, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PostParams, Preconditions};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector::Store;
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Api, Client, ResourceExt};
use outcome::Outcome;
use plan::{Missing, Plan, plan};
use serde_json::json;
use std::sync::Arc;

const MANAGER: &str = "job-simulator";
/// batch/v1 `JobCompletionIndexAnnotation`, which is a label too.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// The variable with the index, in every container of an indexed Job (batch/v1
/// `JobSpec.completionMode`).
const INDEX_VARIABLE: &str = "JOB_COMPLETION_INDEX";

struct Context {
    client: Client,
    pods: Store<Pod>,
}

pub(crate) async fn run(client: Client) {
    let (pods, writer) = reflector::store();
    let stream = watcher(Api::<Pod>::all(client.clone()), watcher::Config::default());
    let stream = stream.default_backoff().reflect(writer).touched_objects();
    let context = Context { client: client.clone(), pods };
    let controller = Controller::new(Api::<Job>::all(client), watcher::Config::default()).owns_stream(stream);
    drive(controller, reconcile, context).await;
}

/// Tells a pod of an indexed Job its index: by annotation, label, host name and variable.
fn number(pod: &mut Pod, job: &str, index: i32) {
    pod.annotations_mut().insert(INDEX.to_owned(), index.to_string());
    pod.labels_mut().insert(INDEX.to_owned(), index.to_string());
    let Some(spec) = &mut pod.spec else { return };
    spec.hostname.get_or_insert_with(|| format!("{job}-{index}"));
    let init = spec.init_containers.iter_mut().flatten();
    for container in init.chain(&mut spec.containers) {
        let variables = container.env.get_or_insert_default();
        if variables.iter().all(|variable| variable.name != INDEX_VARIABLE) {
            let field_path = format!("metadata.annotations['{INDEX}']");
            let field_ref = ObjectFieldSelector { field_path, ..ObjectFieldSelector::default() };
            variables.push(EnvVar {
                name: INDEX_VARIABLE.to_owned(),
                value_from: Some(EnvVarSource { field_ref: Some(field_ref), ..EnvVarSource::default() }),
                ..EnvVar::default()
            });
        }
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
    let owned = pods::controlled_by(&context.pods, job.as_ref());
    let plan = plan(&job, &owned, Timestamp::now());
    let namespace = job.namespace().unwrap_or_default();
    let api: Api<Pod> = Api::namespaced(context.client.clone(), &namespace);
    let spec = job.spec.clone().unwrap_or_default();
    for Missing { name, index } in &plan.missing {
        let mut pod = pods::from_template(&*job, &spec.template, name.clone());
        if let Some(index) = index {
            number(&mut pod, &job.name_any(), *index);
        }
        let parameters = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        unless_gone(api.create(&parameters, &pod).await)?;
    }
    if spec.suspend == Some(true) || plan.has_failed() {
        for pod in owned.iter().filter(|pod| !pods::is_finished(pod) && !pods::is_terminating(pod)) {
            let preconditions = Some(Preconditions { uid: pod.uid(), resource_version: None });
            let parameters = DeleteParams { preconditions, ..DeleteParams::background() };
            unless_gone(api.delete(&pod.name_any(), &parameters).await)?;
        }
    }
    write_status(&context, &job, &plan).await?;
    plan.wait.map_or_else(done, |wait| Ok(Action::requeue(wait)))
}

async fn write_status(context: &Context, job: &Job, plan: &Plan) -> Result<(), Error> {
    let spec = job.spec.clone().unwrap_or_default();
    let old = job.status.clone().unwrap_or_default();
    let counts = &plan.counts;
    let now = Timestamp::now().to_string();
    // The API server wants `SuccessCriteriaMet` before `Complete`, and `FailureTarget` before
    // `Failed`.
    let conditions = |kinds: [&str; 2], reason: &str, message: &str| {
        let condition = |kind: &str| json!({"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now, "lastProbeTime": now});
        Some(kinds.map(condition))
    };
    let complete = plan.outcome == Some(Outcome::Complete);
    let conditions = match &plan.outcome {
        Some(Outcome::Complete) => {
            let message = "Reached expected number of succeeded pods";
            conditions(["SuccessCriteriaMet", "Complete"], "CompletionsReached", message)
        }
        Some(Outcome::Failed { reason, message }) if counts.active == 0 => {
            conditions(["FailureTarget", "Failed"], reason, message)
        }
        _ => None,
    };
    // A suspended Job has not started.
    let started = (spec.suspend != Some(true) || old.start_time.is_some())
        .then(|| old.start_time.as_ref().map_or_else(|| now.clone(), |time| time.0.to_string()));
    let completed = plan.completed.as_ref().map(indexes::text).filter(|text| !text.is_empty());
    let failed = plan.failed.as_ref().map(indexes::text).filter(|text| !text.is_empty());
    let same = old.active.unwrap_or(0) == counts.active
        && old.ready.unwrap_or(0) == counts.ready
        && old.succeeded.unwrap_or(0) == counts.succeeded
        && old.failed.unwrap_or(0) == counts.failed
        && old.completed_indexes == completed
        && old.failed_indexes == failed;
    if same && conditions.is_none() && old.start_time.is_some() == started.is_some() {
        return Ok(());
    }
    let patch = json!({"metadata": {"uid": job.uid()}, "status": {
        "active": counts.active, "succeeded": counts.succeeded, "failed": counts.failed, "ready": counts.ready,
        "completedIndexes": completed, "failedIndexes": failed,
        "startTime": started, "completionTime": complete.then_some(&now), "conditions": conditions,
    }});
    let api: Api<Job> = Api::namespaced(context.client.clone(), &job.namespace().unwrap_or_default());
    let parameters = patch_params(MANAGER);
    unless_gone(api.patch_status(&job.name_any(), &parameters, &Patch::Merge(patch)).await)
}

#[cfg(test)]
mod tests {
    use super::INDEX;
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    #[test]
    fn a_pod_of_an_indexed_job_knows_its_index() {
        let template = json!({"metadata": {"name": "j-2-0"}, "spec": {
            "initContainers": [{"name": "i", "env": [{"name": "JOB_COMPLETION_INDEX", "value": "own"}]}],
            "containers": [{"name": "c"}],
        }});
        let mut pod: Pod = serde_json::from_value(template).expect("a pod");
        super::number(&mut pod, "j", 2);
        let pod = serde_json::to_value(pod).expect("JSON");
        assert_eq!(pod["metadata"]["annotations"][INDEX], "2");
        assert_eq!(pod["spec"]["hostname"], "j-2");
        let path = "metadata.annotations['batch.kubernetes.io/job-completion-index']";
        assert_eq!(pod["spec"]["containers"][0]["env"][0]["valueFrom"]["fieldRef"]["fieldPath"], path);
        assert_eq!(pod["spec"]["initContainers"][0]["env"].as_array().map(Vec::len), Some(1));
    }
}
