//! What comes next, from what is observed.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use orascache_migration::{
    Action, Copy, CopyState, Observed, Operators, Report, Step, Whose, Wishes, next, next_back,
};
use serde_json::{Value, json};
use std::path::Path;

const HOLDS: &str = "cache.converged-computing.github.io/holds";

fn parse<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("an object")
}

fn pod(name: &str, uid: &str, owner: &str, ip: &str) -> Pod {
    parse(json!({
        "metadata": {"name": name, "uid": uid, "labels": {"oras-namespace": "lab"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "s", "uid": owner}]},
        "spec": {"containers": [{"name": "oras"}]},
        "status": {"podIP": ip, "conditions": [{"type": "Ready", "status": "True"}]},
    }))
}

/// A cache as the former operator left it, which this operator has seen.
fn former(spec: Value) -> Observed {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/former_operator/objects.yaml");
    let text = std::fs::read_to_string(path).expect("a fixture");
    let text = text.replace("NAMESPACE", "lab").replace("NAME", "demo").replace("UID", "cache-uid");
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).expect("YAML");
    let [service, mut set]: [Value; 2] = objects.try_into().expect("two objects");
    set["metadata"]["uid"] = json!("former-set");
    Observed {
        cache: json!({
            "metadata": {"name": "demo", "namespace": "lab", "uid": "cache-uid"},
            "spec": spec,
            "status": {"conditions": [{"type": "Degraded", "message": "... the former operator ..."}]},
        }),
        stateful_set: Some(parse(set)),
        service: Some(parse(service)),
        pods: vec![pod("demo-0", "former-pod", "former-set", "10.0.0.1")],
        ..Observed::default()
    }
}

fn held(mut observed: Observed, spec: Value) -> Observed {
    observed.holding = Some(json!({
        "metadata": {"name": "demo-holding", "uid": "h", "annotations": {HOLDS: "demo"}}, "spec": spec,
    }));
    observed.pods.push(pod("demo-holding-0", "holding-pod", "holding-set", "fd00::2"));
    observed
}

fn job(copy: &str, from: &str, to: &str, condition: &str) -> Job {
    parse(json!({
        "metadata": {"name": format!("demo-holding-{copy}"), "annotations": {
            "cache.converged-computing.github.io/from-pod": from,
            "cache.converged-computing.github.io/to-pod": to,
        }},
        "status": {"conditions": [{"type": condition, "status": "True"}]},
    }))
}

/// The new registry is ready, the Service is closed, and the holding cache has the artifacts.
fn in_the_middle(storage: Value) -> Observed {
    let mut observed = held(former(json!({})), json!({"storage": storage}));
    observed.stateful_set = Some(parse(json!({
        "metadata": {"name": "demo", "uid": "new-set", "ownerReferences": [
            {"apiVersion": "v1", "kind": "OrasCache", "name": "demo", "uid": "cache-uid", "controller": true},
        ]},
        "spec": {"selector": {"matchLabels": {"app.kubernetes.io/instance": "demo"}}, "serviceName": "demo", "template": {}},
    })));
    observed.pods[0] = pod("demo-0", "new-pod", "new-set", "10.0.0.3");
    observed.jobs.push(job("rest", "former-pod", "holding-pod", "Complete"));
    close(&mut observed);
    observed
}

fn close(observed: &mut Observed) {
    let spec = observed.service.as_mut().and_then(|service| service.spec.as_mut()).expect("a spec");
    spec.selector.get_or_insert_default().insert(HOLDS.to_owned(), "demo".to_owned());
}

fn step(observed: &Observed) -> Step {
    next(observed, Wishes::default())
}

fn refusal(step: Step) -> String {
    match step {
        Step::Refuse(sentences) => sentences.join("\n"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn objects_are_told_apart_by_their_controller_and_their_selector() {
    let mut observed = former(json!({}));
    assert_eq!((observed.whose_stateful_set(), observed.whose_service()), (Whose::Former, Whose::Former));
    let service = observed.service.as_mut().expect("a Service");
    let consent = [("cache.converged-computing.github.io/cache".to_owned(), "demo".to_owned())];
    service.metadata.annotations = Some(consent.into());
    assert_eq!(observed.whose_service(), Whose::Ours);
    observed.cache["metadata"]["uid"] = json!("another cache of that name");
    assert_eq!((observed.whose_stateful_set(), observed.whose_service()), (Whose::Foreign, Whose::Foreign));
    observed.stateful_set = None;
    assert_eq!(observed.whose_stateful_set(), Whose::Nobody);
}

#[test]
fn what_the_copies_cannot_work_with_is_refused_all_at_once() {
    let spec =
        json!({"auth": {}, "tls": {}, "suspend": true, "readOnly": true, "replicas": 0, "deploy": false});
    let refused = refusal(step(&former(spec)));
    for field in ["spec.auth", "spec.tls", "spec.suspend", "spec.readOnly", "spec.replicas", "spec.deploy"] {
        assert!(refused.contains(field), "{field}: {refused}");
    }
    assert_eq!(step(&former(json!({"auth": null}))), Step::Do(Action::CreateHolding));
}

#[test]
fn operators_that_are_in_the_way_are_named_with_what_to_do() {
    let mut observed = former(json!({}));
    observed.operators = Operators {
        former: vec!["oras-operator-system/oras-operator-controller-manager".to_owned()],
        former_webhooks: vec!["oras-operator-mutating-webhook-configuration".to_owned()],
        ..Operators::default()
    };
    observed.cache["status"] = Value::Null;
    let refused = refusal(step(&observed));
    assert!(refused.contains(
        "kubectl scale -n oras-operator-system deployment/oras-operator-controller-manager --replicas=0"
    ));
    assert!(refused.contains(
        "kubectl delete mutatingwebhookconfiguration oras-operator-mutating-webhook-configuration"
    ));
    assert!(refused.contains("Install it"));
}

#[test]
fn a_secret_that_somebody_applies_stays_in_the_spec() {
    let mut observed = former(json!({"secrets": {"registryHttp": "hunter2"}}));
    assert_eq!(step(&observed), Step::Do(Action::MoveSecret));
    observed.cache["metadata"]["managedFields"] = json!([{
        "manager": "argocd", "operation": "Apply",
        "fieldsV1": {"f:spec": {"f:secrets": {"f:registryHttp": {}}}},
    }]);
    assert_eq!(step(&observed), Step::Do(Action::CreateHolding));
    let report = Report::forward(&observed, Wishes::default());
    assert!(
        report.notes.iter().any(|note| note.contains("argocd applies spec.secrets.registryHttp")),
        "{report}"
    );
    // A Secret that is named counts before the text.
    let named = former(json!({"secret": "mine", "secrets": {"registryHttp": "hunter2"}}));
    assert_eq!(step(&named), Step::Do(Action::CreateHolding));
    for observed in [observed, named] {
        let report = Report::forward(&observed, Wishes::default());
        let json = serde_json::to_string(&report).expect("JSON");
        assert!(!format!("{report}{json}").contains("hunter2"), "{report}");
    }
}

#[test]
fn a_copy_between_pods_that_are_gone_is_made_again() {
    let mut observed = held(former(json!({})), json!({}));
    assert_eq!(step(&observed), Step::Do(Action::StartCopy(Copy::First)));
    observed.jobs.push(job("first", "former-pod", "holding-pod", "Complete"));
    assert_eq!(step(&observed), Step::Do(Action::CloseService));
    for (from, to) in [("an-older-pod", "holding-pod"), ("former-pod", "an-older-pod")] {
        observed.jobs[0] = job("first", from, to, "Complete");
        assert_eq!(observed.copy_state(Copy::First), CopyState::Outdated);
        assert_eq!(step(&observed), Step::Do(Action::RemoveCopy(Copy::First)));
    }
    // After the Service is closed, the second copy counts.
    close(&mut observed);
    assert_eq!(step(&observed), Step::Do(Action::StartCopy(Copy::Rest)));
    observed.jobs.push(job("rest", "former-pod", "holding-pod", "Complete"));
    assert_eq!(step(&observed), Step::Do(Action::DeleteStatefulSet));
    observed.jobs[1] = job("rest", "former-pod", "an-older-pod", "Complete");
    assert_eq!(step(&observed), Step::Do(Action::RemoveCopy(Copy::Rest)));
}

#[test]
fn a_copy_that_failed_is_tried_again_by_the_next_run_only() {
    let mut observed = held(former(json!({})), json!({}));
    observed.jobs.push(job("first", "former-pod", "holding-pod", "Failed"));
    let refused = refusal(step(&observed));
    assert!(refused.contains("kubectl logs job/demo-holding-first"), "{refused}");
    let again = Wishes { retries_copies: true, ..Wishes::default() };
    assert_eq!(next(&observed, again), Step::Do(Action::RemoveCopy(Copy::First)));
    observed.jobs[0].metadata.deletion_timestamp = Some(parse(json!("2026-11-30T00:00:00Z")));
    assert!(matches!(next(&observed, again), Step::Wait(_)));
}

#[test]
fn the_new_registry_opens_when_it_has_everything_and_not_before() {
    let mut observed = in_the_middle(json!(null));
    assert_eq!(step(&observed), Step::Do(Action::StartCopy(Copy::Back)));
    observed.jobs.push(job("back", "holding-pod", "new-pod", "Complete"));
    assert_eq!(step(&observed), Step::Do(Action::GiveService));
    // The new registry was replaced after the copy, and is empty.
    observed.pods[0].metadata.uid = Some("newer-pod".to_owned());
    assert_eq!(step(&observed), Step::Do(Action::RemoveCopy(Copy::Back)));
    observed.pods.remove(0);
    assert!(matches!(step(&observed), Step::Wait(_)));
}

#[test]
fn a_holding_cache_that_lost_everything_is_no_source() {
    let mut observed = in_the_middle(json!(null));
    observed.pods[1].metadata.uid = Some("newer-pod".to_owned());
    let refused = refusal(step(&observed));
    assert!(refused.contains("kubectl delete oc demo-holding"), "{refused}");
    // With a volume nothing is lost.
    let mut observed = in_the_middle(json!({"size": "1Gi"}));
    observed.pods[1].metadata.uid = Some("newer-pod".to_owned());
    assert_eq!(step(&observed), Step::Do(Action::StartCopy(Copy::Back)));
    // Without the holding cache it goes on.
    observed.holding = None;
    assert_eq!(step(&observed), Step::Do(Action::GiveService));
}

#[test]
fn a_holding_cache_of_somebody_else_is_not_used() {
    let mut observed = held(former(json!({})), json!({}));
    observed.holding = Some(json!({"metadata": {"name": "demo-holding"}}));
    assert!(refusal(step(&observed)).contains("OrasCache demo-holding exists"));
    assert!(refusal(next_back(&observed)).contains("OrasCache demo-holding exists"));
}

#[test]
fn the_way_back_depends_on_whether_the_former_registry_is_there() {
    assert_eq!(next_back(&former(json!({}))), Step::Done);
    let mut observed = held(former(json!({})), json!({}));
    close(&mut observed);
    assert_eq!(next_back(&observed), Step::Do(Action::OpenService));
    let report = Report::back(&observed);
    assert_eq!(report.would_do.len(), 2, "{report}");
    assert!(refusal(next_back(&in_the_middle(json!(null)))).contains("Go forward first"));
}
