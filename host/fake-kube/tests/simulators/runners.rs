//! Runners that tests bring: they say what becomes of pods.

use crate::{PATIENCE, create, only, until};
use fake_kube::k8s_openapi::api::batch::v1::Job;
use fake_kube::k8s_openapi::api::core::v1::{Event, Pod};
use fake_kube::kube::api::{DeleteParams, ListParams};
use fake_kube::kube::runtime::wait::conditions;
use fake_kube::kube::{Api, ResourceExt};
use fake_kube::{FakeKube, PodReport, PodRun, PodRunner};
use futures::future::{BoxFuture, FutureExt};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::Notify;

/// Runs pods that end, until the test says how they end.
struct Scripted {
    started: Notify,
    end: Notify,
    exit_code: i32,
}

impl Scripted {
    fn new(exit_code: i32) -> Arc<Self> {
        Arc::new(Self { started: Notify::new(), end: Notify::new(), exit_code })
    }
}

impl PodRunner for Scripted {
    fn accepts(&self, pod: &Pod) -> bool {
        pod.spec.as_ref().is_some_and(|spec| spec.restart_policy.as_deref() == Some("Never"))
    }

    fn run(self: Arc<Self>, pod: Arc<Pod>, run: PodRun) -> BoxFuture<'static, ()> {
        async move {
            run.report(PodReport::running(&pod));
            self.started.notify_one();
            self.end.notified().await;
            run.report(PodReport::ended(&pod, self.exit_code));
        }
        .boxed()
    }
}

#[tokio::test]
async fn a_job_ends_as_the_runner_ends_its_pods() {
    for (exit_code, condition) in [(0, "Complete"), (3, "Failed")] {
        let runner = Scripted::new(exit_code);
        let simulators = only(|simulators| {
            simulators.pods = true;
            simulators.jobs = true;
        });
        let simulators = simulators.with_pod_runner(runner.clone());
        let cluster = FakeKube::builder().simulators(simulators).start().await.expect("a server");
        let jobs: Api<Job> = Api::default_namespaced(cluster.client());
        let template = json!({"spec": {
            "restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}],
        }});
        create(&jobs, json!({"metadata": {"name": "j"}, "spec": {"backoffLimit": 0, "template": template}}))
            .await;
        tokio::time::timeout(PATIENCE, runner.started.notified()).await.expect("the pod starts");
        let pods: Api<Pod> = Api::default_namespaced(cluster.client());
        until(&pods, "j-0", "running", conditions::is_pod_running()).await;
        runner.end.notify_one();
        let has_ended = move |job: Option<&Job>| {
            let conditions = job.and_then(|job| job.status.as_ref()?.conditions.as_ref());
            conditions.into_iter().flatten().any(|found| found.type_ == condition && found.status == "True")
        };
        until(&jobs, "j", condition, has_ended).await;
    }
}

#[tokio::test]
async fn a_pod_that_is_deleted_stays_until_its_containers_have_stopped() {
    let runner = Scripted::new(0);
    let simulators = only(|simulators| simulators.pods = true).with_pod_runner(runner.clone());
    let cluster = FakeKube::builder().simulators(simulators).start().await.expect("a server");
    let pods: Api<Pod> = Api::default_namespaced(cluster.client());
    let spec = json!({
        "restartPolicy": "Never", "terminationGracePeriodSeconds": 3600,
        "containers": [{"name": "c", "image": "i"}],
    });
    let uid = create(&pods, json!({"metadata": {"name": "p"}, "spec": spec})).await.uid().expect("a UID");
    tokio::time::timeout(PATIENCE, runner.started.notified()).await.expect("the pod starts");
    pods.delete("p", &DeleteParams::default()).await.expect("accepted");
    let terminating = pods.get("p").await.expect("the pod is still there");
    assert!(terminating.metadata.deletion_timestamp.is_some());
    runner.end.notify_one();
    until(&pods, "p", "deleted", conditions::is_deleted(&uid)).await;
}

/// Says by an Event that it runs a pod, and where.
struct Announcing;

impl PodRunner for Announcing {
    fn accepts(&self, _pod: &Pod) -> bool {
        true
    }

    fn run(self: Arc<Self>, pod: Arc<Pod>, run: PodRun) -> BoxFuture<'static, ()> {
        async move {
            let pod_ip = Some("127.1.2.3".parse().expect("an address"));
            run.warn(Some("spec.containers{c}"), "Odd", "something is odd").await;
            run.report(PodReport { pod_ip, ..PodReport::running(&pod) });
            std::future::pending::<()>().await;
        }
        .boxed()
    }
}

#[tokio::test]
async fn a_runner_says_where_a_pod_answers_and_records_events() {
    let simulators = only(|simulators| {
        simulators.pods = true;
        simulators.events = true;
    });
    let simulators = simulators.with_pod_runner(Arc::new(Announcing));
    let cluster = FakeKube::builder().simulators(simulators).start().await.expect("a server");
    let pods: Api<Pod> = Api::default_namespaced(cluster.client());
    let spec = json!({"containers": [{"name": "c", "image": "i"}]});
    create(&pods, json!({"metadata": {"name": "p"}, "spec": spec})).await;
    until(&pods, "p", "running", conditions::is_pod_running()).await;
    let status = pods.get("p").await.expect("a pod").status.expect("a status");
    assert_eq!(status.pod_ip.as_deref(), Some("127.1.2.3"));
    let events: Api<Event> = Api::default_namespaced(cluster.client());
    let events = events.list(&ListParams::default()).await.expect("a list").items;
    let odd = events.iter().find(|event| event.reason.as_deref() == Some("Odd")).expect("the event");
    assert_eq!((odd.type_.as_deref(), odd.message.as_deref()), (Some("Warning"), Some("something is odd")));
    assert_eq!(odd.involved_object.field_path.as_deref(), Some("spec.containers{c}"));
}
