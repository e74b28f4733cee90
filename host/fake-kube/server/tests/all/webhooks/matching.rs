//! Which requests a webhook is called for.

use serde_json::{Value, json};

use super::hook::{Hook, allow, patch};
use super::{MUTATING, PODS, VALIDATING, configure, message, pod, rule, server_with, webhook};
use crate::common::{CACHES, cache, expect, with_caches};
use fake_kube_server::{ApiServer, Options};

const DEFINITION: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/caches.lab.example.com";

async fn namespace(server: &ApiServer, name: &str, labels: Value) -> Value {
    let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
    expect(server, "POST", "/api/v1/namespaces", &body, 201).await
}

#[tokio::test]
async fn namespaces_are_selected_by_their_labels() {
    let hook = Hook::start(allow).await;
    let server = server_with(&hook).await;
    let mut everything = rule(&["*"], "*", &["*"]);
    everything["scope"] = "*".into();
    let changes = json!({
        "rules": [everything],
        "namespaceSelector": {"matchExpressions": [{"key": "hooked", "operator": "NotIn", "values": ["no"]}]},
    });
    configure(&server, VALIDATING, "v", &[webhook("v.hook.test", hook.by_service("/x"), changes)]).await;

    let asked = |what: &str| {
        let seen = hook.seen();
        hook.forget();
        let names: Vec<String> = seen
            .iter()
            .map(|seen| {
                let request = seen.request();
                let text = |field: &str| request[field].as_str().unwrap_or("-").to_owned();
                format!(
                    "{} {} {}",
                    text("operation"),
                    request["resource"]["resource"].as_str().unwrap(),
                    text("namespace")
                )
            })
            .collect();
        assert_eq!(names.join(", "), what);
    };
    // A namespace is judged by the labels that it will have, and is in itself.
    namespace(&server, "in", json!({"hooked": "yes"})).await;
    asked("CREATE namespaces in");
    namespace(&server, "out", json!({"hooked": "no"})).await;
    asked("");
    expect(&server, "POST", "/api/v1/namespaces/in/pods", &pod("p"), 201).await;
    asked("CREATE pods in");
    expect(&server, "POST", "/api/v1/namespaces/out/pods", &pod("p"), 201).await;
    asked("");
    expect(&server, "POST", PODS, &pod("p"), 201).await;
    asked("CREATE pods default");
    let class = json!({
        "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "c"}, "value": 1,
    });
    expect(&server, "POST", "/apis/scheduling.k8s.io/v1/priorityclasses", &class, 201).await;
    asked("CREATE priorityclasses -");
    let relabel = json!({"metadata": {"labels": {"hooked": "yes"}}});
    expect(&server, "PATCH", "/api/v1/namespaces/out", &relabel, 200).await;
    asked("UPDATE namespaces out");
    expect(&server, "DELETE", "/api/v1/namespaces/out", &Value::Null, 200).await;
    asked("DELETE namespaces out");
}

#[tokio::test]
async fn objects_are_selected_by_their_new_or_old_labels() {
    let hook = Hook::start(allow).await;
    let server = server_with(&hook).await;
    let changes = json!({
        "rules": [rule(&["*"], "", &["pods"])], "objectSelector": {"matchLabels": {"hooked": "yes"}},
    });
    configure(&server, VALIDATING, "v", &[webhook("v.hook.test", hook.by_service("/x"), changes)]).await;
    expect(&server, "POST", PODS, &pod("p"), 201).await;
    assert_eq!(hook.seen().len(), 0);
    let path = format!("{PODS}/p");
    for (labels, asked) in
        [(json!({"hooked": "yes"}), 1), (json!({"hooked": null}), 2), (json!({"a": "b"}), 2)]
    {
        expect(&server, "PATCH", &path, &json!({"metadata": {"labels": labels}}), 200).await;
        assert_eq!(hook.seen().len(), asked, "{labels}");
    }
    expect(&server, "DELETE", &path, &Value::Null, 200).await;
    assert_eq!(hook.seen().len(), 2);
}

#[tokio::test]
async fn conditions_see_the_objects_and_the_request() {
    let hook = Hook::start(allow).await;
    let server = server_with(&hook).await;
    let ours = "has(object.metadata.annotations) && object.metadata.annotations.exists(key, \
                key.startsWith('cache.example.com/'))";
    let changes = json!({
        "rules": [rule(&["CREATE", "UPDATE"], "", &["pods"])],
        "matchConditions": [
            {"name": "ours", "expression": ours},
            {"name": "changed", "expression": "request.operation == 'CREATE' || object.spec != oldObject.spec"},
            {"name": "lives", "expression": "!has(object.metadata.deletionTimestamp)"},
            {"name": "known", "expression": "request.userInfo.username == 'system:admin' && request.namespace == 'default'"},
        ],
    });
    configure(&server, MUTATING, "m", &[webhook("m.hook.test", hook.by_service("/x"), changes)]).await;
    expect(&server, "POST", PODS, &pod("p"), 201).await;
    assert_eq!(hook.seen().len(), 0);
    let mut annotated = pod("q");
    annotated["metadata"]["annotations"] = json!({"cache.example.com/input": "x"});
    expect(&server, "POST", PODS, &annotated, 201).await;
    assert_eq!(hook.seen().len(), 1);
    let path = format!("{PODS}/q");
    expect(&server, "PATCH", &path, &json!({"metadata": {"labels": {"a": "b"}}}), 200).await;
    assert_eq!(hook.seen().len(), 1, "the spec is as it was");
    let image = json!([{"op": "replace", "path": "/spec/containers/0/image", "value": "j"}]).to_string();
    let headers = [("Content-Type", "application/json-patch+json")];
    assert_eq!(crate::common::send(&server, "PATCH", &path, &headers, image).await.status, 200);
    assert_eq!(hook.seen().len(), 2);
}

#[tokio::test]
async fn conditions_that_cannot_be_evaluated_follow_the_failure_policy() {
    let hook = Hook::start(allow).await;
    let condition = |policy: &str, more: &str| {
        json!({"failurePolicy": policy, "matchConditions": [
            {"name": "broken", "expression": "object.spec.nothing == 1"},
            {"name": "more", "expression": more},
        ]})
    };
    for path in [MUTATING, VALIDATING] {
        let server = server_with(&hook).await;
        let changes = condition("Fail", "true");
        configure(&server, path, "w", &[webhook("w.hook.test", hook.by_service("/x"), changes)]).await;
        let refused = expect(&server, "POST", PODS, &pod("p"), 403).await;
        assert_eq!(
            message(&refused),
            "pods \"p\" is forbidden: expression 'object.spec.nothing == 1' resulted in error: no such key: nothing"
        );
        for (policy, more) in [("Fail", "false"), ("Ignore", "true")] {
            let server = server_with(&hook).await;
            let changes = condition(policy, more);
            configure(&server, path, "w", &[webhook("w.hook.test", hook.by_service("/x"), changes)]).await;
            expect(&server, "POST", PODS, &pod("p"), 201).await;
        }
    }
    assert_eq!(hook.seen().len(), 0);
}

#[tokio::test]
async fn equivalent_versions_of_a_resource_match() {
    let hook = Hook::start(|seen| {
        patch(
            seen,
            &json!([{"op": "add", "path": "/metadata/annotations", "value": {
                "seen-as": seen.request()["object"]["apiVersion"],
            }}]),
        )
    })
    .await;
    let server = with_caches(Options::default()).await;
    server.route_service("hooks", "hook", 443, hook.address);
    let mut definition = expect(&server, "GET", DEFINITION, &Value::Null, 200).await;
    let mut second = definition["spec"]["versions"][0].clone();
    second["name"] = "v2".into();
    second["storage"] = false.into();
    definition["spec"]["versions"].as_array_mut().unwrap().push(second);
    expect(&server, "PUT", DEFINITION, &definition, 200).await;

    let mut old_rule = rule(&["CREATE", "UPDATE"], "lab.example.com", &["caches"]);
    old_rule["apiVersions"] = json!(["v1"]);
    let exact = json!({"rules": [old_rule.clone()], "matchPolicy": "Exact"});
    configure(&server, MUTATING, "exact", &[webhook("e.hook.test", hook.by_service("/exact"), exact)]).await;
    let equivalent = json!({"rules": [old_rule]});
    configure(&server, MUTATING, "m", &[webhook("m.hook.test", hook.by_service("/x"), equivalent)]).await;

    let mut second = cache("a");
    second["apiVersion"] = "lab.example.com/v2".into();
    let created =
        expect(&server, "POST", "/apis/lab.example.com/v2/namespaces/default/caches", &second, 201).await;
    assert_eq!(created["apiVersion"], "lab.example.com/v2");
    assert_eq!(created["metadata"]["annotations"]["seen-as"], "lab.example.com/v1");
    let request = hook.only();
    assert_eq!(request["kind"]["version"], "v1");
    assert_eq!(request["resource"]["version"], "v1");
    assert_eq!(request["requestKind"]["version"], "v2");
    assert_eq!(request["requestResource"]["version"], "v2");
    hook.forget();
    expect(&server, "POST", CACHES, &cache("b"), 201).await;
    assert_eq!(hook.seen().len(), 2, "the requested version matches both");
}

#[tokio::test]
async fn subresources_match_by_their_own_name() {
    let hook = Hook::start(|seen| match seen.request()["subResource"].as_str() {
        Some("scale") => patch(seen, &json!([{"op": "replace", "path": "/spec/replicas", "value": 4}])),
        _ => allow(seen),
    })
    .await;
    let server = server_with(&hook).await;
    let sets = "/apis/apps/v1/namespaces/default/statefulsets";
    let set = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "s"},
        "spec": {
            "serviceName": "s", "selector": {"matchLabels": {"app": "s"}},
            "template": {"metadata": {"labels": {"app": "s"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        },
    });
    expect(&server, "POST", sets, &set, 201).await;
    expect(&server, "POST", PODS, &pod("p"), 201).await;
    expect(&server, "POST", PODS, &pod("q"), 201).await;
    let changes = json!({"rules": [rule(&["*"], "*", &["pods/*", "*/scale", "statefulsets/status"])]});
    configure(&server, MUTATING, "m", &[webhook("m.hook.test", hook.by_service("/x"), changes)]).await;

    let take = || {
        let request = hook.only();
        hook.forget();
        assert_eq!(request["subResource"], request["requestSubResource"]);
        request
    };
    let scaled =
        expect(&server, "PATCH", &format!("{sets}/s/scale"), &json!({"spec": {"replicas": 3}}), 200).await;
    let request = take();
    assert_eq!(scaled["spec"]["replicas"], 4, "the webhook changed the scale");
    assert_eq!(request["kind"], json!({"group": "autoscaling", "version": "v1", "kind": "Scale"}));
    assert_eq!(request["resource"]["resource"], "statefulsets");
    assert_eq!((&request["operation"], &request["name"]), (&json!("UPDATE"), &json!("s")));
    assert_eq!(request["object"]["spec"]["replicas"], 3);
    assert_eq!(request["oldObject"]["kind"], "Scale");
    assert_eq!(request["oldObject"]["spec"]["replicas"], 1);
    let stored = expect(&server, "GET", &format!("{sets}/s"), &Value::Null, 200).await;
    assert_eq!((&stored["spec"]["replicas"], &stored["metadata"]["generation"]), (&json!(4), &json!(2)));

    expect(&server, "PATCH", &format!("{sets}/s/status"), &json!({"status": {"replicas": 1}}), 200).await;
    let request = take();
    assert_eq!(
        (&request["subResource"], &request["kind"]["kind"]),
        (&json!("status"), &json!("StatefulSet"))
    );
    expect(&server, "PATCH", &format!("{sets}/s"), &json!({"metadata": {"labels": {"a": "b"}}}), 200).await;
    assert_eq!(hook.seen().len(), 0, "the resource itself is not named");

    let binding = json!({
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"},
    });
    expect(&server, "POST", &format!("{PODS}/p/binding"), &binding, 201).await;
    let request = take();
    assert_eq!((&request["operation"], &request["subResource"]), (&json!("CREATE"), &json!("binding")));
    assert_eq!(request["kind"], json!({"group": "", "version": "v1", "kind": "Binding"}));
    assert_eq!(request["object"]["target"]["name"], "n");

    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "q"}});
    expect(&server, "POST", &format!("{PODS}/q/eviction"), &eviction, 201).await;
    let request = take();
    assert_eq!((&request["operation"], &request["name"]), (&json!("CREATE"), &json!("q")));
    assert_eq!(request["kind"], json!({"group": "policy", "version": "v1", "kind": "Eviction"}));
    assert_eq!(request["object"]["metadata"]["namespace"], "default");
    expect(&server, "GET", &format!("{PODS}/q"), &Value::Null, 404).await;
}

#[tokio::test]
async fn no_webhook_is_called_for_webhook_configurations() {
    let hook = Hook::start(|seen| super::hook::deny(seen, json!({}))).await;
    let server = server_with(&hook).await;
    let changes = json!({"rules": [rule(&["*"], "*", &["*/*"])]});
    for path in [MUTATING, VALIDATING] {
        configure(&server, path, "all", &[webhook("a.hook.test", hook.by_service("/x"), changes.clone())])
            .await;
    }
    expect(&server, "POST", PODS, &pod("p"), 400).await;
    let reviews = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    expect(&server, "POST", reviews, &review, 400).await;
    assert_eq!(hook.seen().len(), 2);
    for path in [MUTATING, VALIDATING] {
        expect(&server, "DELETE", &format!("{path}/all"), &Value::Null, 200).await;
    }
    expect(&server, "POST", PODS, &pod("p"), 201).await;
    expect(&server, "POST", reviews, &review, 201).await;
    assert_eq!(hook.seen().len(), 2);
}
