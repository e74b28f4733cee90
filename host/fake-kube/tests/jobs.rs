//! Jobs whose pods fail: what a failure policy makes of it.

use std::sync::Arc;

use fake_kube::k8s_openapi::api::batch::v1::{Job, JobStatus};
use fake_kube::k8s_openapi::api::core::v1::Pod;
use fake_kube::kube::api::PostParams;
use fake_kube::kube::runtime::wait::await_condition;
use fake_kube::kube::{Api, ResourceExt};
use fake_kube::{FakeKube, PodReport, PodRun, PodRunner, Simulators};
use futures::future::{BoxFuture, FutureExt};
use serde_json::{Value, json};
use std::time::Duration;

/// How long a test waits for what must come. Only failures take that long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ends each pod at once, with a code that depends on its name.
struct Codes(fn(&str) -> i32);

impl PodRunner for Codes {
    fn accepts(&self, _pod: &Pod) -> bool {
        true
    }

    fn run(self: Arc<Self>, pod: Arc<Pod>, run: PodRun) -> BoxFuture<'static, ()> {
        async move { run.report(PodReport::ended(&pod, (self.0)(&pod.name_any()))) }.boxed()
    }
}

/// The status of a Job that has ended, and how: the type and the reason of its last condition.
async fn run(mut spec: Value, codes: fn(&str) -> i32) -> (JobStatus, String) {
    let simulators = Simulators { pods: true, jobs: true, ..Simulators::none() };
    let simulators = simulators.with_pod_runner(Arc::new(Codes(codes)));
    let cluster = FakeKube::builder().simulators(simulators).start().await.expect("a server");
    let jobs: Api<Job> = Api::default_namespaced(cluster.client());
    spec["template"] =
        json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "app", "image": "i"}]}});
    let job: Job = serde_json::from_value(json!({"metadata": {"name": "j"}, "spec": spec})).expect("a Job");
    jobs.create(&PostParams::default(), &job).await.expect("created");
    let end = |job: Option<&Job>| {
        let conditions = job?.status.as_ref()?.conditions.as_ref()?;
        let end = conditions.iter().find(|found| matches!(found.type_.as_str(), "Complete" | "Failed"))?;
        Some(format!("{} {}", end.type_, end.reason.as_deref().unwrap_or_default()))
    };
    let has_ended = move |job: Option<&Job>| end(job).is_some();
    let waited = tokio::time::timeout(PATIENCE, await_condition(jobs, "j", has_ended)).await;
    let job = waited.expect("it ends in time").expect("a watch").expect("a Job");
    let end = end(Some(&job)).expect("it has ended");
    (job.status.expect("a status"), end)
}

fn rule(action: &str) -> Value {
    json!({"rules": [{"action": action, "onExitCodes": {"containerName": "app", "operator": "In", "values": [98]}}]})
}

#[tokio::test]
async fn a_job_that_ignores_a_code_tries_again_without_counting_it() {
    let spec = json!({"backoffLimit": 0, "podFailurePolicy": rule("Ignore")});
    let (status, end) = run(spec, |name| if name == "j-0" { 98 } else { 0 }).await;
    assert_eq!(end, "Complete CompletionsReached");
    assert_eq!((status.succeeded, status.failed.unwrap_or(0)), (Some(1), 0));
    // Other codes count.
    let spec = json!({"backoffLimit": 0, "podFailurePolicy": rule("Ignore")});
    let (status, end) = run(spec, |_| 97).await;
    assert_eq!((end.as_str(), status.failed), ("Failed BackoffLimitExceeded", Some(1)));
}

#[tokio::test]
async fn a_job_that_fails_by_a_code_is_not_tried_again() {
    let (status, end) = run(json!({"podFailurePolicy": rule("FailJob")}), |_| 98).await;
    assert_eq!((end.as_str(), status.failed), ("Failed PodFailurePolicy", Some(1)));
    let conditions = status.conditions.expect("conditions");
    let message = conditions.last().and_then(|condition| condition.message.clone()).expect("a message");
    assert!(message.contains("exit code 98 of container app"), "{message}");
}

#[tokio::test]
async fn an_index_that_fails_leaves_the_others_alone() {
    let spec = json!({
        "completionMode": "Indexed", "completions": 4, "parallelism": 4, "backoffLimitPerIndex": 3,
        "podFailurePolicy": rule("FailIndex"),
    });
    let (status, end) = run(spec, |name| if name.starts_with("j-1-") { 98 } else { 0 }).await;
    assert_eq!(end, "Failed FailedIndexes");
    assert_eq!(status.completed_indexes.as_deref(), Some("0,2,3"));
    assert_eq!((status.failed_indexes.as_deref(), status.failed), (Some("1"), Some(1)));
}
