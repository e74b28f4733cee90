//! Objects in, plans out: no cluster and no WebAssembly are needed to test a guest.

use super::reconcile;
use orascache_guest_sdk::{Observed, Plan, Value, json, parse};

fn mirror(sources: &[&str]) -> Value {
    json!({
        "apiVersion": "lab.example.com/v1", "kind": "ConfigMapMirror",
        "metadata": {"name": "m", "namespace": "n", "uid": "U", "generation": 3},
        "spec": {"sources": sources, "prefix": "copy-"},
    })
}

fn config_map(name: &str, data: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "n", "uid": format!("uid-of-{name}")},
        "data": data,
    })
}

fn plan(primary: &Value, owned: &[Value], related: &[Value]) -> Plan {
    let texts = |objects: &[Value]| objects.iter().map(Value::to_string).collect();
    let observed = Observed {
        primary: primary.to_string(),
        owned: texts(owned),
        related: texts(related),
        ..Observed::default()
    };
    reconcile(&observed).expect("a plan")
}

fn applied(plan: &Plan) -> Vec<Value> {
    plan.apply.iter().map(|text| parse("a copy", text).expect("JSON")).collect()
}

fn status(plan: &Plan) -> Value {
    let text = plan.status.as_ref().expect("a status");
    parse::<Value>("the status", text).expect("JSON")["status"].clone()
}

/// What the API server makes of an applied copy.
fn stored(copy: &Value) -> Value {
    let mut copy = copy.clone();
    copy["metadata"]["uid"] = json!("uid-of-copy");
    copy
}

#[test]
fn a_source_is_copied_and_then_there_is_nothing_to_do() {
    let sources = [config_map("a", json!({"k": "v"}))];
    let first = plan(&mirror(&["a"]), &[], &sources);
    let copies = applied(&first);
    assert_eq!(copies.len(), 1);
    assert_eq!(copies[0]["metadata"]["name"], "copy-a");
    assert_eq!(copies[0]["metadata"]["ownerReferences"][0]["uid"], "U");
    assert_eq!(copies[0]["data"], json!({"k": "v"}));

    let mut settled = mirror(&["a"]);
    settled["status"] = json!({"observedGeneration": 3, "copies": 1, "missing": [], "taken": []});
    let second = plan(&settled, &[stored(&copies[0])], &sources);
    assert!(second.is_empty(), "{second:?}");
}

#[test]
fn a_copy_is_applied_again_after_edits_and_changes_of_its_source() {
    let source = config_map("a", json!({"k": "v", "old": "x"}));
    let copy = stored(&applied(&plan(&mirror(&["a"]), &[], std::slice::from_ref(&source)))[0]);
    let again = |copy: &Value, source: &Value| {
        applied(&plan(&mirror(&["a"]), std::slice::from_ref(copy), std::slice::from_ref(source))).len()
    };
    assert_eq!(again(&copy, &source), 0);
    let mut edited = copy.clone();
    edited["data"]["k"] = json!("w");
    assert_eq!(again(&edited, &source), 1);
    let mut extended = copy.clone();
    extended["data"]["theirs"] = json!("w");
    assert_eq!(again(&extended, &source), 0);
    // The copy has everything that the source still has. Only the digest tells that a key left.
    assert_eq!(again(&copy, &config_map("a", json!({"k": "v"}))), 1);
}

#[test]
fn copies_that_are_no_longer_wanted_are_deleted_by_uid() {
    let mut going = config_map("copy-c", json!({}));
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let copies = [config_map("copy-a", json!({})), config_map("copy-b", json!({})), going];
    let plan = plan(&mirror(&["a"]), &copies, &[]);
    assert_eq!(plan.delete.len(), 1);
    assert_eq!(plan.delete[0].name, "copy-b");
    assert_eq!(plan.delete[0].uid.as_deref(), Some("uid-of-copy-b"));
    assert_eq!(status(&plan), json!({"observedGeneration": 3, "copies": 0, "missing": ["a"], "taken": []}));
}

#[test]
fn an_object_of_that_name_that_is_not_a_copy_is_reported_once() {
    let others = [config_map("a", json!({"k": "v"})), config_map("copy-a", json!({"mine": "yes"}))];
    let first = plan(&mirror(&["a"]), &[], &others);
    assert!(first.apply.is_empty() && first.delete.is_empty());
    assert_eq!(status(&first)["taken"], json!(["copy-a"]));
    assert_eq!(first.events.len(), 1);

    let mut told = mirror(&["a"]);
    told["status"] = status(&first);
    let second = plan(&told, &[], &others);
    assert!(second.events.is_empty() && second.status.is_none());
}

#[test]
fn a_mirror_that_is_being_deleted_is_left_to_the_garbage_collector() {
    let mut primary = mirror(&["a"]);
    primary["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let plan = plan(&primary, &[], &[config_map("a", json!({}))]);
    assert!(plan.apply.is_empty() && plan.status.is_none());
}

#[test]
fn an_object_that_cannot_be_read_is_named() {
    let sentence = |primary: &str| {
        let observed = Observed { primary: primary.to_owned(), ..Observed::default() };
        reconcile(&observed).expect_err("a sentence").to_string()
    };
    assert_eq!(sentence("{}"), "the ConfigMapMirror cannot be read: metadata.name is missing");
    let bare = sentence(r#"{"metadata":{"name":"m"}}"#);
    assert!(bare.starts_with("the ConfigMapMirror cannot be read: missing field `spec`"), "{bare}");
}
