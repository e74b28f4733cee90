//! An API server, replicas that use it, and helpers that read the results.

use crate::common::{Caller, PATIENCE, Protocol, Script};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fake_kube::FakeKube;
use http::StatusCode;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use orascache_webhook::{
    CaBundleTarget, CertificateManager, CertificateManagerOptions, CertificateMetrics, CertificateResolver,
    Server, ServerOptions,
};
use prometheus_client::registry::Registry;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use time::OffsetDateTime;
use tokio::net::TcpListener;

pub const NAMESPACE: &str = "default";
pub const SECRET: &str = "hook-certificate";
pub const NAME: &str = "hook";
pub const DAY: i64 = 24 * 60 * 60;

pub async fn api() -> (FakeKube, Client) {
    let api = FakeKube::start().await.unwrap();
    let client = api.client();
    (api, client)
}

/// A clock that tests set forward.
#[derive(Clone, Default)]
pub struct TestClock(Arc<AtomicI64>);

impl TestClock {
    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + Duration::from_secs(self.0.load(Ordering::SeqCst) as u64)
    }
}

pub fn options(clock: &TestClock) -> CertificateManagerOptions {
    let mut options = CertificateManagerOptions::new(NAMESPACE, SECRET, NAME);
    options.names.push("127.0.0.1".to_owned());
    options.targets = vec![CaBundleTarget::mutating(NAME), CaBundleTarget::validating(NAME)];
    options.period = Duration::from_millis(50);
    let clock = clock.clone();
    options.clock = Arc::new(move || clock.now());
    options
}

pub async fn replica(
    client: &Client,
    options: CertificateManagerOptions,
) -> (Arc<CertificateResolver>, CertificateManager) {
    let start = CertificateManager::start(client.clone(), options, CertificateMetrics::default());
    tokio::time::timeout(PATIENCE, start).await.expect("it hangs").unwrap()
}

/// A server with this certificate. It stops when it is dropped.
pub async fn serve(resolver: &Arc<CertificateResolver>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let script = Arc::new(Script::default());
    let options = ServerOptions::default();
    Server::start(listener, script, resolver.clone(), options, &mut Registry::default()).unwrap()
}

pub fn roots(bundle: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(bundle).collect::<Result<_, _>>().unwrap()
}

pub async fn secret(client: &Client) -> Secret {
    Api::namespaced(client.clone(), NAMESPACE).get(SECRET).await.unwrap()
}

pub async fn data(client: &Client) -> BTreeMap<String, Vec<u8>> {
    let data = secret(client).await.data.unwrap_or_default();
    data.into_iter().map(|(entry, value)| (entry, value.0)).collect()
}

/// Creates a configuration as the manifests have it: without a bundle.
pub async fn configure_mutating(client: &Client, webhooks: &[&str]) {
    let webhooks: Vec<Value> = webhooks
        .iter()
        .map(|name| {
            json!({
                "name": name,
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Fail",
                "clientConfig": {"service": {"namespace": NAMESPACE, "name": NAME, "path": "/mutate"}},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}],
            })
        })
        .collect();
    let configuration =
        serde_json::from_value(json!({"metadata": {"name": NAME}, "webhooks": webhooks})).unwrap();
    Api::<MutatingWebhookConfiguration>::all(client.clone())
        .create(&PostParams::default(), &configuration)
        .await
        .unwrap();
}

/// The CA bundles of the configuration's webhooks.
pub async fn ca_bundles(client: &Client) -> Vec<Vec<u8>> {
    let api: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    let webhooks = api.get(NAME).await.unwrap().webhooks.unwrap_or_default();
    webhooks.into_iter().map(|webhook| webhook.client_config.ca_bundle.unwrap_or_default().0).collect()
}

/// Whether all webhooks have this CA bundle.
pub async fn has_ca_bundle(client: &Client, bundle: &[u8]) -> bool {
    ca_bundles(client).await.iter().all(|found| found == bundle)
}

pub async fn edit(client: &Client, entry: &str, value: Option<&[u8]>) {
    let patch = json!({"data": {entry: value.map(|value| STANDARD.encode(value))}});
    Api::<Secret>::namespaced(client.clone(), NAMESPACE)
        .patch(SECRET, &PatchParams::default(), &Patch::Merge(patch))
        .await
        .unwrap();
}

/// Whether a client with this CA bundle trusts the server.
pub async fn is_trusted(server: &Server, bundle: &[u8]) -> bool {
    let caller = Caller::new(server.local_addr(), Protocol::Http2, &roots(bundle));
    caller.act("allow").await.is_ok_and(|answer| answer.status == StatusCode::OK)
}
