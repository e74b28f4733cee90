//! What a pod waits for before it runs.

use crate::{create, namespace, only, until};
use fake_kube::FakeKube;
use fake_kube::k8s_openapi::api::core::v1::{ConfigMap, Event, PersistentVolumeClaim, Pod, Secret};
use fake_kube::k8s_openapi::api::storage::v1::StorageClass;
use fake_kube::kube::Api;
use fake_kube::kube::api::{ListParams, Patch, PatchParams};
use fake_kube::kube::runtime::wait::conditions;
use serde_json::{Value, json};

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
