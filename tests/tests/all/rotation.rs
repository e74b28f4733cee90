//! Accounts that are replaced by the component and the host together, and certificates of
//! cert-manager. How long the changes wait for each other is tested with the core alone.

use k8s_openapi::ByteString;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use orascache_tests::cluster::{Cluster, install_crd};
use orascache_tests::fixtures::cache;
use serde_json::{Value, json};

const ROTATE: &str = "cache.converged-computing.github.io/rotate";
const PHASE: &str = "cache.converged-computing.github.io/rotation-phase";
const TIME: &str = "cache.converged-computing.github.io/rotation-time";

/// The text of a key of a Secret; empty where it has none.
fn text(secret: &Value, key: &str) -> String {
    let value = secret["data"].get(key).cloned().unwrap_or_else(|| json!(""));
    let bytes: ByteString = serde_json::from_value(value).expect("base64");
    String::from_utf8(bytes.0).expect("text")
}

fn users(secret: &Value) -> Vec<String> {
    let file = text(secret, "htpasswd");
    file.lines().map(|line| line.split_once(':').expect("a line").0.to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_replaced_in_three_changes_and_nothing_of_it_is_left() {
    let cluster = Cluster::start().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({"auth": {}}))).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    let secrets = cluster.api("v1", "Secret", "secrets");
    let first = cluster.until(&secrets, "demo-account", "there", |_| true).await;
    assert_eq!(users(&first), ["orascache"]);

    cluster.edit(&cluster.caches(), "demo", json!({"metadata": {"annotations": {ROTATE: "1"}}})).await;
    let mut seen = vec![first];
    for phase in ["staged", "switched", "finished"] {
        let is_reached = |secret: &Value| secret["metadata"]["annotations"][PHASE] == phase;
        seen.push(cluster.until(&secrets, "demo-account", phase, is_reached).await);
        if phase != "finished" {
            // The wait is over.
            let long_ago = json!({"metadata": {"annotations": {TIME: "2020-01-01T00:00:00Z"}}});
            cluster.edit(&secrets, "demo-account", long_ago).await;
        }
    }
    let [first, staged, switched, finished] = &seen[..] else { panic!("four states") };
    let second = &users(staged)[1];
    let password = text(staged, "next.ORAS_PULL_PASS");
    let states = [staged, switched, finished]
        .map(|secret| (users(secret).len(), text(secret, "ORAS_USER"), text(secret, "ORAS_PULL_PASS")));
    assert_eq!(
        states,
        [
            (2, "orascache".to_owned(), text(first, "ORAS_PULL_PASS")),
            (2, second.clone(), password.clone()),
            (1, second.clone(), password),
        ]
    );
    assert_eq!(users(finished), std::slice::from_ref(second));
    assert_eq!(finished["data"].as_object().map(serde_json::Map::len), Some(3), "nothing is left over");
    assert_eq!(finished["metadata"]["ownerReferences"], first["metadata"]["ownerReferences"]);
    // Nothing secret is in the events about it.
    let events = cluster.api("events.k8s.io/v1", "Event", "events");
    let events = events.list(&kube::api::ListParams::default()).await.expect("events");
    let events = serde_json::to_string(&events).expect("JSON");
    assert!(!events.contains(&text(finished, "ORAS_PULL_PASS")) && !events.contains("$2y$"), "{events}");
    operator.shutdown().await;
    cluster.finish().await;
}

/// The part of cert-manager's definition that the operator writes (cert-manager.io/docs/reference,
/// "CertificateSpec").
fn definition() -> CustomResourceDefinition {
    let text = json!({"type": "string"});
    let texts = json!({"type": "array", "items": text});
    serde_json::from_value(json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "certificates.cert-manager.io"},
        "spec": {
            "group": "cert-manager.io", "scope": "Namespaced",
            "names": {"kind": "Certificate", "plural": "certificates", "singular": "certificate"},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "required": ["issuerRef", "secretName"], "properties": {
                        "dnsNames": texts,
                        "issuerRef": {"type": "object", "required": ["name"], "properties": {
                            "group": text, "kind": text, "name": text}},
                        "privateKey": {"type": "object", "properties": {
                            "algorithm": {"type": "string", "enum": ["RSA", "ECDSA", "Ed25519"]},
                            "rotationPolicy": {"type": "string", "enum": ["Never", "Always"]},
                            "size": {"type": "integer"}}},
                        "secretName": text,
                        "usages": texts}},
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                }}}}],
        },
    }))
    .expect("a definition")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_cert_manager_comes_and_goes_with_the_field() {
    let cluster = Cluster::embedded().await;
    install_crd(&cluster.client(), &definition()).await;
    let operator = cluster.operator().await;
    let spec = json!({"tls": {"issuerRef": {"name": "lab", "kind": "ClusterIssuer"}}});
    cluster.apply(&cluster.caches(), cache("demo", spec)).await;
    let certificates = cluster.api("cert-manager.io/v1", "Certificate", "certificates");
    let certificate = cluster.until(&certificates, "demo-registry", "there", |_| true).await;
    let issuer = json!({"group": "cert-manager.io", "kind": "ClusterIssuer", "name": "lab"});
    assert_eq!(certificate["spec"]["issuerRef"], issuer);
    assert_eq!(certificate["spec"]["secretName"], "demo-issued-tls");
    assert_eq!(certificate["metadata"]["ownerReferences"][0]["name"], "demo");
    cluster.edit(&cluster.caches(), "demo", json!({"spec": {"tls": null}})).await;
    cluster.until_gone(&certificates, "demo-registry").await;
    operator.shutdown().await;
    cluster.finish().await;
}
