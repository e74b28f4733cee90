//! A simulated Job controller: pods are created and counted, and the Job completes or fails with
//! them. Pods end when a pod runner or a client writes a phase that is final.

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

/// Counts of a Job's pods.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    active: i32,
    /// How many of the active ones are ready.
    ready: i32,
    succeeded: i32,
    failed: i32,
}

fn count(pods: &[Arc<Pod>]) -> Counts {
    let mut counts = Counts::default();
    for pod in pods {
        match pods::phase(pod) {
            "Succeeded" => counts.succeeded += 1,
            "Failed" => counts.failed += 1,
            _ if !pods::is_terminating(pod) => {
                counts.active += 1;
                counts.ready += i32::from(pods::is_ready(pod));
            }
            _ => {}
        }
    }
    counts
}

/// A pod to create. Its name is the first free one and not a random one: a cache that lags behind
/// then leads to the same name again, which the API refuses, and not to a second pod.
#[derive(Debug, PartialEq, Eq)]
struct Missing {
    name: String,
    index: Option<i32>,
}

fn missing(job: &Job, pods: &[Arc<Pod>]) -> Vec<Missing> {
    let spec = job.spec.clone().unwrap_or_default();
    let counts = count(pods);
    if spec.suspend == Some(true) || has_failed(job, &counts) {
        return Vec::new();
    }
    let parallelism = spec.parallelism.unwrap_or(1);
    let left = match spec.completions {
        Some(completions) => completions - counts.succeeded - counts.active,
        // A work queue: the first success says that no work is left, so no further pod starts.
        None if counts.succeeded > 0 => 0,
        None => parallelism,
    };
    let most = usize::try_from((parallelism - counts.active).min(left)).unwrap_or(0);
    let is_free = |name: &String| !pods.iter().any(|pod| pod.name_any() == *name);
    let job = job.name_any();
    if spec.completion_mode.as_deref() == Some("Indexed") {
        let taken = |index: &i32| {
            let is_alive = |pod: &&Arc<Pod>| pods::phase(pod) != "Failed" && !pods::is_terminating(pod);
            pods.iter().filter(is_alive).any(|pod| pod.annotations().get(INDEX) == Some(&index.to_string()))
        };
        let attempt = |index: i32| {
            let names = (0..).map(|attempt: u32| format!("{job}-{index}-{attempt}"));
            names.into_iter().find(is_free).map(|name| Missing { name, index: Some(index) })
        };
        let indexes = 0..spec.completions.unwrap_or(1);
        indexes.filter(|index| !taken(index)).take(most).filter_map(attempt).collect()
    } else {
        let names = (0..).map(|number: u32| format!("{job}-{number}")).filter(is_free);
        names.take(most).map(|name| Missing { name, index: None }).collect()
    }
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

fn has_failed(job: &Job, counts: &Counts) -> bool {
    counts.failed > job.spec.as_ref().and_then(|spec| spec.backoff_limit).unwrap_or(6)
}

fn is_complete(job: &Job, counts: &Counts) -> bool {
    match job.spec.as_ref().and_then(|spec| spec.completions) {
        Some(completions) => counts.succeeded >= completions,
        None => counts.succeeded > 0 && counts.active == 0,
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
    let namespace = job.namespace().unwrap_or_default();
    let api: Api<Pod> = Api::namespaced(context.client.clone(), &namespace);
    let spec = job.spec.clone().unwrap_or_default();
    for Missing { name, index } in missing(&job, &owned) {
        let mut pod = pods::from_template(&*job, &spec.template, name);
        if let Some(index) = index {
            number(&mut pod, &job.name_any(), index);
        }
        let parameters = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        unless_gone(api.create(&parameters, &pod).await)?;
    }
    let counts = count(&owned);
    if spec.suspend == Some(true) || has_failed(&job, &counts) {
        for pod in owned.iter().filter(|pod| !pods::is_finished(pod) && !pods::is_terminating(pod)) {
            let preconditions = Some(Preconditions { uid: pod.uid(), resource_version: None });
            let parameters = DeleteParams { preconditions, ..DeleteParams::background() };
            unless_gone(api.delete(&pod.name_any(), &parameters).await)?;
        }
    }
    write_status(&context, &job, &counts).await?;
    done()
}

async fn write_status(context: &Context, job: &Job, counts: &Counts) -> Result<(), Error> {
    let spec = job.spec.clone().unwrap_or_default();
    let old = job.status.clone().unwrap_or_default();
    let now = Timestamp::now().to_string();
    // The API server wants `SuccessCriteriaMet` before `Complete`, and `FailureTarget` before
    // `Failed`.
    let conditions = |kinds: [&str; 2], reason: &str, message: &str| {
        let condition = |kind: &str| json!({"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now, "lastProbeTime": now});
        Some(kinds.map(condition))
    };
    let complete = is_complete(job, counts);
    let conditions = if complete {
        let message = "Reached expected number of succeeded pods";
        conditions(["SuccessCriteriaMet", "Complete"], "CompletionsReached", message)
    } else if has_failed(job, counts) && counts.active == 0 {
        let message = "Job has reached the specified backoff limit";
        conditions(["FailureTarget", "Failed"], "BackoffLimitExceeded", message)
    } else {
        None
    };
    // A suspended Job has not started.
    let started = (spec.suspend != Some(true) || old.start_time.is_some())
        .then(|| old.start_time.as_ref().map_or_else(|| now.clone(), |time| time.0.to_string()));
    let same = old.active.unwrap_or(0) == counts.active
        && old.ready.unwrap_or(0) == counts.ready
        && old.succeeded.unwrap_or(0) == counts.succeeded
        && old.failed.unwrap_or(0) == counts.failed;
    if same && conditions.is_none() && old.start_time.is_some() == started.is_some() {
        return Ok(());
    }
    let patch = json!({"metadata": {"uid": job.uid()}, "status": {
        "active": counts.active, "succeeded": counts.succeeded, "failed": counts.failed, "ready": counts.ready,
        "startTime": started, "completionTime": complete.then_some(&now), "conditions": conditions,
    }});
    let api: Api<Job> = Api::namespaced(context.client.clone(), &job.namespace().unwrap_or_default());
    let parameters = patch_params(MANAGER);
    unless_gone(api.patch_status(&job.name_any(), &parameters, &Patch::Merge(patch)).await)
}

#[cfg(test)]
mod tests {
    use super::{INDEX, Missing, count};
    use k8s_openapi::api::batch::v1::Job;
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn job(spec: Value) -> Job {
        let mut spec = spec;
        spec["template"] = json!({});
        serde_json::from_value(json!({"metadata": {"name": "j"}, "spec": spec})).expect("a job")
    }

    fn missing(job: &Job, pods: &[Arc<Pod>]) -> Vec<String> {
        super::missing(job, pods).into_iter().map(|Missing { name, .. }| name).collect()
    }

    fn indexed(index: u8, attempt: u8, phase: &str) -> Arc<Pod> {
        let name = format!("j-{index}-{attempt}");
        let pod = json!({
            "metadata": {"name": name, "annotations": {INDEX: index.to_string()}}, "status": {"phase": phase},
        });
        Arc::new(serde_json::from_value(pod).expect("a pod"))
    }

    fn pod(number: u8, phase: &str) -> Arc<Pod> {
        let pod = json!({"metadata": {"name": format!("j-{number}")}, "status": {"phase": phase}});
        Arc::new(serde_json::from_value(pod).expect("a pod"))
    }

    #[test]
    fn an_indexed_job_replaces_the_pods_of_missing_indexes() {
        let job = job(json!({"completionMode": "Indexed", "completions": 3, "parallelism": 2}));
        assert_eq!(missing(&job, &[]), ["j-0-0", "j-1-0"]);
        assert_eq!(missing(&job, &[indexed(0, 0, "Succeeded"), indexed(2, 0, "Pending")]), ["j-1-0"]);
        assert_eq!(missing(&job, &[indexed(0, 0, "Failed"), indexed(1, 0, "Pending")]), ["j-0-1"]);
    }

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

    #[test]
    fn a_new_pod_gets_the_first_free_name() {
        let two = job(json!({"completions": 2, "parallelism": 2}));
        assert_eq!(missing(&two, &[pod(1, "Pending")]), ["j-0"]);
        assert_eq!(missing(&two, &[pod(0, "Failed"), pod(1, "Pending")]), ["j-2"]);
    }

    #[test]
    fn a_work_queue_starts_no_pod_after_the_first_success() {
        let queue = job(json!({"parallelism": 3}));
        assert_eq!(missing(&queue, &[]), ["j-0", "j-1", "j-2"]);
        assert!(missing(&queue, &[pod(0, "Succeeded"), pod(1, "Pending")]).is_empty());
    }

    #[test]
    fn suspended_and_failed_jobs_start_no_pod() {
        assert!(missing(&job(json!({"suspend": true})), &[]).is_empty());
        assert!(missing(&job(json!({"backoffLimit": 0})), &[pod(0, "Failed")]).is_empty());
        assert_eq!(missing(&job(json!({})), &[pod(0, "Failed")]), ["j-1"]);
        assert_eq!(count(&[pod(0, "Failed"), pod(1, "Succeeded"), pod(2, "")]).active, 1);
    }
}
