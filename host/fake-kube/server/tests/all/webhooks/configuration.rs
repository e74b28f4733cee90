//! Webhook configurations as objects: defaults, validation, and patches of single webhooks.

use serde_json::{Value, json};

use super::{MUTATING, VALIDATING, configuration, configure, message, webhook};
use crate::common::{expect, send};
use fake_kube_server::{ApiServer, Options};

fn service() -> Value {
    json!({"service": {"namespace": "n", "name": "s"}})
}

async fn server() -> ApiServer {
    ApiServer::start(Options::default()).await.unwrap()
}

#[tokio::test]
async fn configurations_get_defaults_and_are_validated() {
    let server = server().await;
    let stored = configure(&server, MUTATING, "m", &[webhook("a.hook.test", service(), json!({}))]).await;
    let defaulted = &stored["webhooks"][0];
    assert_eq!(defaulted["failurePolicy"], "Fail");
    assert_eq!(defaulted["matchPolicy"], "Equivalent");
    assert_eq!(defaulted["reinvocationPolicy"], "Never");
    assert_eq!(defaulted["timeoutSeconds"], 10);
    assert_eq!((&defaulted["namespaceSelector"], &defaulted["objectSelector"]), (&json!({}), &json!({})));
    assert_eq!(defaulted["rules"][0]["scope"], "*");
    assert_eq!(defaulted["clientConfig"]["service"]["port"], 443);
    assert_eq!(stored["metadata"]["generation"], 1);
    let wrong = webhook("short", service(), json!({"timeoutSeconds": 31, "sideEffects": "Some"}));
    let refused = expect(&server, "POST", VALIDATING, &configuration(VALIDATING, "v", &[wrong]), 422).await;
    assert_eq!(
        message(&refused),
        "ValidatingWebhookConfiguration.admissionregistration.k8s.io \"v\" is invalid: [webhooks[0].name: Invalid value: \
         \"short\": should be a domain with at least three segments separated by dots, webhooks[0].sideEffects: \
         Unsupported value: \"Some\": supported values: \"None\", \"NoneOnDryRun\", webhooks[0].timeoutSeconds: Invalid \
         value: 31: the timeout value must be between 1 and 30 seconds]"
    );
}

/// The webhooks of a configuration.
fn webhooks(configuration: &Value) -> Vec<Value> {
    configuration["webhooks"].as_array().unwrap().clone()
}

#[tokio::test]
async fn any_patch_format_can_set_the_bundle_of_one_webhook() {
    for path in [MUTATING, VALIDATING] {
        let server = server().await;
        let two =
            [webhook("a.hook.test", service(), json!({})), webhook("b.hook.test", service(), json!({}))];
        let stored = configure(&server, path, "w", &two).await;
        let object = format!("{path}/w");
        let mut expected = webhooks(&stored);

        let applied = json!({
            "apiVersion": stored["apiVersion"], "kind": stored["kind"], "metadata": {"name": "w"},
            "webhooks": [{"name": "b.hook.test", "clientConfig": {"caBundle": "YQ=="}}],
        });
        let headers = [("Content-Type", "application/apply-patch+yaml")];
        let apply = format!("{object}?fieldManager=bundler");
        let answer = send(&server, "PATCH", &apply, &headers, applied.to_string()).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        expected[1]["clientConfig"]["caBundle"] = "YQ==".into();
        assert_eq!(webhooks(&answer.json()), expected);
        assert_eq!(answer.json()["metadata"]["generation"], 2, "webhooks are what a generation is of");
        let managers = answer.json()["metadata"]["managedFields"].clone();
        let own = managers.as_array().unwrap().iter().find(|entry| entry["manager"] == "bundler").unwrap();
        assert_eq!(
            own["fieldsV1"],
            json!({"f:webhooks": {"k:{\"name\":\"b.hook.test\"}": {
                ".": {}, "f:name": {}, "f:clientConfig": {"f:caBundle": {}},
            }}})
        );

        let strategic = json!({"webhooks": [{"name": "a.hook.test", "clientConfig": {"caBundle": "Yg=="}}]});
        let headers = [("Content-Type", "application/strategic-merge-patch+json")];
        let answer = send(&server, "PATCH", &object, &headers, strategic.to_string()).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        expected[0]["clientConfig"]["caBundle"] = "Yg==".into();
        assert_eq!(webhooks(&answer.json()), expected);

        let operations = json!([
            {"op": "test", "path": "/webhooks/1/name", "value": "b.hook.test"},
            {"op": "add", "path": "/webhooks/1/clientConfig/caBundle", "value": "Yw=="},
        ]);
        let headers = [("Content-Type", "application/json-patch+json")];
        let answer = send(&server, "PATCH", &object, &headers, operations.to_string()).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        expected[1]["clientConfig"]["caBundle"] = "Yw==".into();
        assert_eq!(webhooks(&answer.json()), expected);
        let labels = json!({"metadata": {"labels": {"a": "b"}}});
        let labelled = expect(&server, "PATCH", &object, &labels, 200).await;
        assert_eq!(labelled["metadata"]["generation"], answer.json()["metadata"]["generation"]);
    }
}

#[tokio::test]
async fn conditions_must_compile() {
    let server = server().await;
    let changes = json!({"matchConditions": [{"name": "c", "expression": "object.spec =="}]});
    let wrong = configuration(MUTATING, "m", &[webhook("a.hook.test", service(), changes)]);
    let refused = expect(&server, "POST", MUTATING, &wrong, 422).await;
    assert!(message(&refused).contains(
        "webhooks[0].matchConditions[0].expression: Invalid value: \"object.spec ==\": compilation failed: ERROR: <input>:1:"
    ), "{refused}");
}
