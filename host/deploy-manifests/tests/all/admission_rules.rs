//! Evaluates the match conditions of the rules for OrasCaches: which requests are reviewed.

use deploy_manifests::operator_webhooks::settings_rule;
use fake_kube::apimachinery::match_condition::{MatchCondition, Variables};
use orascache_contract::MatchCondition as Condition;
use orascache_core::describe;
use serde_json::{Value, json};

/// The conditions of the rule with this name.
fn conditions(name: &str) -> Vec<Condition> {
    let rule = describe().admission.into_iter().find(|rule| rule.name == name);
    rule.unwrap_or_else(|| panic!("no rule {name}")).conditions
}

/// Whether all conditions hold. None may fail to evaluate.
fn reaches(conditions: &[Condition], object: &Value, old: Option<&Value>) -> bool {
    let operation = if old.is_some() { "UPDATE" } else { "CREATE" };
    let variables = Variables::new(Some(object), old, &json!({"operation": operation}));
    let holds = conditions.iter().map(|condition| {
        let compiled = MatchCondition::compile(&condition.expression)
            .unwrap_or_else(|error| panic!("{}: {error}", condition.name));
        compiled.evaluate(&variables).unwrap_or_else(|error| panic!("{}: {error}", condition.name))
    });
    // All of them are evaluated, as the API server does not promise an order.
    holds.collect::<Vec<_>>().into_iter().all(|holds| holds)
}

fn pod(annotations: Value) -> Value {
    json!({"metadata": {"name": "p", "annotations": annotations}, "spec": {"containers": [{"name": "a"}]}})
}

fn without_annotations() -> Value {
    json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a"}]}})
}

const STEP: &str = "oras.converged-computing.github.io/input-uri";
const MARKER: &str = "cache.converged-computing.github.io/injected";

fn with(object: &Value, pointer: &str, member: &str, value: Value) -> Value {
    let mut changed = object.clone();
    changed
        .pointer_mut(pointer)
        .and_then(Value::as_object_mut)
        .expect("an object")
        .insert(member.to_owned(), value);
    changed
}

#[test]
fn names_of_webhooks_are_those_of_earlier_releases() {
    // docs/releasing.md says why none may go: add new ones here.
    let released = [
        "create.pods",
        "update.pods",
        "create.jobs",
        "update.jobs",
        "orascaches",
        "deleted.orascaches",
        "ephemeralcontainers.pods",
        "misspelt.pods",
        "misspelt.jobs",
    ];
    let described = describe().admission;
    let mut names: Vec<&str> = described.iter().map(|rule| rule.name.as_str()).collect();
    names.sort_unstable();
    let mut wanted = released.to_vec();
    wanted.sort_unstable();
    assert_eq!(names, wanted);
}

#[test]
fn of_deleted_caches_only_those_with_a_claim_of_their_own_are_reviewed() {
    let deleted = conditions("deleted.orascaches");
    let holds = |spec: Value| {
        let old = json!({"metadata": {"name": "c"}, "spec": spec});
        let variables = Variables::new(None, Some(&old), &json!({"operation": "DELETE"}));
        let condition = MatchCondition::compile(&deleted[0].expression).expect("CEL");
        condition.evaluate(&variables).expect("an answer")
    };
    assert!(holds(json!({"storage": {"size": "1Gi"}})));
    assert!(!holds(json!({"storage": {"existingClaim": "c"}})) && !holds(json!({})));
    assert_eq!(deleted.len(), 1);
}

#[test]
fn of_all_config_maps_only_the_settings_are_reviewed() {
    let written = settings_rule("example.com").conditions;
    let named = |metadata: Value| json!({"metadata": metadata});
    let settings = named(json!({"name": "orascache-settings"}));
    assert!(reaches(&written, &settings, None) && reaches(&written, &settings, Some(&settings)));
    for metadata in
        [json!({"name": "other"}), json!({"name": "x-orascache-settings"}), json!({"generateName": "x"})]
    {
        assert!(!reaches(&written, &named(metadata), None));
    }
}

#[test]
fn created_pods_are_reviewed_if_they_ask_for_a_step() {
    let created = conditions("create.pods");
    assert!(reaches(&created, &pod(json!({"a": "b", STEP: "x:1"})), None));
    assert!(reaches(&created, &pod(json!({"oras.converged-computing.github.io/": ""})), None));
    for annotations in [
        json!({}),
        json!({"a": "b"}),
        json!({MARKER: "v1"}),
        json!({"other": STEP}),
        json!({"x.oras.converged-computing.github.io/input-uri": ""}),
        json!({"oras.converged-computing.github.io.test/input-uri": ""}),
    ] {
        assert!(!reaches(&created, &pod(annotations.clone()), None), "{annotations}");
    }
    assert!(!reaches(&created, &without_annotations(), None));
}

#[test]
fn created_pods_with_a_near_miss_are_warned_of() {
    let misspelt = conditions("misspelt.pods");
    let labelled = |labels: Value| with(&without_annotations(), "/metadata", "labels", labels);
    for near in [
        pod(json!({"a": "b", "oras.converged-computing.io/input-uri": "x:1"})),
        pod(json!({"ora.convergd-computing.github.io/x": ""})),
        pod(json!({"oras-cache": "a"})),
        pod(json!({"input-uri_1": "a"})),
        labelled(json!({STEP: "x"})),
        labelled(json!({"oras-cache": "x"})),
    ] {
        assert!(reaches(&misspelt, &near, None), "{near}");
    }
    for other in [
        without_annotations(),
        pod(json!({})),
        pod(json!({"example.org/input-uri": ""})),
        labelled(json!({"app": "oras-cache"})),
        // Pods that ask for a step are reviewed anyway.
        pod(json!({STEP: "x:1", "oras.converged-computing.io/input-uri": "x:1"})),
    ] {
        assert!(!reaches(&misspelt, &other, None), "{other}");
    }
}

#[test]
fn updated_pods() {
    let updated = conditions("update.pods");
    let old = pod(json!({STEP: "x:1", MARKER: "v1"}));
    let image = with(&old, "/spec/containers/0", "image", json!("b"));
    let annotation = with(&old, "/metadata/annotations", STEP, json!("x:2"));
    for changed in [&image, &annotation, &pod(json!({STEP: "x:1"})), &pod(json!({})), &without_annotations()]
    {
        assert!(reaches(&updated, changed, Some(&old)), "{changed}");
    }
    assert!(!reaches(&updated, &old, Some(&old)), "nothing changed");
    let finalizer = with(&old, "/metadata", "finalizers", json!(["a/b"]));
    assert!(!reaches(&updated, &old, Some(&finalizer)) && !reaches(&updated, &finalizer, Some(&old)));
    assert!(!reaches(&updated, &with(&old, "/metadata", "labels", json!({"a": "b"})), Some(&old)));
    let deleted = with(&image, "/metadata", "deletionTimestamp", json!("2026-01-01T00:00:00Z"));
    assert!(!reaches(&updated, &deleted, Some(&old)), "it is being deleted");
    for plain in [without_annotations(), pod(json!({})), pod(json!({STEP: "x:1"}))] {
        let changed = with(&plain, "/spec", "tolerations", json!([]));
        assert!(!reaches(&updated, &changed, Some(&plain)), "was never injected: {plain}");
    }
}

#[test]
fn ephemeral_containers_are_reviewed_if_the_pod_has_credentials() {
    let updated = conditions("ephemeralcontainers.pods");
    let with_volumes = |volumes: Value| with(&without_annotations(), "/spec", "volumes", volumes);
    let credentials = with_volumes(json!([{"name": "a"}, {"name": "orascache-credentials"}]));
    let plain = without_annotations();
    assert!(reaches(&updated, &credentials, Some(&credentials)));
    assert!(reaches(&updated, &plain, Some(&credentials)), "the request cannot hide the volume");
    for old in [&plain, &with_volumes(json!([])), &with_volumes(json!([{"name": "orascache-agent"}]))] {
        assert!(!reaches(&updated, &credentials, Some(old)), "{old}");
    }
    assert!(!reaches(&updated, &credentials, Some(&json!({"metadata": {}}))), "no spec");
}

fn job(own: Option<Value>, template: Option<Value>) -> Value {
    let metadata = |annotations: Option<Value>| match annotations {
        Some(annotations) => json!({"name": "j", "annotations": annotations}),
        None => json!({"name": "j"}),
    };
    json!({"metadata": metadata(own), "spec": {"template": {"metadata": metadata(template), "spec": {}}}})
}

#[test]
fn created_jobs_are_reviewed_if_they_or_their_template_ask_for_a_step() {
    let created = conditions("create.jobs");
    let step = || Some(json!({STEP: "x:1"}));
    for annotated in [job(step(), None), job(None, step()), job(step(), step()), job(Some(json!({})), step())]
    {
        assert!(reaches(&created, &annotated, None), "{annotated}");
    }
    let mut bare = job(None, None);
    for plain in [bare.clone(), job(Some(json!({"a": "b"})), Some(json!({})))] {
        assert!(!reaches(&created, &plain, None), "{plain}");
    }
    bare["spec"]["template"] = json!({"spec": {}});
    assert!(!reaches(&created, &bare, None), "a template without metadata");
    bare["spec"] = json!({});
    assert!(!reaches(&created, &bare, None), "no template");
    assert!(!reaches(&created, &json!({"metadata": {}}), None), "no spec");
}

#[test]
fn created_jobs_with_a_near_miss_are_warned_of() {
    let misspelt = conditions("misspelt.jobs");
    let near = || Some(json!({"oras.converged-computing.io/oras-cache": "x"}));
    let labelled = with(&job(None, None), "/spec/template/metadata", "labels", json!({STEP: "x"}));
    for near in [job(near(), None), job(None, near()), labelled] {
        assert!(reaches(&misspelt, &near, None), "{near}");
    }
    let step = Some(json!({STEP: "x:1"}));
    for other in
        [job(None, None), job(step, near()), json!({"metadata": {}}), json!({"metadata": {}, "spec": {}})]
    {
        assert!(!reaches(&misspelt, &other, None), "{other}");
    }
}

#[test]
fn updated_jobs_are_reviewed_if_they_ask_or_asked_for_a_step() {
    let updated = conditions("update.jobs");
    let old = job(Some(json!({STEP: "x:1"})), Some(json!({STEP: "x:1"})));
    let applied_again = job(Some(json!({STEP: "x:1"})), None);
    assert!(reaches(&updated, &applied_again, Some(&old)));
    assert!(!reaches(&updated, &old, Some(&old)));
    assert!(!reaches(&updated, &with(&old, "/metadata", "finalizers", json!(["a/b"])), Some(&old)));
    let deleted = with(&applied_again, "/metadata", "deletionTimestamp", json!("2026-01-01T00:00:00Z"));
    assert!(!reaches(&updated, &deleted, Some(&old)));
    let plain = job(None, None);
    assert!(!reaches(&updated, &with(&plain, "/spec", "suspend", json!(true)), Some(&plain)));
}

#[test]
fn caches_are_reviewed_if_their_spec_changes() {
    let written = conditions("orascaches");
    let cache = json!({"metadata": {"name": "c"}, "spec": {"image": "a"}});
    assert!(reaches(&written, &cache, None));
    assert!(reaches(&written, &json!({"metadata": {"name": "c"}}), None));
    assert!(!reaches(&written, &cache, Some(&cache)));
    assert!(!reaches(&written, &with(&cache, "/metadata", "labels", json!({"a": "b"})), Some(&cache)));
    assert!(reaches(&written, &with(&cache, "/spec", "image", json!("b")), Some(&cache)));
    assert!(reaches(&written, &json!({"metadata": {"name": "c"}}), Some(&cache)));
}
