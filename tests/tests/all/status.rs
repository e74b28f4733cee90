//! What the status of a cache says about registry pods that fail, with the operator over HTTP.

use fake_kube::{Fault, Matcher};
use k8s_openapi::api::core::v1::ResourceQuota;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::storage::v1::StorageClass;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use orascache_tests::cluster::{Cluster, PATIENCE, condition};
use orascache_tests::failing_pods::{CRASHING_IMAGE, MISSING_IMAGE};
use orascache_tests::fixtures::{cache, http_secret};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn message<'o>(cache: &'o Value, kind: &str) -> &'o str {
    condition(cache, kind).and_then(|found| found["message"].as_str()).expect("a message")
}

/// Reasons and notes of the Events about the cache.
async fn events(cluster: &Cluster, reason: &str) -> Vec<String> {
    let api: Api<Event> = Api::namespaced(cluster.client(), &cluster.namespace);
    let all = api.list(&Default::default()).await.expect("a list").items;
    let about_cache = |event: &Event| {
        event.regarding.as_ref().is_some_and(|object| object.kind.as_deref() == Some("OrasCache"))
    };
    let found = all.into_iter().filter(|event| about_cache(event) && event.reason.as_deref() == Some(reason));
    found.filter_map(|event| event.note).collect()
}

/// Waits for an Event. Events are recorded beside the plans, and may come after the status.
async fn until_event(cluster: &Cluster, reason: &str) -> Vec<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = events(cluster, reason).await;
        if !found.is_empty() {
            return found;
        }
        assert!(Instant::now() < deadline, "there is no Event {reason}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_tells_why_its_pod_fails_and_recovers_when_the_spec_is_corrected() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({"image": MISSING_IMAGE}))).await;
    let found = cluster.until_condition("demo", "Ready", "False", "ImagePullFailed").await;
    assert!(message(&found, "Ready").contains("missing.example/registry:1: not found"), "{found}");
    assert_eq!(condition(&found, "Degraded").expect("a condition")["status"], "False");
    assert_eq!(until_event(&cluster, "ImagePullFailed").await.len(), 1);

    cluster.edit(&cluster.caches(), "demo", json!({"spec": {"image": CRASHING_IMAGE}})).await;
    let found = cluster.until_condition("demo", "Progressing", "True", "CrashLooping").await;
    let words = message(&found, "Ready");
    assert!(words.contains("http://***@storage.example refuses") && !words.contains("hunter2"), "{words}");

    cluster.edit(&cluster.caches(), "demo", json!({"spec": {"progressDeadlineSeconds": 1}})).await;
    cluster.until_condition("demo", "Degraded", "True", "CrashLooping").await;
    cluster.edit(&cluster.caches(), "demo", json!({"spec": {"image": "registry:3"}})).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    cluster.until_condition("demo", "Degraded", "False", "AsExpected").await;
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_with_several_pods_stays_ready_while_its_roll_out_fails() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    let spec = json!({"replicas": 2, "storage": {"size": "1Gi", "accessModes": ["ReadWriteMany"]}});
    cluster.apply(&cluster.caches(), cache("demo", spec)).await;
    let ready = cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    let since = condition(&ready, "Ready").expect("a condition")["lastTransitionTime"].clone();
    assert_eq!(ready["status"]["claim"]["phase"], "Bound");
    cluster.edit(&cluster.caches(), "demo", json!({"spec": {"image": MISSING_IMAGE}})).await;
    let failing = cluster.until_condition("demo", "Progressing", "True", "ImagePullFailed").await;
    let ready = condition(&failing, "Ready").expect("a condition");
    assert_eq!((&ready["status"], &ready["reason"]), (&json!("True"), &json!("RegistryPartlyReady")));
    assert_eq!(ready["lastTransitionTime"], since);
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_a_secret_lacks_is_named() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    let mut secret = http_secret("mysecret");
    secret["stringData"] = json!({"other": "x"});
    let secrets = cluster.api("v1", "Secret", "secrets");
    cluster.apply(&secrets, secret).await;
    cluster.apply(&cluster.caches(), cache("demo", json!({"secret": "mysecret"}))).await;
    let found = cluster.until_condition("demo", "Ready", "False", "ContainerNotStarted").await;
    assert!(message(&found, "Ready").contains("couldn't find key http-secret in Secret"), "{found}");
    cluster.apply(&secrets, http_secret("mysecret")).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_without_room_is_named_and_pods_refused_otherwise_are_told_from_it() {
    let cluster = Cluster::embedded().await;
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": {"hard": {"pods": "0"}},
    });
    cluster.apply(&cluster.api("v1", "ResourceQuota", "resourcequotas"), quota).await;
    let quotas: Api<ResourceQuota> = Api::namespaced(cluster.client(), &cluster.namespace);
    let status = json!({"status": {"hard": {"pods": "0"}, "used": {"pods": "0"}}});
    quotas.patch_status("small", &PatchParams::default(), &Patch::Merge(status)).await.expect("a status");
    // The admission plugin ResourceQuota refuses the pods.
    let pods = Matcher::any().resource("", "pods").verb("create");
    cluster.server().faults().inject(pods, Fault::Answer { code: 403, retry_after: None }, 100_000);
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({"progressDeadlineSeconds": 1}))).await;
    let found = cluster.until_condition("demo", "Degraded", "True", "QuotaExceeded").await;
    assert!(message(&found, "Degraded").contains("ResourceQuota small"), "{found}");
    quotas.delete("small", &DeleteParams::default()).await.expect("deleted");
    cluster.until_condition("demo", "Degraded", "True", "PodsNotCreated").await;
    cluster.server().faults().clear();
    // Any change of the StatefulSet has its controller try again at once.
    cluster.edit(&cluster.sets(), "demo", json!({"metadata": {"labels": {"again": "1"}}})).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_without_a_volume_is_named_with_its_class() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    let class: StorageClass = serde_json::from_value(json!({
        "metadata": {"name": "by-hand"}, "provisioner": "kubernetes.io/no-provisioner",
    }))
    .expect("a class");
    Api::all(cluster.client()).create(&PostParams::default(), &class).await.expect("created");
    let spec =
        json!({"progressDeadlineSeconds": 1, "storage": {"size": "1Gi", "storageClassName": "by-hand"}});
    cluster.apply(&cluster.caches(), cache("demo", spec)).await;
    let found = cluster.until_condition("demo", "Degraded", "True", "ClaimPending").await;
    let words = message(&found, "Degraded");
    assert!(words.contains("demo-data") && words.contains("by-hand"), "{words}");
    let claim = &found["status"]["claim"];
    assert_eq!((&claim["phase"], &claim["storageClassName"]), (&json!("Pending"), &json!("by-hand")));
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_without_a_node_is_named_with_the_schedulers_words() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({"progressDeadlineSeconds": 1}))).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    let gates = json!([{"name": "lab.example/quota"}]);
    let gated = json!({"spec": {"template": {"spec": {"schedulingGates": gates}}}});
    cluster.edit(&cluster.sets(), "demo", gated).await;
    let found = cluster.until_condition("demo", "Degraded", "True", "Unschedulable").await;
    assert!(message(&found, "Degraded").contains("Scheduling is blocked"), "{found}");
    assert!(
        message(&found, "ForeignFields")
            .contains("spec.template.spec.schedulingGates (manager kubectl-edit)"),
        "{found}"
    );
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn artifacts_that_are_lost_with_a_pod_are_reported_once() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    let known = |cache: &Value| cache["status"]["registryPodUID"].is_string();
    cluster.until(&cluster.caches(), "demo", "with a known pod", known).await;
    assert!(events(&cluster, "ArtifactsLost").await.is_empty(), "the first pod has lost nothing");
    let pods = cluster.api("v1", "Pod", "pods");
    pods.delete("demo-0", &DeleteParams::default()).await.expect("deleted");
    let lost = |cache: &Value| cache["status"]["artifactsLostAt"].is_string() && known(cache);
    cluster.until(&cluster.caches(), "demo", "with a loss and another pod", lost).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    let client = cluster.client();
    let quiescent = tokio::time::timeout(PATIENCE, operator.quiescent(&client));
    quiescent.await.expect("in time").expect("the API answers");
    let notes = events(&cluster, "ArtifactsLost").await;
    assert!(matches!(notes.as_slice(), [note] if note.contains("demo-0")), "{notes:?}");
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_somebody_adds_stays_and_is_named_with_its_manager() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    let added = json!([{
        "op": "add", "path": "/spec/template/spec/containers/0/env/-", "value": {"name": "DEBUG", "value": "1"},
    }]);
    let patch: json_patch::Patch = serde_json::from_value(added).expect("a patch");
    let parameters = PatchParams { field_manager: Some("kubectl-edit".to_owned()), ..PatchParams::default() };
    cluster.sets().patch("demo", &parameters, &Patch::<Value>::Json(patch)).await.expect("patched");
    let found = cluster.until_condition("demo", "ForeignFields", "True", "FieldsOfOthers").await;
    let named = "spec.template.spec.containers[name=registry].env[name=DEBUG] (manager kubectl-edit)";
    assert!(message(&found, "ForeignFields").contains(named), "{found}");
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    let set = cluster.until(&cluster.sets(), "demo", "there", |_| true).await;
    let variables =
        set["spec"]["template"]["spec"]["containers"][0]["env"].as_array().expect("variables").clone();
    assert!(variables.iter().any(|variable| variable["name"] == "DEBUG"), "{variables:?}");
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_without_rights_on_pods_works_and_names_no_cause() {
    let cluster = Cluster::embedded().await;
    for plural in ["pods", "resourcequotas"] {
        for verb in ["list", "watch"] {
            let requests = Matcher::any().user_agent("operator").resource("", plural).verb(verb);
            cluster.server().faults().inject(
                requests,
                Fault::Answer { code: 403, retry_after: None },
                100_000,
            );
        }
    }
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    let spec = json!({"spec": {"image": MISSING_IMAGE, "progressDeadlineSeconds": 1}});
    cluster.edit(&cluster.caches(), "demo", spec).await;
    cluster.until_condition("demo", "Degraded", "True", "ProgressDeadlineExceeded").await;
    operator.shutdown().await;
    cluster.finish().await;
}
