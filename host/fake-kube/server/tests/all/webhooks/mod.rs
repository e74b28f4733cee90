//! Admission webhooks over real HTTPS.

mod calls;
mod configuration;
mod hook;
mod matching;
mod mutating;
mod validating;

use crate::common::expect;
use fake_kube_server::{ApiServer, Options};
use hook::Hook;
use serde_json::{Value, json};

const PODS: &str = "/api/v1/namespaces/default/pods";
const MUTATING: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
const VALIDATING: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";

fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    })
}

/// A server that routes the service `hook` in namespace `hooks` to the webhook.
async fn server_with(hook: &Hook) -> ApiServer {
    let server = ApiServer::start(Options::default()).await.unwrap();
    server.route_service("hooks", "hook", 443, hook.address);
    server
}

fn rule(operations: &[&str], group: &str, resources: &[&str]) -> Value {
    json!({"operations": operations, "apiGroups": [group], "apiVersions": ["*"], "resources": resources})
}

/// A webhook for new pods; `changes` replace its fields.
fn webhook(name: &str, client_config: Value, changes: Value) -> Value {
    let mut webhook = json!({
        "name": name, "clientConfig": client_config, "rules": [rule(&["CREATE"], "", &["pods"])],
        "sideEffects": "None", "admissionReviewVersions": ["v1"],
    });
    for (key, value) in changes.as_object().unwrap() {
        webhook[key] = value.clone();
    }
    webhook
}

fn configuration(path: &str, name: &str, webhooks: &[Value]) -> Value {
    let kind =
        if path == MUTATING { "MutatingWebhookConfiguration" } else { "ValidatingWebhookConfiguration" };
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name},
        "webhooks": webhooks,
    })
}

/// Stores a configuration.
async fn configure(server: &ApiServer, path: &str, name: &str, webhooks: &[Value]) -> Value {
    expect(server, "POST", path, &configuration(path, name, webhooks), 201).await
}

fn message(answer: &Value) -> &str {
    answer["message"].as_str().unwrap_or_default()
}
