//! From the former operator to this one.

use crate::lab::{ARTIFACTS, DEMO, Lab, pull, push};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use orascache_migration::{Action, Copy, Direction};
use serde_json::{Value, json};

const CONSENT: &str = "cache.converged-computing.github.io/cache";

fn spec() -> Value {
    json!({"image": "ghcr.io/oras-project/registry:latest", "secrets": {"registryHttp": "from-the-spec"}})
}

/// All changes of a migration that nothing disturbs.
const ALL: [Action; 9] = [
    Action::MoveSecret,
    Action::CreateHolding,
    Action::StartCopy(Copy::First),
    Action::CloseService,
    Action::StartCopy(Copy::Rest),
    Action::DeleteStatefulSet,
    Action::StartCopy(Copy::Back),
    Action::GiveService,
    Action::RemoveHolding,
];

#[tokio::test(flavor = "multi_thread")]
async fn the_artifacts_are_in_the_new_registry_and_running_it_again_does_nothing() {
    let (lab, _controller) = Lab::with_former_cache(spec()).await;
    let mut said = Vec::new();
    lab.migration(Direction::Forward)
        .run(|advance| said.push(format!("{advance:?}")))
        .await
        .unwrap_or_else(|error| panic!("{error}: {said:#?}"));
    lab.until_nothing_is_left_over().await;
    lab.assert_complete().await;

    // The endpoint that workloads contain leads to the new pod.
    let selector = lab.selector().await;
    assert!(!selector.contains_key("oras-namespace"), "{selector:?}");
    let pod = lab.pods().get("demo-0").await.expect("the pod");
    assert!(selector.iter().all(|(key, value)| pod.labels().get(key) == Some(value)), "{selector:?}");
    let spec = pod.spec.expect("a spec");
    assert_eq!((spec.hostname.as_deref(), spec.subdomain.as_deref()), (Some("demo-0"), Some(DEMO)));
    let service = lab.services().get(DEMO).await.expect("the Service");
    assert_eq!(service.annotations()[CONSENT], DEMO);

    // The HTTP secret is in a Secret, and nowhere else.
    let cache = lab.cache().await;
    assert_eq!(cache["spec"]["secret"], "demo-http");
    assert!(!cache["spec"].to_string().contains("from-the-spec"), "{}", cache["spec"]);
    let secret = lab.secrets().get("demo-http").await.expect("the Secret");
    assert_eq!(secret.data.expect("data")["http-secret"].0, b"from-the-spec");

    lab.until(&lab.caches(), DEMO, "ready", |cache| {
        let conditions = cache["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let is = |kind: &str, status: &str| {
            conditions.iter().any(|found| found["type"] == kind && found["status"] == status)
        };
        is("Ready", "True") && is("Degraded", "False")
    })
    .await;
    // The artifacts were moved, and not lost.
    assert_eq!(lab.cache().await["status"]["artifactsLostAt"], Value::Null);

    let (writes, pod) = (lab.writes(), lab.uid_of_pod().await);
    assert_eq!(lab.go(Direction::Forward, |_| false).await, []);
    assert_eq!((lab.writes(), lab.uid_of_pod().await), (writes, pod));
    let report = lab.migration(Direction::Forward).report().await.expect("a report");
    assert!(report.done && report.would_do.is_empty(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_is_interrupted_after_each_step_goes_on() {
    let (lab, _controller) = Lab::with_former_cache(spec()).await;
    let report = lab.migration(Direction::Forward).report().await.expect("a report");
    assert_eq!(lab.go(Direction::Forward, |_| false).await, ALL);
    assert_eq!(report.would_do.len(), ALL.len(), "what was announced was done: {report}");
    lab.until_nothing_is_left_over().await;
    lab.assert_complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_during_the_first_copy_is_not_lost() {
    let (lab, _controller) = Lab::with_former_cache(spec()).await;
    lab.go(Direction::Forward, |action| action == Action::CloseService).await;
    // The last push of somebody who knew the address of the registry.
    let former = lab.registry("demo-0").await;
    push(&former, "late:1", "five").await;
    push(&former, "flow/words:run-1", "changed").await;
    lab.go(Direction::Forward, |_| false).await;
    let registry = lab.registry("demo-0").await;
    assert_eq!(pull(&registry, "late:1").await.as_deref(), Some("five"));
    assert_eq!(pull(&registry, "flow/words:run-1").await.as_deref(), Some("changed"));
    assert_eq!(pull(&registry, ARTIFACTS[1].0).await.as_deref(), Some(ARTIFACTS[1].1));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reaches_the_new_registry_before_it_has_the_artifacts() {
    let (lab, _controller) = Lab::with_former_cache(spec()).await;
    lab.go(Direction::Forward, |action| action == Action::DeleteStatefulSet).await;
    // The operator makes the new registry meanwhile, and leaves the Service alone.
    lab.until(&lab.sets(), DEMO, "the operator's", |set| {
        set["metadata"]["annotations"][CONSENT] == DEMO && set["status"]["readyReplicas"] == 1
    })
    .await;
    lab.go(Direction::Forward, |action| action == Action::StartCopy(Copy::Back)).await;
    let selector = lab.selector().await;
    let pods = lab.pods().list(&Default::default()).await.expect("pods").items;
    let is_selected = |pod: &&Pod| selector.iter().all(|(key, value)| pod.labels().get(key) == Some(value));
    assert_eq!(pods.iter().filter(is_selected).count(), 0, "{selector:?}");
    lab.go(Direction::Forward, |_| false).await;
    lab.assert_complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_storage_the_artifacts_are_on_volumes_at_all_times() {
    let spec = json!({"storage": {"size": "1Gi"}});
    let (lab, _controller) = Lab::with_former_cache(spec).await;
    lab.go(Direction::Forward, |action| action == Action::DeleteStatefulSet).await;
    // The pod of the holding cache is replaced while nothing else has the artifacts.
    let holding = lab.pods().get("demo-holding-0").await.expect("the pod").uid();
    lab.pods().delete("demo-holding-0", &Default::default()).await.expect("deleted");
    lab.registry("demo-0").await;
    let replaced = async {
        while lab.pods().get_opt("demo-holding-0").await.expect("an answer").and_then(|pod| pod.uid())
            == holding
        {
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
    };
    tokio::time::timeout(crate::lab::PATIENCE, replaced).await.expect("in time");
    lab.go(Direction::Forward, |_| false).await;
    lab.assert_complete().await;
    lab.until_nothing_is_left_over().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_a_registry_is_taken_over() {
    let lab = Lab::start().await;
    lab.make_as_former_operator(json!({"deploy": false})).await;
    lab.sets().delete(DEMO, &Default::default()).await.expect("deleted");
    lab.until(&lab.sets(), DEMO, "gone", Value::is_null).await;
    let _controller = lab.operator().await;
    assert_eq!(lab.go(Direction::Forward, |_| false).await, [Action::GiveService]);
    let service = lab.services();
    let gone = async {
        while service.get_opt(DEMO).await.expect("an answer").is_some() {
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
    };
    tokio::time::timeout(crate::lab::PATIENCE, gone).await.expect("spec.deploy is false");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_cache_of_the_namespace_is_left_alone() {
    // StatefulSets of the former operator in one namespace have the same selector, and its Services
    // select the pods of all of them.
    let lab = Lab::start().await;
    // Before this operator starts, which makes objects for a cache that has none.
    lab.make_named_as_former_operator("extra", json!({})).await;
    let _controller = lab.leave_former_cache(spec()).await;
    let extra = lab.registry("extra-0").await;
    push(&extra, "own:1", "six").await;
    let object = |value: &Value| (value["metadata"]["uid"].clone(), value["spec"].clone());
    let before = (
        lab.pods().get("extra-0").await.expect("the pod").uid(),
        object(&lab.until(&lab.sets(), "extra", "there", Value::is_object).await),
        object(&lab.until(&lab.services_dynamic(), "extra", "there", Value::is_object).await),
    );
    lab.go(Direction::Forward, |_| false).await;
    lab.assert_complete().await;
    let after = (
        lab.pods().get("extra-0").await.expect("the pod").uid(),
        object(&lab.until(&lab.sets(), "extra", "there", Value::is_object).await),
        object(&lab.until(&lab.services_dynamic(), "extra", "there", Value::is_object).await),
    );
    assert_eq!(after, before);
    assert_eq!(pull(&extra, "own:1").await.as_deref(), Some("six"));
    // Artifacts of one are not in the other one.
    assert_eq!(pull(&lab.registry("demo-0").await, "own:1").await, None);
}
