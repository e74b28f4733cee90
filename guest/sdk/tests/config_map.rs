//! The guest of `examples/config_map.rs`, tested natively: neither a cluster nor WebAssembly is needed.

#[path = "../examples/config_map.rs"]
mod config_map;

use config_map::Notes;
use orascache_guest_sdk::{Admission, Context, Observed, Outcome, Plan, Reconciler, Response, Value, json};

fn note(text: &str) -> Value {
    json!({
        "apiVersion": "lab.example.com/v1", "kind": "Note",
        "metadata": {"name": "a", "namespace": "n", "uid": "u"}, "spec": {"text": text},
    })
}

fn plan(primary: &Value, owned: &[Value]) -> Plan {
    let observed = Observed {
        primary: primary.to_string(),
        owned: owned.iter().map(Value::to_string).collect(),
        ..Observed::default()
    };
    Notes::reconcile(&observed).expect("a plan")
}

fn review(object: &Value) -> Response {
    let review = json!({"request": {"uid": "1", "operation": "CREATE", "object": object}});
    match Notes::review(&review.to_string(), &Context::default()).expect("an answer") {
        Outcome::Decided(response) => response,
        Outcome::Need(needs) => panic!("needs {needs:?}"),
    }
}

#[test]
fn a_note_gets_a_config_map_and_then_there_is_nothing_to_do() {
    let first = plan(&note("hello"), &[]);
    let config_map: Value = serde_json::from_str(&first.apply[0]).expect("JSON");
    assert_eq!(config_map["data"], json!({"text": "hello"}));
    assert_eq!(config_map["metadata"]["ownerReferences"][0]["uid"], "u");
    assert!(plan(&note("hello"), std::slice::from_ref(&config_map)).is_empty());
    assert_eq!(plan(&note("goodbye"), &[config_map]).apply.len(), 1);
}

#[test]
fn a_note_that_is_being_deleted_is_left_to_the_garbage_collector() {
    let mut note = note("hello");
    note["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert!(plan(&note, &[]).is_empty());
}

#[test]
fn a_note_without_text_is_refused() {
    assert!(review(&note("hello")).is_allowed());
    let response = review(&note(""));
    let refusal = response.refusal().expect("a refusal");
    assert_eq!((refusal.code, refusal.message.as_str()), (422, "spec.text is empty: write the text"));
}

#[test]
fn settings_are_refused() {
    assert!(Notes::check_settings("").is_ok());
    let error = Notes::check_settings("{}").expect_err("no settings");
    assert_eq!(error.to_string(), "this guest has no settings: remove them");
}

#[test]
fn the_guest_has_at_most_40_lines() {
    assert!(include_str!("../examples/config_map.rs").lines().count() <= 40);
}
