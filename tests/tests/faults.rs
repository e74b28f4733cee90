//! Faults by number, as `docs/faults.md` lists them: each injects what goes wrong and asserts what must be true after it.

use fake_kube::{Fault, Matcher};
use kube::api::{Patch, PatchParams};
use orascache_tests::cluster::{Cluster, condition};
use orascache_tests::fixtures::cache;
use serde_json::json;
use std::time::Duration;

/// The operator's own requests; those of the test and of the simulators are left alone.
fn of_operator() -> Matcher {
    Matcher::any().user_agent("operator")
}

/// The cache that an undisturbed run ends in: Ready, nothing degraded, and no more writes.
async fn settles(cluster: &Cluster) {
    let ready = cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    cluster.until_condition("demo", "Degraded", "False", "AsExpected").await;
    assert_eq!(condition(&ready, "Ready").expect("a condition")["status"], "True");
    let log = cluster.server().requests();
    let deadline = std::time::Instant::now() + orascache_tests::cluster::PATIENCE;
    loop {
        let mark = log.mark();
        tokio::time::sleep(Duration::from_millis(600)).await;
        let writes = log.writes_since(mark, &of_operator());
        if writes.is_empty() {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "never silent: {writes:?}");
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
async fn fault_01_killed_after_any_single_write() {
    let cluster = Cluster::embedded().await;
    for write in 1..=5 {
        let operator = cluster.operator().await;
        let log = cluster.server().requests();
        let mark = log.mark();
        cluster.apply(&cluster.caches(), cache("demo", json!({"secrets": {"registryHttp": "x"}}))).await;
        while log.writes_since(mark, &of_operator()).len() < write {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Dropped, not shut down: as when the process is killed.
        drop(operator);
        let operator = cluster.operator().await;
        settles(&cluster).await;
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
async fn fault_04_a_write_whose_answer_is_lost() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    for verb in ["patch", "create"] {
        cluster.server().faults().inject(of_operator().verb(verb), Fault::LoseResponse, 3);
    }
    let spec = json!({"replicas": 2, "storage": {"size": "1Gi", "accessModes": ["ReadWriteMany"]}});
    cluster.apply(&cluster.caches(), cache("demo", spec)).await;
    settles(&cluster).await;
    assert_eq!(children(&cluster).await, ["demo", "demo", "demo-http-secret"]);
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_06_one_child_fails_and_the_others_are_applied() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    let services = of_operator().resource("", "services").verb("patch");
    cluster.server().faults().inject(services, Fault::Answer { code: 500, retry_after: None }, 1_000);
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    let degraded = cluster.until_condition("demo", "Degraded", "True", "ApplyFailed").await;
    assert!(
        condition(&degraded, "Degraded").expect("a condition")["message"]
            .to_string()
            .contains("Service demo")
    );
    cluster.until(&cluster.sets(), "demo", "applied all the same", |_| true).await;
    cluster.server().faults().clear();
    settles(&cluster).await;
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_07_and_08_history_is_gone_and_something_was_deleted_meanwhile() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    settles(&cluster).await;
    let log = cluster.server().requests();
    let mark = log.mark();
    cluster.server().faults().expire_history();
    cluster.server().faults().drop_watches(&of_operator());
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let writes = log.writes_since(mark, &of_operator());
    assert!(writes.is_empty(), "a relist needs no write: {writes:?}");

    // Watches cannot come back until the Service is gone.
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
    settles(&cluster).await;
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_09_a_recreated_cache_inherits_nothing() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    settles(&cluster).await;
    let old = cluster.sets().get("demo").await.expect("the set").metadata.uid;
    cluster.caches().delete("demo", &Default::default()).await.expect("deleted");
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    cluster.until(&cluster.sets(), "demo", "a new one", |set| set["metadata"]["uid"] != json!(old)).await;
    settles(&cluster).await;
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_13_a_failing_page_is_not_taken_for_deletions() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    settles(&cluster).await;
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
    settles(&cluster).await;
    operator.shutdown().await;
    cluster.finish().await;
}

/// The answer to a status write may hold a spec whose event comes later, and is then older than what is known.
#[tokio::test(flavor = "multi_thread")]
async fn a_spec_that_only_an_answer_tells_of_is_not_lost() {
    let mut cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    settles(&cluster).await;
    cluster.stop_simulators().await;
    let caches = of_operator().resource("cache.converged-computing.github.io", "orascaches");
    assert!(cluster.server().faults().freeze_watches(&caches) > 0);
    cluster.apply(&cluster.caches(), cache("demo", json!({"nodeSelector": {"disk": "ssd"}}))).await;
    // One event, after which the status has to be written.
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
async fn fault_18_a_conflict_means_reading_again() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    settles(&cluster).await;
    let sets = of_operator().resource("apps", "statefulsets").verb("patch");
    cluster.server().faults().inject(sets, Fault::Answer { code: 409, retry_after: None }, 2);
    cluster.edit(&cluster.caches(), "demo", json!({"spec": {"image": "registry:3"}})).await;
    settles(&cluster).await;
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_21_and_22_an_edit_is_taken_back_once_and_a_war_is_ended() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    settles(&cluster).await;
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
        assert_eq!(taken_back, 1, "edit {edit} is taken back by one write");
    }
    cluster.edit(&cluster.sets(), "demo", json!({"spec": {"replicas": 2}})).await;
    cluster.until_condition("demo", "Degraded", "True", "FieldOwnedByOther").await;
    let set = cluster.until(&cluster.sets(), "demo", "there", |_| true).await;
    assert_eq!(set["spec"]["replicas"], 2, "the sixth time it is left alone");
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_25_a_field_that_leaves_the_spec_leaves_the_child() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({"nodeSelector": {"disk": "ssd"}}))).await;
    settles(&cluster).await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    cluster
        .until(&cluster.sets(), "demo", "without a node selector", |set| {
            set["spec"]["template"]["spec"].get("nodeSelector").is_none()
        })
        .await;
    settles(&cluster).await;
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_30_quota_and_overload_back_off_and_recover() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    for code in [403, 422, 429, 503] {
        let sets = of_operator().resource("apps", "statefulsets").verb("patch");
        cluster.server().faults().inject(sets, Fault::Answer { code, retry_after: Some(1) }, 2);
    }
    let log = cluster.server().requests();
    let mark = log.mark();
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    settles(&cluster).await;
    let writes = log.writes_since(mark, &of_operator()).len();
    assert!(writes < 60, "{writes} writes: the backoff is bounded below");
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_31_a_terminating_namespace_gets_nothing_new() {
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    settles(&cluster).await;
    let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(cluster.client());
    namespaces.delete(&cluster.namespace, &Default::default()).await.expect("deleted");
    let deadline = std::time::Instant::now() + orascache_tests::cluster::PATIENCE;
    while namespaces.get_opt(&cluster.namespace).await.expect("the API answers").is_some() {
        assert!(std::time::Instant::now() < deadline, "the namespace is held up");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_32_foreground_and_orphan_deletion() {
    use kube::api::DeleteParams;
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    settles(&cluster).await;
    cluster.caches().delete("demo", &DeleteParams::foreground()).await.expect("deleted");
    cluster.until_gone(&cluster.caches(), "demo").await;
    assert!(cluster.sets().get_opt("demo").await.expect("the API answers").is_none(), "dependents go first");

    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    settles(&cluster).await;
    cluster.caches().delete("demo", &DeleteParams::orphan()).await.expect("deleted");
    cluster.until_gone(&cluster.caches(), "demo").await;
    let set = cluster.until(&cluster.sets(), "demo", "left behind", |_| true).await;
    assert!(set["metadata"].get("ownerReferences").is_none(), "{set}");
    operator.shutdown().await;
    cluster.finish().await;
}
