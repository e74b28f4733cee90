//! What the simulators do to objects, seen through the API.

use std::sync::Arc;

use fake_kube::k8s_openapi::api::batch::v1::Job;
use fake_kube::k8s_openapi::api::core::v1::{
    ConfigMap, Event, Namespace, PersistentVolumeClaim, Pod, Secret,
};
use fake_kube::k8s_openapi::api::storage::v1::StorageClass;
use fake_kube::kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use fake_kube::kube::runtime::wait::{Condition, await_condition, conditions};
use fake_kube::kube::{Api, Client, ResourceExt};
use fake_kube::{FakeKube, PodReport, PodRun, PodRunner, Simulators};
use futures::future::{BoxFuture, FutureExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;
use std::time::Duration;
use tokio::sync::Notify;

/// How long a test waits for what must come. Only failures take that long.
const PATIENCE: Duration = Duration::from_secs(40);

async fn until<K>(api: &Api<K>, name: &str, what: &str, condition: impl Condition<K>)
where
    K: Clone + Debug + Send + DeserializeOwned + fake_kube::kube::Resource + 'static,
{
    let waited = tokio::time::timeout(PATIENCE, await_condition(api.clone(), name, condition)).await;
    waited.unwrap_or_else(|_| panic!("{name} is not {what} in time")).expect("a watch");
}

async fn create<K>(api: &Api<K>, object: Value) -> K
where
    K: Clone + Debug + DeserializeOwned + serde::Serialize,
{
    let object: K = serde_json::from_value(object).expect("an object");
    api.create(&PostParams::default(), &object).await.expect("created")
}

async fn namespace(client: &Client, name: &str) {
    create::<Namespace>(&Api::all(client.clone()), json!({"metadata": {"name": name}})).await;
}

/// ConfigMaps of two new namespaces, `victim` and `attacker`.
async fn two_namespaces(client: &Client) -> [Api<ConfigMap>; 2] {
    let [victim, attacker] = ["victim", "attacker"];
    namespace(client, victim).await;
    namespace(client, attacker).await;
    [victim, attacker].map(|name| Api::namespaced(client.clone(), name))
}

fn only(change: impl FnOnce(&mut Simulators)) -> Simulators {
    let mut simulators = Simulators::none();
    change(&mut simulators);
    simulators
}

#[tokio::test]
async fn a_dependent_of_an_owner_in_another_namespace_is_deleted_and_warned_of() {
    let collector = only(|simulators| {
        simulators.garbage_collection = true;
        simulators.events = true;
    });
    let cluster = FakeKube::builder().simulators(collector).start().await.expect("a server");
    let client = cluster.client();
    let [victim, attacker] = two_namespaces(&client).await;
    let owner = create(&victim, json!({"metadata": {"name": "owner"}})).await;
    let uid = owner.uid().expect("a UID");
    let reference = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid, "controller": true,
        "blockOwnerDeletion": true,
    });
    let dependent = |name: &str| json!({"metadata": {"name": name, "ownerReferences": [reference]}});
    create(&victim, dependent("dependent")).await;
    let foreign = create(&attacker, dependent("dependent")).await;
    let foreign_uid = foreign.uid().expect("a UID");
    until(&attacker, "dependent", "deleted", conditions::is_deleted(&foreign_uid)).await;
    assert!(victim.get_opt("dependent").await.expect("an answer").is_some(), "the real dependent stays");

    let events: Api<Event> = Api::namespaced(client.clone(), "attacker");
    let warned = async {
        loop {
            let found = events.list(&ListParams::default()).await.expect("a list").items;
            let warning =
                found.iter().find(|event| event.reason.as_deref() == Some("OwnerRefInvalidNamespace"));
            if let Some(event) = warning {
                return event.message.clone().unwrap_or_default();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let message = tokio::time::timeout(PATIENCE, warned).await.expect("an Event");
    let expected = format!(
        "ownerRef [v1/ConfigMap, namespace: attacker, name: owner, uid: {uid}] does not exist in namespace \
         \"attacker\""
    );
    assert_eq!(message, expected);
}

#[tokio::test]
async fn an_object_of_another_namespace_does_not_hold_up_the_deletion_of_its_owner() {
    let collector = only(|simulators| simulators.garbage_collection = true);
    let cluster = FakeKube::builder().simulators(collector).start().await.expect("a server");
    let client = cluster.client();
    let [victim, attacker] = two_namespaces(&client).await;
    let owner = create(&victim, json!({"metadata": {"name": "owner"}})).await;
    let uid = owner.uid().expect("a UID");
    let reference = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid, "blockOwnerDeletion": true,
    });
    create(
        &attacker,
        json!({"metadata": {
            "name": "dependent", "ownerReferences": [reference], "finalizers": ["example.org/stay"],
        }}),
    )
    .await;
    victim.delete("owner", &DeleteParams::foreground()).await.expect("accepted");
    until(&victim, "owner", "deleted", conditions::is_deleted(&uid)).await;
    assert!(attacker.get_opt("dependent").await.expect("an answer").is_some(), "its finalizer holds it");
}

#[tokio::test]
async fn a_reference_to_an_absent_owner_is_removed_when_another_owner_exists() {
    let collector = only(|simulators| simulators.garbage_collection = true);
    let cluster = FakeKube::builder().simulators(collector).start().await.expect("a server");
    let maps: Api<ConfigMap> = Api::default_namespaced(cluster.client());
    let owner = create(&maps, json!({"metadata": {"name": "owner"}})).await;
    let reference =
        |name: &str, uid: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid});
    let uid = owner.uid().expect("a UID");
    let owners = [reference("owner", &uid), reference("absent", "0")];
    create(&maps, json!({"metadata": {"name": "dependent", "ownerReferences": owners}})).await;
    let has_one_owner = move |map: Option<&ConfigMap>| {
        map.is_some_and(|map| map.owner_references().iter().map(|owner| &owner.uid).eq([&uid]))
    };
    until(&maps, "dependent", "owned by one object", has_one_owner).await;
}

#[tokio::test]
async fn a_namespace_is_emptied_before_it_is_deleted() {
    let emptying = only(|simulators| simulators.namespaces = true);
    let cluster = FakeKube::builder().simulators(emptying).start().await.expect("a server");
    let client = cluster.client();
    namespace(&client, "work").await;
    create::<ConfigMap>(&Api::namespaced(client.clone(), "work"), json!({"metadata": {"name": "a"}})).await;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let uid = namespaces.get("work").await.expect("a namespace").uid().expect("a UID");
    namespaces.delete("work", &DeleteParams::default()).await.expect("accepted");
    until(&namespaces, "work", "deleted", conditions::is_deleted(&uid)).await;
    let left: Api<ConfigMap> = Api::all(client);
    assert!(
        left.list(&ListParams::default())
            .await
            .expect("a list")
            .items
            .iter()
            .all(|map| map.name_any() != "a")
    );
}

fn pod(name: &str, restart_policy: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {
        "restartPolicy": restart_policy,
        "containers": [{"name": "c", "image": "i", "env": [
            {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        ]}],
    }})
}

#[tokio::test]
async fn a_pod_becomes_ready_when_its_secret_appears() {
    let pods = only(|simulators| simulators.pods = true);
    let cluster = FakeKube::builder().simulators(pods).start().await.expect("a server");
    let pods: Api<Pod> = Api::default_namespaced(cluster.client());
    create(&pods, pod("p", "Always")).await;
    let waits = |pod: Option<&Pod>| {
        let statuses = pod.and_then(|pod| pod.status.as_ref()?.container_statuses.as_ref());
        statuses.into_iter().flatten().any(|status| {
            let waiting = status.state.as_ref().and_then(|state| state.waiting.as_ref());
            waiting.is_some_and(|waiting| waiting.message.as_deref() == Some("secret \"s\" not found"))
        })
    };
    until(&pods, "p", "waiting", waits).await;
    let secrets: Api<Secret> = Api::default_namespaced(cluster.client());
    create(&secrets, json!({"metadata": {"name": "s"}, "stringData": {"k": "v"}})).await;
    until(&pods, "p", "running", conditions::is_pod_running()).await;
}

#[tokio::test]
async fn a_pod_with_scheduling_gates_gets_no_node_until_the_last_gate_is_gone() {
    let pods = only(|simulators| simulators.pods = true);
    let cluster = FakeKube::builder().simulators(pods).start().await.expect("a server");
    let pods: Api<Pod> = Api::default_namespaced(cluster.client());
    let pod = |name: &str, gates: Value| {
        json!({"metadata": {"name": name}, "spec": {
            "schedulingGates": gates, "containers": [{"name": "c", "image": "i"}],
        }})
    };
    create(&pods, pod("gated", json!([{"name": "a/b"}]))).await;
    // Pods are handled in the order in which they come.
    create(&pods, pod("free", json!([]))).await;
    until(&pods, "free", "running", conditions::is_pod_running()).await;
    let gated = pods.get("gated").await.expect("a pod");
    assert_eq!(gated.spec.and_then(|spec| spec.node_name), None);
    // What docs/gates.md tells people to send when there is no operator.
    let patch = json!({"spec": {"schedulingGates": [{"$patch": "delete", "name": "a/b"}]}});
    let released =
        pods.patch("gated", &Default::default(), &fake_kube::kube::api::Patch::Strategic(patch)).await;
    released.expect("a gate may be removed");
    until(&pods, "gated", "running", conditions::is_pod_running()).await;
}

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

#[tokio::test]
async fn a_pod_that_ends_stays_pending_when_nobody_runs_it() {
    let pods = only(|simulators| simulators.pods = true);
    let cluster = FakeKube::builder().simulators(pods).start().await.expect("a server");
    let pods: Api<Pod> = Api::default_namespaced(cluster.client());
    create(&pods, pod("p", "Never")).await;
    let is_told = |pod: Option<&Pod>| {
        let conditions = pod.and_then(|pod| pod.status.as_ref()?.conditions.as_ref());
        conditions.into_iter().flatten().any(|found| found.reason.as_deref() == Some("NotSimulated"))
    };
    until(&pods, "p", "marked as not simulated", is_told).await;
    let events: Api<Event> = Api::default_namespaced(cluster.client());
    assert!(events.list(&ListParams::default()).await.expect("a list").items.is_empty(), "Events are off");
}

#[tokio::test]
async fn a_pod_with_scheduling_gates_gets_no_node_until_they_are_removed() {
    let pods = only(|simulators| simulators.pods = true);
    let cluster = FakeKube::builder().simulators(pods).start().await.expect("a server");
    let pods: Api<Pod> = Api::default_namespaced(cluster.client());
    let mut gated = pod("p", "Always");
    gated["spec"] = json!({
        "schedulingGates": [{"name": "example.org/wait"}], "containers": [{"name": "c", "image": "i"}],
    });
    create(&pods, gated).await;
    let is_gated = |pod: Option<&Pod>| {
        let conditions = pod.and_then(|pod| pod.status.as_ref()?.conditions.as_ref());
        conditions.into_iter().flatten().any(|found| {
            found.type_ == "PodScheduled"
                && found.status == "False"
                && found.reason.as_deref() == Some("SchedulingGated")
        })
    };
    until(&pods, "p", "gated", is_gated).await;
    let gated = pods.get("p").await.expect("a pod");
    assert!(gated.spec.is_some_and(|spec| spec.node_name.is_none()));
    let open = Patch::Merge(json!({"spec": {"schedulingGates": null}}));
    pods.patch("p", &PatchParams::default(), &open).await.expect("patched");
    until(&pods, "p", "running", conditions::is_pod_running()).await;
}

#[tokio::test]
async fn a_pod_waits_for_the_objects_of_its_volumes_and_variables() {
    let pods = only(|simulators| simulators.pods = true);
    let cluster = FakeKube::builder().simulators(pods).start().await.expect("a server");
    let pods: Api<Pod> = Api::default_namespaced(cluster.client());
    let spec = json!({
        "volumes": [{"name": "v", "projected": {"sources": [
            {"configMap": {"name": "optional", "optional": true}}, {"secret": {"name": "s"}},
        ]}}],
        "containers": [{"name": "c", "image": "i", "envFrom": [{"configMapRef": {"name": "m"}}]}],
    });
    create(&pods, json!({"metadata": {"name": "p"}, "spec": spec})).await;
    let waits_for = |message: &'static str| {
        move |pod: Option<&Pod>| {
            let statuses = pod.and_then(|pod| pod.status.as_ref()?.container_statuses.as_ref());
            statuses.into_iter().flatten().any(|status| {
                let waiting = status.state.as_ref().and_then(|state| state.waiting.as_ref());
                waiting.is_some_and(|waiting| waiting.message.as_deref() == Some(message))
            })
        }
    };
    let volume = "MountVolume.SetUp failed for volume \"v\" : secret \"s\" not found";
    until(&pods, "p", "waiting for the Secret", waits_for(volume)).await;
    let secrets: Api<Secret> = Api::default_namespaced(cluster.client());
    create(&secrets, json!({"metadata": {"name": "s"}})).await;
    until(&pods, "p", "waiting for the ConfigMap", waits_for("configmap \"m\" not found")).await;
    let maps: Api<ConfigMap> = Api::default_namespaced(cluster.client());
    create(&maps, json!({"metadata": {"name": "m"}})).await;
    until(&pods, "p", "running", conditions::is_pod_running()).await;
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

#[tokio::test]
async fn a_claim_whose_class_has_no_provisioner_stays_pending_with_the_pods_that_mount_it() {
    let simulators = only(|simulators| {
        simulators.volume_claims = true;
        simulators.pods = true;
    });
    let cluster = FakeKube::builder().simulators(simulators).start().await.expect("a server");
    let client = cluster.client();
    namespace(&client, "lab").await;
    let class = json!({"metadata": {"name": "by-hand"}, "provisioner": "kubernetes.io/no-provisioner"});
    create::<StorageClass>(&Api::all(client.clone()), class).await;
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), "lab");
    let pods: Api<Pod> = Api::namespaced(client.clone(), "lab");
    for (name, class) in [("waits", "by-hand"), ("bound", "fast")] {
        let size = json!({"requests": {"storage": "1Gi"}});
        let spec = json!({"storageClassName": class, "accessModes": ["ReadWriteOnce"], "resources": size});
        create(&claims, json!({"metadata": {"name": name}, "spec": spec})).await;
        let volume = json!({"name": "v", "persistentVolumeClaim": {"claimName": name}});
        let container = json!({"name": "c", "image": "i:1"});
        create(
            &pods,
            json!({"metadata": {"name": name}, "spec": {"containers": [container], "volumes": [volume]}}),
        )
        .await;
    }
    let phase = |claim: &PersistentVolumeClaim| claim.status.as_ref().and_then(|status| status.phase.clone());
    until(&claims, "bound", "bound", |claim: Option<&PersistentVolumeClaim>| {
        claim.and_then(phase).as_deref() == Some("Bound")
    })
    .await;
    until(&pods, "bound", "running", conditions::is_pod_running()).await;
    until(&pods, "waits", "without a node", |pod: Option<&Pod>| {
        let conditions = pod.and_then(|pod| pod.status.as_ref()?.conditions.as_ref());
        conditions.into_iter().flatten().any(|condition| {
            condition.type_ == "PodScheduled" && condition.reason.as_deref() == Some("Unschedulable")
        })
    })
    .await;
    let claim = claims.get("waits").await.expect("an answer");
    assert_eq!(phase(&claim).as_deref(), Some("Pending"));
}
