//! Validating webhooks: what they see, and how they refuse.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Barrier;

use super::hook::{Hook, allow, deny, respond};
use super::{MUTATING, PODS, VALIDATING, configure, message, pod, rule, server_with, webhook};
use crate::common::{expect, send};

#[tokio::test]
async fn webhooks_are_called_in_parallel() {
    let barrier = Arc::new(Barrier::new(2));
    let hook = Hook::start_async(move |seen| {
        let barrier = barrier.clone();
        Box::pin(async move {
            // One after another they would wait for ever, and the calls would fail.
            barrier.wait().await;
            allow(&seen)
        })
    })
    .await;
    let server = server_with(&hook).await;
    let step = |name: &str| webhook(&format!("{name}.hook.test"), hook.by_service("/x"), json!({}));
    configure(&server, VALIDATING, "v", &[step("a"), step("b")]).await;
    expect(&server, "POST", PODS, &pod("p"), 201).await;
    assert_eq!(hook.seen().len(), 2);
}

#[tokio::test]
async fn refusals_reach_the_client() {
    let hook = Hook::start(|seen| match seen.request()["name"].as_str() {
        Some("plain") => respond(seen, json!({"allowed": false})),
        Some("reason") => deny(seen, json!({"reason": "Forbidden", "code": 200})),
        _ => deny(seen, json!({
            "message": "not today", "reason": "MyReason", "code": 418, "details": {"kind": "pods", "retryAfterSeconds": 7},
        })),
    })
    .await;
    for path in [MUTATING, VALIDATING] {
        let server = server_with(&hook).await;
        configure(&server, path, "w", &[webhook("w.hook.test", hook.by_service("/x"), json!({}))]).await;
        let refused = expect(&server, "POST", PODS, &pod("plain"), 400).await;
        assert_eq!(
            message(&refused),
            "admission webhook \"w.hook.test\" denied the request without explanation"
        );
        assert_eq!(refused["status"], "Failure");
        let refused = expect(&server, "POST", PODS, &pod("reason"), 400).await;
        assert_eq!(message(&refused), "admission webhook \"w.hook.test\" denied the request: Forbidden");
        assert_eq!(refused["reason"], "Forbidden");
        let refused = send(&server, "POST", PODS, &[], pod("p").to_string()).await;
        assert_eq!((refused.status, refused.header("retry-after")), (418, Some("7")));
        let status = refused.json();
        assert_eq!(message(&status), "admission webhook \"w.hook.test\" denied the request: not today");
        assert_eq!(status["reason"], "MyReason");
        assert_eq!(status["details"], json!({"kind": "pods", "retryAfterSeconds": 7}));
        assert_eq!(status["code"], 418);
    }
}

#[tokio::test]
async fn warnings_reach_the_client_once_also_with_a_refusal() {
    let hook = Hook::start(|seen| {
        let allowed = seen.request()["name"] != "bad";
        respond(seen, json!({
            "allowed": allowed, "warnings": ["careful", "a \"quoted\" one"], "auditAnnotations": {"a": "b"},
        }))
    })
    .await;
    let server = server_with(&hook).await;
    for path in [MUTATING, VALIDATING] {
        configure(&server, path, "w", &[webhook("w.hook.test", hook.by_service("/x"), json!({}))]).await;
    }
    for (name, status) in [("good", 201), ("bad", 400)] {
        let answer = send(&server, "POST", PODS, &[], pod(name).to_string()).await;
        assert_eq!(answer.status, status);
        let warnings: Vec<&str> =
            answer.headers.get_all("warning").iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(warnings, ["299 - \"careful\"", r#"299 - "a \"quoted\" one""#]);
    }
}

#[tokio::test]
async fn reviews_of_deletions_have_the_old_object() {
    let hook = Hook::start(|seen| {
        if seen.request()["oldObject"]["metadata"]["name"] == "kept" {
            deny(seen, json!({"message": "it stays", "code": 403}))
        } else {
            allow(seen)
        }
    })
    .await;
    let server = server_with(&hook).await;
    let changes = json!({"rules": [rule(&["DELETE"], "", &["pods"])]});
    configure(&server, VALIDATING, "v", &[webhook("v.hook.test", hook.by_service("/x"), changes)]).await;
    for name in ["a", "b", "kept"] {
        expect(&server, "POST", PODS, &pod(name), 201).await;
    }
    let old = expect(&server, "GET", &format!("{PODS}/a"), &Value::Null, 200).await;
    let options = json!({"propagationPolicy": "Background", "gracePeriodSeconds": 5});
    expect(&server, "DELETE", &format!("{PODS}/a"), &options, 200).await;
    let request = hook.only();
    assert_eq!((&request["operation"], &request["name"]), (&json!("DELETE"), &json!("a")));
    assert_eq!((&request["object"], &request["oldObject"]), (&Value::Null, &old));
    assert_eq!(
        request["options"],
        json!({
            "kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1", "propagationPolicy": "Background",
            // A pod that runs nowhere ends at once.
            "gracePeriodSeconds": 0,
        })
    );
    let refused = expect(&server, "DELETE", &format!("{PODS}/kept"), &Value::Null, 403).await;
    assert_eq!(message(&refused), "admission webhook \"v.hook.test\" denied the request: it stays");
    hook.forget();
    expect(&server, "DELETE", &format!("{PODS}?fieldSelector=metadata.name%3Db"), &Value::Null, 200).await;
    let request = hook.only();
    assert_eq!(request.get("name"), None, "the request names no object");
    assert_eq!(request["oldObject"]["metadata"]["name"], "b");
    expect(&server, "DELETE", PODS, &Value::Null, 403).await;
    expect(&server, "GET", &format!("{PODS}/kept"), &Value::Null, 200).await;
}

#[tokio::test]
async fn a_second_deletion_of_a_terminating_pod_is_not_reviewed() {
    let hook = Hook::start(allow).await;
    let server = server_with(&hook).await;
    let mut running = pod("p");
    running["spec"]["nodeName"] = "node".into();
    expect(&server, "POST", PODS, &running, 201).await;
    let changes = json!({"rules": [rule(&["DELETE"], "", &["pods"])]});
    configure(&server, VALIDATING, "v", &[webhook("v.hook.test", hook.by_service("/x"), changes)]).await;
    let path = format!("{PODS}/p");
    expect(&server, "DELETE", &path, &Value::Null, 200).await;
    assert_eq!(hook.only()["options"]["gracePeriodSeconds"], 30);
    expect(&server, "DELETE", &path, &Value::Null, 200).await;
    assert_eq!(hook.seen().len(), 1);
    expect(&server, "DELETE", &path, &json!({"gracePeriodSeconds": 0}), 200).await;
    assert_eq!(hook.seen().len(), 2);
}

#[tokio::test]
async fn reviews_tell_whether_the_request_is_a_dry_run() {
    let hook = Hook::start(allow).await;
    let server = server_with(&hook).await;
    let changes = json!({"rules": [rule(&["*"], "", &["pods"])], "sideEffects": "NoneOnDryRun"});
    configure(&server, VALIDATING, "v", &[webhook("v.hook.test", hook.by_service("/x"), changes)]).await;
    expect(&server, "POST", &format!("{PODS}?dryRun=All"), &pod("p"), 201).await;
    let request = hook.only();
    assert_eq!((&request["dryRun"], &request["options"]["dryRun"]), (&json!(true), &json!(["All"])));
    expect(&server, "POST", PODS, &pod("p"), 201).await;
    hook.forget();
    expect(&server, "DELETE", &format!("{PODS}/p?dryRun=All"), &Value::Null, 200).await;
    expect(&server, "DELETE", &format!("{PODS}/p"), &json!({"dryRun": ["All"]}), 200).await;
    for seen in hook.seen() {
        let request = seen.request();
        assert_eq!((&request["dryRun"], &request["options"]["dryRun"]), (&json!(true), &json!(["All"])));
    }
    assert_eq!(hook.seen().len(), 2);
}

#[tokio::test]
async fn invalid_objects_are_not_reviewed_by_validating_webhooks() {
    let hook = Hook::start(allow).await;
    let server = server_with(&hook).await;
    configure(&server, VALIDATING, "v", &[webhook("v.hook.test", hook.by_service("/x"), json!({}))]).await;
    let mut invalid = pod("p");
    invalid["spec"]["containers"] = json!([]);
    expect(&server, "POST", PODS, &invalid, 422).await;
    assert_eq!(hook.seen().len(), 0);
}

#[tokio::test]
async fn a_patch_of_a_validating_webhook_is_an_error() {
    let hook =
        Hook::start(|seen| super::hook::patch(seen, &json!([{"op": "add", "path": "/a", "value": 1}]))).await;
    let server = server_with(&hook).await;
    configure(&server, VALIDATING, "v", &[webhook("v.hook.test", hook.by_service("/x"), json!({}))]).await;
    let refused = expect(&server, "POST", PODS, &pod("p"), 500).await;
    assert!(message(&refused).ends_with("validating webhook may not return response.patch"), "{refused}");

    let server = server_with(&hook).await;
    expect(&server, "POST", PODS, &pod("p"), 201).await;
    let changes = json!({"rules": [rule(&["DELETE"], "", &["pods"])]});
    configure(&server, MUTATING, "m", &[webhook("m.hook.test", hook.by_service("/x"), changes)]).await;
    let refused = expect(&server, "DELETE", &format!("{PODS}/p"), &Value::Null, 500).await;
    assert_eq!(
        message(&refused),
        "Internal error occurred: admission webhook \"m.hook.test\" attempted to modify the object, which is not \
         supported for this operation"
    );
}
