//! Faults by their number in `docs/faults.md`. Each test injects a fault and asserts what must be
//! true afterwards.

use fake_kube::{Fault, Matcher};
use kube::api::{Patch, PatchParams};
use orascache_controller::Controller;
use orascache_tests::cluster::{Cluster, PATIENCE, condition};
use orascache_tests::fixtures::cache;
use serde_json::json;
use std::time::Duration;

/// Matches the requests of the operator, but not those of the test and of the simulators.
fn of_operator() -> Matcher {
    Matcher::any().user_agent("operator")
}

/// Waits until the cache is as after a run without faults: Ready, not Degraded, no more writes.
async fn until_converged(cluster: &Cluster, operator: &Controller) {
    let ready = cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    cluster.until_condition("demo", "Degraded", "False", "AsExpected").await;
    assert_eq!(condition(&ready, "Ready").expect("a condition")["status"], "True");
    let log = cluster.server().requests();
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let mark = log.mark();
        let quiescent = tokio::time::timeout(PATIENCE, operator.quiescent(&cluster.client())).await;
        quiescent.expect("in time").expect("the API answers");
        let writes = log.writes_since(mark, &of_operator());
        if writes.is_empty() {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "the operator still writes: {writes:?}");
    }
}

async fn children(cluster: &Cluster) -> Vec<String> {
    let mut names = Vec::new();
    for api in [cluster.sets(), cluster.services(), cluster.api("v1", "Secret", "secrets")] {
        let list = api.list(&Default::default()).await.expect("a list");
        names.extend(list.items.into_iter().filter_map(|object| object.metadata.name));
    }
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_01_a_kill_after_any_single_write_changes_no_result() {
    let cluster = Cluster::embedded().await;
    for write in 1..=5 {
        let operator = cluster.operator().await;
        let log = cluster.server().requests();
        let mark = log.mark();
        cluster.apply(&cluster.caches(), cache("demo", json!({"secrets": {"registryHttp": "x"}}))).await;
        while log.writes_since(mark, &of_operator()).len() < write {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Dropping it without a shutdown is like a kill of the process.
        drop(operator);
        let operator = cluster.operator().await;
        until_converged(&cluster, &operator).await;
        assert_eq!(children(&cluster).await, ["demo", "demo", "demo-registry-http"]);
        operator.shutdown().await;
        cluster.caches().delete("demo", &Default::default()).await.expect("deleted");
        cluster.until_gone(&cluster.sets(), "demo").await;
        cluster.until_gone(&cluster.services(), "demo").await;
        cluster.until_gone(&cluster.api("v1", "Secret", "secrets"), "demo-registry-http").await;
    }
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_04_a_write_whose_answer_is_lost_makes_no_duplicate() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    for verb in ["patch", "create"] {
        cluster.server().faults().inject(of_operator().verb(verb), Fault::LoseResponse, 3);
    }
    let spec = json!({"replicas": 2, "storage": {"size": "1Gi", "accessModes": ["ReadWriteMany"]}});
    cluster.apply(&cluster.caches(), cache("demo", spec)).await;
    until_converged(&cluster, &operator).await;
    assert_eq!(children(&cluster).await, ["demo", "demo", "demo-registry", "demo-http-secret"]);
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_06_one_child_fails_and_the_others_are_applied() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    let services = of_operator().resource("", "services").verb("create");
    cluster.server().faults().inject(services, Fault::Answer { code: 500, retry_after: None }, 1_000);
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    let degraded = cluster.until_condition("demo", "Degraded", "True", "ApplyFailed").await;
    assert!(
        condition(&degraded, "Degraded").expect("a condition")["message"]
            .to_string()
            .contains("Service demo")
    );
    cluster.until(&cluster.sets(), "demo", "applied nevertheless", |_| true).await;
    cluster.server().faults().clear();
    until_converged(&cluster, &operator).await;
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_07_and_08_a_relist_needs_no_write_and_notices_deletions() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    until_converged(&cluster, &operator).await;
    let log = cluster.server().requests();
    let mark = log.mark();
    cluster.server().faults().expire_history();
    let watches = cluster.server().faults().open_watches(&of_operator());
    cluster.server().faults().drop_watches(&of_operator());
    let deadline = std::time::Instant::now() + PATIENCE;
    while cluster.server().faults().open_watches(&of_operator()) < watches {
        assert!(std::time::Instant::now() < deadline, "the watches do not come back");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    until_converged(&cluster, &operator).await;
    let writes = log.writes_since(mark, &of_operator());
    assert!(writes.is_empty(), "a relist needs no write: {writes:?}");

    // Watches fail until the Service is deleted, so that no watch event tells of its deletion.
    cluster.server().faults().inject(
        of_operator().verb("watch"),
        Fault::Answer { code: 503, retry_after: None },
        5,
    );
    cluster.server().faults().drop_watches(&of_operator());
    let old = cluster.services().get("demo").await.expect("the service").metadata.uid;
    cluster.services().delete("demo", &Default::default()).await.expect("deleted");
    cluster.server().faults().expire_history();
    cluster.until(&cluster.services(), "demo", "made anew", |new| new["metadata"]["uid"] != json!(old)).await;
    until_converged(&cluster, &operator).await;
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_09_a_recreated_cache_gets_new_children() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    until_converged(&cluster, &operator).await;
    let old = cluster.sets().get("demo").await.expect("the set").metadata.uid;
    cluster.caches().delete("demo", &Default::default()).await.expect("deleted");
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    cluster.until(&cluster.sets(), "demo", "a new one", |set| set["metadata"]["uid"] != json!(old)).await;
    until_converged(&cluster, &operator).await;
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_13_a_failed_list_is_not_taken_for_deletions() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    until_converged(&cluster, &operator).await;
    operator.shutdown().await;
    let log = cluster.server().requests();
    let mark = log.mark();
    cluster.server().faults().inject(
        of_operator().verb("list"),
        Fault::Answer { code: 500, retry_after: None },
        3,
    );
    cluster.server().faults().inject(
        of_operator().verb("watch"),
        Fault::Answer { code: 500, retry_after: None },
        3,
    );
    let operator = cluster.operator().await;
    let writes = log.writes_since(mark, &of_operator());
    assert!(writes.is_empty(), "{writes:?}");
    until_converged(&cluster, &operator).await;
    operator.shutdown().await;
    cluster.finish().await;
}

/// The answer to a status write may have a newer spec than any watch event so far. When the event
/// of that spec comes, the object cache has it already. The new spec must be reconciled
/// nevertheless.
#[tokio::test(flavor = "multi_thread")]
async fn a_spec_first_seen_in_the_answer_to_a_write_is_reconciled() {
    let mut cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    until_converged(&cluster, &operator).await;
    cluster.stop_simulators().await;
    let caches = of_operator().resource("cache.converged-computing.github.io", "orascaches");
    assert!(cluster.server().faults().freeze_watches(&caches) > 0);
    cluster.apply(&cluster.caches(), cache("demo", json!({"nodeSelector": {"disk": "ssd"}}))).await;
    // This change makes the operator write the status of the cache.
    let status = Patch::Merge(json!({"status": {"readyReplicas": 0}}));
    cluster.sets().patch_status("demo", &PatchParams::default(), &status).await.expect("a status");
    cluster
        .until(&cluster.sets(), "demo", "with a node selector", |set| {
            set["spec"]["template"]["spec"]["nodeSelector"]["disk"] == "ssd"
        })
        .await;
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_18_after_a_conflict_the_change_is_applied_again() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    until_converged(&cluster, &operator).await;
    let sets = of_operator().resource("apps", "statefulsets").verb("patch");
    cluster.server().faults().inject(sets, Fault::Answer { code: 409, retry_after: None }, 2);
    cluster.edit(&cluster.caches(), "demo", json!({"spec": {"image": "registry:3"}})).await;
    until_converged(&cluster, &operator).await;
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_21_and_22_a_hand_edit_is_taken_back_once_and_the_sixth_is_left_alone() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    until_converged(&cluster, &operator).await;
    let log = cluster.server().requests();
    let sets = of_operator().resource("apps", "statefulsets").verb("patch");
    for edit in 1..=5 {
        let mark = log.mark();
        cluster.edit(&cluster.sets(), "demo", json!({"spec": {"replicas": 2}})).await;
        cluster
            .until(&cluster.sets(), "demo", "back at one replica", |set| set["spec"]["replicas"] == 1)
            .await;
        let taken_back =
            log.writes_since(mark, &sets).into_iter().filter(|write| write.status == 200).count();
        // The first apply also takes over the fields of the creation.
        let expected = if edit == 1 { 2 } else { 1 };
        assert_eq!(taken_back, expected, "writes that take edit {edit} back");
    }
    cluster.edit(&cluster.sets(), "demo", json!({"spec": {"replicas": 2}})).await;
    cluster.until_condition("demo", "Degraded", "True", "FieldOwnedByOther").await;
    let set = cluster.until(&cluster.sets(), "demo", "there", |_| true).await;
    assert_eq!(set["spec"]["replicas"], 2, "the sixth edit is left alone");
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_25_a_field_removed_from_the_spec_is_removed_from_the_child() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({"nodeSelector": {"disk": "ssd"}}))).await;
    until_converged(&cluster, &operator).await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    cluster
        .until(&cluster.sets(), "demo", "without a node selector", |set| {
            set["spec"]["template"]["spec"].get("nodeSelector").is_none()
        })
        .await;
    until_converged(&cluster, &operator).await;
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_30_writes_refused_for_quota_or_overload_are_retried_with_backoff() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    for code in [403, 422, 429, 503] {
        let sets = of_operator().resource("apps", "statefulsets").verb("patch");
        cluster.server().faults().inject(sets, Fault::Answer { code, retry_after: Some(1) }, 2);
    }
    let log = cluster.server().requests();
    let mark = log.mark();
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    until_converged(&cluster, &operator).await;
    let writes = log.writes_since(mark, &of_operator()).len();
    assert!(writes < 60, "{writes} writes: there is no backoff");
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_31_the_operator_does_not_hold_up_a_terminating_namespace() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    until_converged(&cluster, &operator).await;
    let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(cluster.client());
    namespaces.delete(&cluster.namespace, &Default::default()).await.expect("deleted");
    let deadline = std::time::Instant::now() + PATIENCE;
    while namespaces.get_opt(&cluster.namespace).await.expect("the API answers").is_some() {
        assert!(std::time::Instant::now() < deadline, "the namespace still exists");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_32_foreground_and_orphan_deletion_are_left_to_the_api_server() {
    use kube::api::DeleteParams;
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    until_converged(&cluster, &operator).await;
    cluster.caches().delete("demo", &DeleteParams::foreground()).await.expect("deleted");
    cluster.until_gone(&cluster.caches(), "demo").await;
    assert!(cluster.sets().get_opt("demo").await.expect("the API answers").is_none(), "children go first");

    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    until_converged(&cluster, &operator).await;
    cluster.caches().delete("demo", &DeleteParams::orphan()).await.expect("deleted");
    cluster.until_gone(&cluster.caches(), "demo").await;
    let set = cluster.until(&cluster.sets(), "demo", "kept as an orphan", |_| true).await;
    assert!(set["metadata"].get("ownerReferences").is_none(), "{set}");
    operator.shutdown().await;
    cluster.finish().await;
}
