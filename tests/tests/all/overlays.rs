//! What an operator without webhooks, and one for listed namespaces, asks the API server for: no more
//! than the roles of the overlays `no-webhook` and `listed-namespaces` allow.

use deploy_manifests::access::{AccessRequest, permits};
use deploy_manifests::{ManifestOptions, names, rbac};
use fake_kube::Matcher;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use orascache_operator::EMBEDDED;
use orascache_operator::operator;
use orascache_operator::settings::Source;
use orascache_tests::access::needed;
use orascache_tests::cluster::{Cluster, PATIENCE, guest};
use orascache_tests::fixtures::cache;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn the_roles_of_an_operator_without_webhooks_in_listed_namespaces_allow_its_requests() {
    let cluster = Cluster::embedded().await;
    let namespaces = vec![cluster.namespace.clone()];
    let body = Namespace {
        metadata: ObjectMeta { name: Some(names::NAMESPACE.to_owned()), ..ObjectMeta::default() },
        ..Namespace::default()
    };
    Api::all(cluster.client()).create(&PostParams::default(), &body).await.expect("a namespace");
    // As the Deployment of these overlays starts it.
    let options = operator::Options {
        namespaces: namespaces.clone(),
        lease_namespace: Some(names::NAMESPACE.to_owned()),
        settings: Some(Source { namespace: names::NAMESPACE.to_owned(), name: names::SETTINGS.to_owned() }),
        ..operator::Options::default()
    };
    let client = cluster.operator_client().await;
    let operator =
        operator::start(client, Arc::new(guest(EMBEDDED)), options).await.expect("the operator starts");
    tokio::time::timeout(PATIENCE, operator.synced()).await.expect("the operator syncs");
    let caches = cluster.caches();
    let spec = json!({"secrets": {"registryHttp": "x"}, "storage": {"size": "1Gi"}});
    cluster.apply(&caches, cache("demo", spec)).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    cluster.apply(&caches, cache("demo", json!({"deploy": false}))).await;
    cluster.until_gone(&cluster.sets(), "demo").await;
    operator.shutdown().await;

    let asked = cluster.server().requests().distinct(&Matcher::any().user_agent("operator"));
    let options = ManifestOptions { webhooks: false, namespaces, ..ManifestOptions::default() };
    let grants = rbac::granted(&options, &orascache_core::describe());
    let mut resources = BTreeSet::new();
    for request in &asked {
        assert!(permits(&grants, &needed(request)), "not permitted: {request:?}");
        resources.insert(request.resource.as_str());
    }
    for resource in ["orascaches", "statefulsets", "secrets", "leases", "configmaps"] {
        assert!(resources.contains(resource), "{resources:?}");
    }
    assert!(resources.iter().all(|resource| !resource.ends_with("webhookconfigurations")), "{resources:?}");
    // What webhooks and certificates need, these roles do not grant.
    let with = rbac::granted(&ManifestOptions::default(), &orascache_core::describe());
    let publishing = AccessRequest {
        verb: "patch",
        group: "admissionregistration.k8s.io",
        resource: "mutatingwebhookconfigurations",
        name: Some(names::OPERATOR),
        ..AccessRequest::default()
    };
    assert!(permits(&with, &publishing) && !permits(&grants, &publishing));
    cluster.finish().await;
}
