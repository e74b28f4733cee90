//! Mutating webhooks: what they see, and what they can change.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fake_kube_server::{ApiServer, Options};
use serde_json::{Value, json};

use super::hook::{Hook, Seen, allow, patch};
use super::{MUTATING, PODS, VALIDATING, configure, message, pod, rule, server_with, webhook};
use crate::common::{CACHES, cache, expect, send, with_caches};

/// Appends the path of the call to the annotation `order`.
fn append(seen: &Seen) -> super::hook::Reply {
    let step = seen.path_and_query.split('?').next().unwrap().trim_start_matches('/').to_owned();
    let object = &seen.request()["object"];
    let before = object["metadata"]["annotations"]["order"].as_str().map(str::to_owned);
    match before {
        Some(order) => patch(
            seen,
            &json!([
                {"op": "replace", "path": "/metadata/annotations/order", "value": format!("{order} {step}")},
            ]),
        ),
        None => {
            patch(seen, &json!([{"op": "add", "path": "/metadata/annotations", "value": {"order": step}}]))
        }
    }
}

fn order(object: &Value) -> &str {
    object["metadata"]["annotations"]["order"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn webhooks_are_called_in_order_and_see_earlier_patches() {
    let hook = Hook::start(append).await;
    let server = server_with(&hook).await;
    let step =
        |name: &str| webhook(&format!("{name}.hook.test"), hook.by_service(&format!("/{name}")), json!({}));
    configure(&server, MUTATING, "second", &[step("c")]).await;
    configure(&server, MUTATING, "first", &[step("b"), step("a")]).await;
    let created = expect(&server, "POST", PODS, &pod("p"), 201).await;
    assert_eq!(order(&created), "b a c");
    assert_eq!(expect(&server, "GET", &format!("{PODS}/p"), &Value::Null, 200).await, created);
}

#[tokio::test]
async fn earlier_webhooks_are_reinvoked_when_they_ask_for_it() {
    let hook = Hook::start(append).await;
    let server = server_with(&hook).await;
    let step = |name: &str, policy: &str| {
        let changes = json!({"reinvocationPolicy": policy});
        webhook(&format!("{name}.hook.test"), hook.by_service(&format!("/{name}")), changes)
    };
    let webhooks = [step("a", "IfNeeded"), step("b", "Never"), step("c", "IfNeeded")];
    configure(&server, MUTATING, "m", &webhooks).await;
    let created = expect(&server, "POST", PODS, &pod("p"), 201).await;
    // Nobody changed the object after `c`, until `a` did so in the second round.
    assert_eq!(order(&created), "a b c a c");
}

#[tokio::test]
async fn webhooks_that_change_nothing_cause_no_second_round() {
    let hook = Hook::start(|seen| {
        if seen.path_and_query.starts_with("/first") { append(seen) } else { patch(seen, &json!([])) }
    })
    .await;
    let server = server_with(&hook).await;
    let step = |name: &str| {
        let changes = json!({"reinvocationPolicy": "IfNeeded"});
        webhook(&format!("{name}.hook.test"), hook.by_service(&format!("/{name}")), changes)
    };
    configure(&server, MUTATING, "m", &[step("first"), step("second")]).await;
    expect(&server, "POST", PODS, &pod("p"), 201).await;
    assert_eq!(hook.seen().len(), 2);
}

#[tokio::test]
async fn a_new_object_is_reviewed_before_it_has_a_uid() {
    let hook = Hook::start(allow).await;
    let server = server_with(&hook).await;
    configure(&server, MUTATING, "m", &[webhook("m.hook.test", hook.by_service("/x"), json!({}))]).await;
    configure(&server, VALIDATING, "v", &[webhook("v.hook.test", hook.by_service("/x"), json!({}))]).await;
    let mut generated = pod("p");
    generated["metadata"] =
        json!({"generateName": "p-", "uid": "mine", "creationTimestamp": "2020-01-01T00:00:00Z"});
    let path = format!("{PODS}?fieldManager=me&fieldValidation=Strict");
    let created = expect(&server, "POST", &path, &generated, 201).await;
    let seen = hook.seen();
    let [mutating, validating] = seen.as_slice() else { panic!("{seen:#?}") };
    let request = mutating.request();
    let kind = json!({"group": "", "version": "v1", "kind": "Pod"});
    let resource = json!({"group": "", "version": "v1", "resource": "pods"});
    let mut rest = request.clone();
    let object = rest["object"].take();
    assert_eq!(
        rest,
        json!({
            "uid": request["uid"], "kind": kind, "resource": resource, "requestKind": kind,
            "requestResource": resource, "namespace": "default", "operation": "CREATE",
            "userInfo": {"username": "system:admin", "groups": ["system:masters", "system:authenticated"]},
            "object": null, "oldObject": null, "dryRun": false, "options": {
                "kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "me",
                "fieldValidation": "Strict",
            },
        })
    );
    let metadata = object["metadata"].as_object().unwrap();
    let fields: Vec<&String> = metadata.keys().collect();
    assert_eq!(fields, ["generateName", "managedFields", "namespace"]);
    assert_eq!(object["status"], json!({}));
    assert_eq!(object["spec"]["restartPolicy"], "Always", "defaults are there");
    assert_eq!(object["spec"]["priority"], 0, "what the server's own plugins add is there");

    let request = validating.request();
    assert_eq!(request["name"], created["metadata"]["name"]);
    let mut stored = created.clone();
    stored["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    assert_eq!(request["object"], stored, "validating webhooks see what is stored");
    assert_ne!(request["uid"], mutating.request()["uid"]);
}

#[tokio::test]
async fn fields_that_a_webhook_adds_get_defaults() {
    let hook = Hook::start(|seen| {
        if seen.path_and_query.starts_with("/second") {
            return allow(seen);
        }
        patch(seen, &json!([
            {"op": "add", "path": "/spec/initContainers", "value": [{"name": "init", "image": "x:1", "unknown": 1}]},
            {"op": "add", "path": "/spec/priorityClassName", "value": "system-node-critical"},
            {"op": "remove", "path": "/spec/priority"},
        ]))
    })
    .await;
    let server = server_with(&hook).await;
    let step =
        |name: &str| webhook(&format!("{name}.hook.test"), hook.by_service(&format!("/{name}")), json!({}));
    configure(&server, MUTATING, "m", &[step("first"), step("second")]).await;
    let created = expect(&server, "POST", PODS, &pod("p"), 201).await;
    let expected = json!({
        "name": "init", "image": "x:1", "imagePullPolicy": "IfNotPresent", "resources": {},
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
    });
    assert_eq!(created["spec"]["initContainers"][0], expected);
    assert_eq!(hook.seen()[1].request()["object"]["spec"]["initContainers"][0], expected);
    assert_eq!(created["spec"]["priority"], 2_000_001_000, "the server's own plugins run again");
}

#[tokio::test]
async fn custom_resources_are_pruned_and_defaulted_again() {
    let hook = Hook::start(|seen| {
        patch(
            seen,
            &json!([
                {"op": "add", "path": "/spec/unknown", "value": 1},
                {"op": "remove", "path": "/spec/replicas"},
                {"op": "add", "path": "/spec/image", "value": "mine"},
            ]),
        )
    })
    .await;
    let server = with_caches(Options::default()).await;
    server.route_service("hooks", "hook", 443, hook.address);
    let changes = json!({"rules": [rule(&["CREATE", "UPDATE"], "lab.example.com", &["caches"])]});
    configure(&server, MUTATING, "m", &[webhook("m.hook.test", hook.by_service("/x"), changes)]).await;
    let created = expect(&server, "POST", CACHES, &cache("a"), 201).await;
    assert_eq!(created["spec"]["replicas"], 1, "{created}");
    assert_eq!((&created["spec"]["image"], &created["spec"]["unknown"]), (&json!("mine"), &Value::Null));
    assert_eq!(created["metadata"]["generation"], 1);
    let changed = json!({"spec": {"image": "theirs", "replicas": 2}});
    let updated = expect(&server, "PATCH", &format!("{CACHES}/a"), &changed, 200).await;
    assert_eq!((&updated["spec"]["image"], &updated["spec"]["replicas"]), (&json!("mine"), &json!(1)));
    assert_eq!(updated["metadata"]["generation"], 1, "in the end the spec is what it was");
}

#[tokio::test]
async fn fields_that_a_webhook_changes_have_no_owner() {
    let hook = Hook::start(append).await;
    let server = server_with(&hook).await;
    let changes = json!({"rules": [rule(&["CREATE", "UPDATE"], "", &["pods"])]});
    configure(&server, MUTATING, "m", &[webhook("m.hook.test", hook.by_service("/x"), changes)]).await;
    let created = expect(&server, "POST", PODS, &pod("p"), 201).await;
    assert_eq!(order(&created), "x");
    let owned = created["metadata"]["managedFields"].to_string();
    assert!(owned.contains("f:image") && !owned.contains("f:annotations"), "{owned}");
    let labels = json!({"metadata": {"labels": {"a": "b"}}});
    let updated = expect(&server, "PATCH", &format!("{PODS}/p"), &labels, 200).await;
    assert_eq!(order(&updated), "x x");
    let owned = updated["metadata"]["managedFields"].to_string();
    assert!(owned.contains("f:labels") && !owned.contains("f:annotations"), "{owned}");
}

#[tokio::test]
async fn broken_managed_fields_are_restored() {
    let hook = Hook::start(|seen| {
        patch(
            seen,
            &json!([{"op": "replace", "path": "/metadata/managedFields/0/operation", "value": "Steal"}]),
        )
    })
    .await;
    let server = server_with(&hook).await;
    configure(&server, MUTATING, "m", &[webhook("m.hook.test", hook.by_service("/x"), json!({}))]).await;
    let created = send(&server, "POST", PODS, &[], pod("p").to_string()).await;
    assert_eq!(created.status, 201);
    let warning = created.header("warning").unwrap();
    assert!(warning.contains(".metadata.managedFields was in an invalid state after admission"), "{warning}");
    assert_eq!(created.json()["metadata"]["managedFields"][0]["operation"], "Update");
}

#[tokio::test]
async fn all_kinds_of_updates_are_reviewed() {
    let hook = Hook::start(allow).await;
    let server = server_with(&hook).await;
    let changes = json!({"rules": [rule(&["*"], "", &["pods"])]});
    configure(&server, MUTATING, "m", &[webhook("m.hook.test", hook.by_service("/x"), changes)]).await;
    let path = format!("{PODS}/p");
    let apply = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"by": "apply"}},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    });
    let merge = |value: &str| json!({"metadata": {"labels": {"by": value}}}).to_string();
    let json_patch = json!([{"op": "add", "path": "/metadata/labels/by", "value": "json"}]).to_string();
    let patches = [
        ("application/apply-patch+yaml", apply.to_string(), "?fieldManager=me", "CREATE", "CreateOptions"),
        (
            "application/apply-patch+yaml",
            apply.to_string().replace("\"by\":\"apply\"", "\"by\":\"again\""),
            "?fieldManager=me",
            "UPDATE",
            "UpdateOptions",
        ),
        ("application/merge-patch+json", merge("merge"), "?fieldManager=me", "UPDATE", "UpdateOptions"),
        (
            "application/strategic-merge-patch+json",
            merge("strategic"),
            "?fieldManager=me",
            "UPDATE",
            "UpdateOptions",
        ),
        ("application/json-patch+json", json_patch, "?fieldManager=me", "UPDATE", "UpdateOptions"),
    ];
    for (content_type, body, query, operation, options) in patches {
        let old = send(&server, "GET", &path, &[], "").await.json();
        hook.forget();
        let answer =
            send(&server, "PATCH", &format!("{path}{query}"), &[("Content-Type", content_type)], body).await;
        assert!(answer.status < 300, "{content_type}: {}", String::from_utf8_lossy(&answer.body));
        let request = hook.only();
        assert_eq!(request["operation"], operation, "{content_type}");
        assert_eq!(
            request["options"],
            json!({"kind": options, "apiVersion": "meta.k8s.io/v1", "fieldManager": "me"})
        );
        assert_eq!(request["name"], "p");
        if operation == "UPDATE" {
            assert_eq!(request["oldObject"], old);
            let labels = &request["object"]["metadata"]["labels"];
            assert_eq!(*labels, answer.json()["metadata"]["labels"]);
        } else {
            assert_eq!(request["oldObject"], Value::Null);
        }
    }
    let mut replaced = expect(&server, "GET", &path, &Value::Null, 200).await;
    replaced["metadata"]["labels"]["by"] = "put".into();
    hook.forget();
    expect(&server, "PUT", &path, &replaced, 200).await;
    assert_eq!(hook.only()["object"]["metadata"]["labels"]["by"], "put");
}

#[tokio::test]
async fn a_webhook_cannot_change_immutable_fields() {
    let hook = Hook::start(|seen| {
        patch(
            seen,
            &json!([
                {"op": "add", "path": "/status/phase", "value": "Running"},
                {"op": "add", "path": "/metadata/generation", "value": 7},
                {"op": "add", "path": "/metadata/labels", "value": {"by": "webhook"}},
            ]),
        )
    })
    .await;
    let server = server_with(&hook).await;
    let created = expect(&server, "POST", PODS, &pod("p"), 201).await;
    let changes = json!({"rules": [rule(&["UPDATE"], "", &["pods"])]});
    configure(&server, MUTATING, "m", &[webhook("m.hook.test", hook.by_service("/x"), changes)]).await;
    let annotate = json!({"metadata": {"annotations": {"a": "b"}}});
    let updated = expect(&server, "PATCH", &format!("{PODS}/p"), &annotate, 200).await;
    assert_eq!(updated["metadata"]["labels"]["by"], "webhook");
    assert_eq!(updated["status"], created["status"]);
    assert_eq!(updated["metadata"]["generation"], created["metadata"]["generation"]);
}

#[tokio::test]
async fn a_patch_that_cannot_be_applied_is_a_server_error() {
    let hook = Hook::start(|seen| match seen.path_and_query.split('?').next() {
        Some("/missing") => patch(seen, &json!([{"op": "remove", "path": "/spec/nothing"}])),
        Some("/type") => {
            patch(seen, &json!([{"op": "replace", "path": "/spec/containers", "value": "none"}]))
        }
        _ => patch(seen, &json!([{"op": "replace", "path": "/kind", "value": "Service"}])),
    })
    .await;
    for path in ["/missing", "/type", "/kind"] {
        let server = server_with(&hook).await;
        let changes = json!({"failurePolicy": "Ignore"});
        configure(&server, MUTATING, "m", &[webhook("m.hook.test", hook.by_service(path), changes)]).await;
        let refused = expect(&server, "POST", PODS, &pod("p"), 500).await;
        assert!(message(&refused).starts_with("Internal error occurred: "), "{refused}");
        assert!(!message(&refused).contains("failed calling"), "it is not the call that failed: {refused}");
    }
}

#[tokio::test]
async fn objects_are_validated_after_mutating_webhooks() {
    let hook = Hook::start(|seen| {
        patch(seen, &json!([{"op": "add", "path": "/metadata/labels", "value": {"-": "x"}}]))
    })
    .await;
    let server = server_with(&hook).await;
    configure(&server, MUTATING, "m", &[webhook("m.hook.test", hook.by_service("/x"), json!({}))]).await;
    configure(&server, VALIDATING, "v", &[webhook("v.hook.test", hook.by_service("/validate"), json!({}))])
        .await;
    let refused = expect(&server, "POST", PODS, &pod("p"), 422).await;
    assert!(message(&refused).contains("metadata.labels: Invalid value: \"-\""), "{refused}");
    assert_eq!(hook.seen().len(), 1, "validating webhooks come after validation");
}

#[tokio::test]
async fn a_retried_update_is_reviewed_again() {
    let server_of_hook: Arc<std::sync::OnceLock<Arc<ApiServer>>> = Arc::default();
    let (server, asked) = (server_of_hook.clone(), Arc::new(AtomicUsize::new(0)));
    let hook = Hook::start_async(move |seen| {
        let (server, asked) = (server.clone(), asked.clone());
        Box::pin(async move {
            // The object is written while the webhook reviews the first attempt.
            if asked.fetch_add(1, Ordering::SeqCst) == 0 {
                let status = json!({"status": {"phase": "Running"}});
                expect(server.get().unwrap(), "PATCH", &format!("{PODS}/p/status"), &status, 200).await;
            }
            allow(&seen)
        })
    })
    .await;
    let server = Arc::new(server_with(&hook).await);
    assert!(server_of_hook.set(server.clone()).is_ok());
    expect(&server, "POST", PODS, &pod("p"), 201).await;
    let changes = json!({"rules": [rule(&["UPDATE"], "", &["pods"])]});
    configure(&server, MUTATING, "m", &[webhook("m.hook.test", hook.by_service("/x"), changes)]).await;
    let labels = json!({"metadata": {"labels": {"a": "b"}}});
    let updated = expect(&server, "PATCH", &format!("{PODS}/p"), &labels, 200).await;
    assert_eq!(
        (&updated["metadata"]["labels"]["a"], &updated["status"]["phase"]),
        (&json!("b"), &json!("Running"))
    );
    let seen = hook.seen();
    assert_eq!(seen.len(), 2);
    let phase = |index: usize| seen[index].request()["oldObject"]["status"]["phase"].clone();
    assert_eq!((phase(0), phase(1)), (json!("Pending"), json!("Running")));
}
