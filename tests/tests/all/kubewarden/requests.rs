//! Requests of any content: none is changed where the policy knows nothing of it, and none ends the
//! instance.

use super::{pod, policy, request};
use orascache_tests::policy::Cluster;
use serde_json::{Value, json};

#[test]
fn one_instance_answers_many_requests_also_after_errors() {
    let cache = json!({
        "apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache",
        "metadata": {"name": "demo", "namespace": "lab"}, "spec": {},
    });
    let policy = policy(&Cluster::open(vec![cache]));
    let first = policy.validate(&request(&pod("demo", &[]), &Value::Null), &json!({})).expect("an answer");
    assert_eq!(first["accepted"], true);
    for _ in 0..20 {
        policy.call("validate", b"{").expect_err("no request");
        let again = policy.validate(&request(&pod("demo", &[]), &Value::Null), &json!({}));
        assert_eq!(again.as_ref(), Ok(&first));
    }
}

#[test]
fn unknown_fields_keep_their_exact_text() {
    let cache = r#"{"apiVersion":"cache.converged-computing.github.io/v1alpha1","kind":"OrasCache","metadata":{"name":"demo","namespace":"lab"}}"#;
    let policy = policy(&Cluster::open(vec![serde_json::from_str(cache).expect("JSON")]));
    let spec = r#""z": 1.50, "huge": 184467440737095516150, "a": {"tiny":1e-400,"text":"\u00e9"}, "spec2": [ null ]"#;
    let object = pod("demo", &[]).to_string();
    let object = object.replace(r#""spec":{"#, &format!(r#"{spec},"spec":{{"#));
    let mut request =
        request(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "step"}}), &Value::Null);
    request["object"] = Value::Null;
    let payload = json!({"request": request, "settings": {}})
        .to_string()
        .replace(r#""object":null"#, &format!(r#""object":{object}"#));
    let answer =
        String::from_utf8(policy.call("validate", payload.as_bytes()).expect("an answer")).expect("text");
    assert!(answer.contains(r#""accepted":true"#) && answer.contains("orascache-agent"), "{answer}");
    for part in [
        r#""z":1.50"#,
        r#""huge":184467440737095516150"#,
        r#""a":{"tiny":1e-400,"text":"\u00e9"}"#,
        r#""spec2":[ null ]"#,
    ] {
        assert!(answer.contains(part), "{part} in {answer}");
    }
}

#[test]
fn malformed_requests_are_errors_and_not_traps() {
    let policy = policy(&Cluster::open(Vec::new()));
    for (operation, payload, wanted) in [
        ("validate", &b"\xff"[..], "not UTF-8"),
        ("validate", b"", "cannot be read"),
        ("validate", b"3", "cannot be read"),
        ("validate", b"{\"request\":3}", "cannot be read"),
        ("validate_settings", b"\xff", "not UTF-8"),
        ("other", b"", "No handler registered for function other"),
    ] {
        let error = policy.call(operation, payload).expect_err("no request");
        assert!(error.contains(wanted), "{operation}: {error}");
    }
    let answer = policy.ask("validate", "{}").expect("an answer");
    assert_eq!((&answer["accepted"], &answer["code"]), (&json!(false), &json!(400)));
    assert!(answer["message"].as_str().is_some_and(|message| message.contains("request is missing")));
    // Deletions have no object.
    let mut deletion = request(&pod("demo", &[]), &pod("demo", &[]));
    deletion["operation"] = json!("DELETE");
    deletion["object"] = Value::Null;
    assert_eq!(policy.validate(&deletion, &json!({})), Ok(json!({"accepted": true})));
    assert_eq!(policy.ask("protocol_version", ""), Ok(json!("v1")));
}
