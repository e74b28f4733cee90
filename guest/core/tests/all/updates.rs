//! Updates: the same manifest can be applied again, and no update is refused.

use crate::reviewing::{cache, decided, patched, wrap};
use orascache_contract::{Context, Outcome};
use orascache_core::admission;
use serde_json::{Value, json};

const PREFIX: &str = "oras.converged-computing.github.io";

fn outcome(object: &Value, old: Option<&Value>) -> Outcome {
    let objects = vec![cache("orascache-sample")];
    let context = Context { objects, complete: true, ..Context::default() };
    admission::review(&wrap(object, old), &context).expect("a review")
}

fn manifest() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "step", "namespace": "lab", "annotations": {
            format!("{PREFIX}/oras-cache"): "orascache-sample",
            format!("{PREFIX}/oras-env"): "creds",
            format!("{PREFIX}/registry"): "ghcr.io",
            format!("{PREFIX}/registry-ca"): "configmap/lab-ca/ca.crt",
            format!("{PREFIX}/input-uri"): "a:{pod}",
            format!("{PREFIX}/input-wait"): "30m",
        }},
        "spec": {
            "restartPolicy": "Never",
            "volumes": [{"name": "kube-api-access", "emptyDir": {}}],
            "containers": [
                {"name": "app", "image": "busybox", "command": ["sh", "-c", "a -- b"], "args": ["--", "x"],
                 "env": [{"name": "A", "value": "1"}], "volumeMounts": [{"name": "kube-api-access", "mountPath": "/k"}]},
            ],
        },
    })
}

fn live() -> Value {
    rewritten(&manifest())
}

fn rewritten(manifest: &Value) -> Value {
    let response = decided(outcome(manifest, None));
    assert!(response.is_allowed(), "{response:?}");
    patched(manifest, &response)
}

/// The object that the API server stores after an update, and the warnings.
fn updated(new: &Value, old: &Value) -> (Value, Vec<String>) {
    let response = decided(outcome(new, Some(old)));
    assert!(response.is_allowed(), "nothing is refused on an update: {response:?}");
    (patched(new, &response), response.warnings)
}

#[test]
fn applying_a_pod_again_changes_nothing() {
    let live = live();
    // kubectl sends the fields of its last manifest: the command, but not the injected parts.
    let mut again = live.clone();
    again["spec"]["containers"][0]["command"] = json!(["sh", "-c", "a -- b"]);
    assert_eq!(updated(&again, &live), (live.clone(), Vec::new()));
}

#[test]
fn replacing_a_pod_by_its_manifest_changes_nothing() {
    let live = live();
    assert_eq!(updated(&manifest(), &live), (live.clone(), Vec::new()));
}

#[test]
fn the_variables_and_mounts_of_a_step_without_credentials_are_carried_over_too() {
    let mut manifest = manifest();
    manifest["metadata"]["annotations"].as_object_mut().unwrap().remove(&format!("{PREFIX}/oras-env"));
    let live = rewritten(&manifest);
    let container = &live["spec"]["containers"][0];
    for name in ["ORASCACHE_POD", "ORASCACHE_INPUT_WAIT_REMAINING", "ORASCACHE_CA_FILE"] {
        let variables = container["env"].as_array().unwrap();
        assert!(variables.iter().any(|variable| variable["name"] == name), "{container}");
    }
    assert!(
        container["volumeMounts"].as_array().unwrap().iter().any(|mount| mount["name"] == "orascache-ca")
    );
    assert_eq!(updated(&manifest, &live), (live.clone(), Vec::new()));
}

#[test]
fn an_update_that_leaves_the_pod_alone_is_left_alone() {
    let live = live();
    let mut relabelled = live.clone();
    relabelled["metadata"]["labels"] = json!({"a": "b"});
    let response = decided(outcome(&relabelled, Some(&live)));
    assert_eq!((response.patch(), &response.warnings), (None, &Vec::new()));
}

#[test]
fn a_changed_command_is_left_to_the_api_server() {
    let live = live();
    let mut changed = live.clone();
    changed["spec"]["containers"][0]["command"] = json!(["sh", "-c", "something else"]);
    assert_eq!(updated(&changed, &live).0, changed);
}

#[test]
fn changed_annotations_of_a_pod_warn() {
    let live = live();
    let mut changed = live.clone();
    changed["metadata"]["annotations"][format!("{PREFIX}/input-uri")] = json!("b:1");
    changed["metadata"]["annotations"][format!("{PREFIX}/nonsense")] = json!("");
    let (stored, warnings) = updated(&changed, &live);
    assert_eq!(stored, changed);
    assert!(
        warnings.iter().any(|warning| warning.contains("delete the pod and create it again")),
        "{warnings:?}"
    );
}

#[test]
fn finalizers_stay_removable_on_malformed_pods() {
    for broken in [json!({"spec": 3}), json!({"spec": {"containers": "x"}}), json!({})] {
        let mut old = live();
        old["metadata"]["finalizers"] = json!(["a/b"]);
        let mut new = old.clone();
        for (key, value) in broken.as_object().unwrap() {
            new[key] = value.clone();
        }
        new["metadata"]["finalizers"] = json!([]);
        assert_eq!(updated(&new, &old).0, new);
    }
}

fn job(annotations: &Value, suspend: bool) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "sweep", "namespace": "lab", "annotations": annotations},
        "spec": {"suspend": suspend, "template": {"spec": {"restartPolicy": "Never", "containers": [
            {"name": "app", "image": "busybox", "command": ["true"]},
        ]}}},
    })
}

fn annotations(input: &str) -> Value {
    json!({format!("{PREFIX}/oras-cache"): "orascache-sample", format!("{PREFIX}/input-uri"): input})
}

fn live_job(suspend: bool) -> Value {
    let job = job(&annotations("a:1"), suspend);
    patched(&job, &decided(outcome(&job, None)))
}

#[test]
fn applying_a_job_again_changes_nothing() {
    let live = live_job(false);
    assert_eq!(live["spec"]["template"]["metadata"]["annotations"], annotations("a:1"));
    assert_eq!(updated(&live, &live), (live.clone(), Vec::new()));
    assert_eq!(updated(&job(&annotations("a:1"), false), &live), (live.clone(), Vec::new()));
}

#[test]
fn a_job_that_runs_keeps_its_template_and_warns() {
    let live = live_job(false);
    let (stored, warnings) = updated(&job(&annotations("a:2"), false), &live);
    assert_eq!(stored["spec"]["template"], live["spec"]["template"]);
    assert!(warnings.iter().any(|warning| warning.contains("delete the Job")), "{warnings:?}");
}

#[test]
fn a_job_that_was_annotated_too_late_keeps_its_template() {
    let old = job(&json!({}), false);
    let (stored, warnings) = updated(&job(&annotations("a:1"), false), &old);
    assert_eq!(stored["spec"], old["spec"]);
    assert_eq!(warnings.len(), 1);
}

#[test]
fn the_template_of_a_suspended_job_follows() {
    let live = live_job(true);
    let mut changed = live.clone();
    changed["metadata"]["annotations"] =
        json!({format!("{PREFIX}/oras-cache"): "orascache-sample", format!("{PREFIX}/output-pipe"): "log"});
    let (stored, warnings) = updated(&changed, &live);
    assert_eq!(stored["spec"]["template"]["metadata"]["annotations"], changed["metadata"]["annotations"]);
    assert_eq!(warnings, Vec::<String>::new());
}

#[test]
fn a_suspended_job_is_not_warned_of_what_is_made_right() {
    let live = live_job(true);
    let mut changed = live.clone();
    changed["metadata"]["annotations"][format!("{PREFIX}/input-uri")] = json!("a:2");
    let (stored, warnings) = updated(&changed, &live);
    assert_eq!(stored["spec"]["template"]["metadata"]["annotations"], annotations("a:2"));
    assert_eq!(warnings, Vec::<String>::new());
    // An annotation of the template's own still contradicts the Job's.
    let mut manifest = job(&annotations("a:1"), true);
    manifest["spec"]["template"]["metadata"] = json!({"annotations": {format!("{PREFIX}/debug"): "true"}});
    let live = patched(&manifest, &decided(outcome(&manifest, None)));
    let mut changed = live.clone();
    changed["metadata"]["annotations"][format!("{PREFIX}/debug")] = json!("false");
    let (_, warnings) = updated(&changed, &live);
    assert!(warnings.iter().any(|warning| warning.contains("debug has one value")), "{warnings:?}");
}

#[test]
fn annotations_that_only_the_template_had_are_not_put_back() {
    let mut manifest = job(&annotations("a:1"), false);
    manifest["spec"]["template"]["metadata"] = json!({"annotations": {format!("{PREFIX}/debug"): "true"}});
    let live = patched(&manifest, &decided(outcome(&manifest, None)));
    let mut changed = live.clone();
    changed["spec"]["template"]["metadata"]["annotations"] = annotations("a:1");
    // The API server says that the template cannot change.
    assert_eq!(updated(&changed, &live).0, changed);
}

#[test]
fn an_annotation_that_leaves_a_running_job_warns() {
    let live = live_job(false);
    let mut changed = live.clone();
    changed["metadata"]["annotations"] = json!({format!("{PREFIX}/oras-cache"): "orascache-sample"});
    changed["spec"]["template"]["metadata"] = json!({});
    let (stored, warnings) = updated(&changed, &live);
    assert_eq!(stored["spec"]["template"], live["spec"]["template"]);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
}

#[test]
fn a_suspended_job_is_warned_of_what_its_pods_will_be_refused_for() {
    let live = live_job(true);
    let mut changed = live.clone();
    changed["metadata"]["annotations"][format!("{PREFIX}/input-uri")] = json!("ftp://x/a:1");
    changed["spec"]["template"]["metadata"]["annotations"][format!("{PREFIX}/input-uri")] =
        json!("ftp://x/a:1");
    let (_, warnings) = updated(&changed, &live);
    assert!(warnings.iter().any(|warning| warning.contains("takes neither ftp://")), "{warnings:?}");
}

#[test]
fn a_suspended_job_may_lose_its_step() {
    let live = live_job(true);
    let mut changed = live.clone();
    changed["metadata"]["annotations"] = json!({});
    let (stored, _) = updated(&changed, &live);
    assert_eq!(stored["spec"]["template"]["metadata"]["annotations"], json!({}));
}
