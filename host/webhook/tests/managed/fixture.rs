//! An API server, replicas against it, and looks at what they did.

use crate::common::{Caller, PATIENCE, Protocol, Script};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fake_kube_server::ApiServer;
use http::StatusCode;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use orascache_webhook::{CertificateMetrics, Certificates, Limits, Managed, ManagedOptions, Server, Target};
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

pub async fn api() -> (ApiServer, Client) {
    let api = ApiServer::start(fake_kube_server::Options::default()).await.unwrap();
    let kubeconfig = Kubeconfig::from_yaml(&api.kubeconfig()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let client = Client::try_from(config).unwrap();
    (api, client)
}

/// A clock that tests turn.
#[derive(Clone, Default)]
pub struct Ahead(Arc<AtomicI64>);

impl Ahead {
    pub fn turn(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + Duration::from_secs(self.0.load(Ordering::SeqCst) as u64)
    }
}

pub fn options(ahead: &Ahead) -> ManagedOptions {
    let mut options = ManagedOptions::new(NAMESPACE, SECRET, NAME);
    options.names.push("127.0.0.1".to_owned());
    options.targets = vec![Target::mutating(NAME), Target::validating(NAME)];
    options.period = Duration::from_millis(50);
    let ahead = ahead.clone();
    options.clock = Arc::new(move || ahead.now());
    options
}

pub async fn replica(client: &Client, options: ManagedOptions) -> (Arc<Certificates>, Managed) {
    let start = Managed::start(client.clone(), options, CertificateMetrics::default());
    tokio::time::timeout(PATIENCE, start).await.expect("it hangs").unwrap()
}

/// A server with these certificates. It stops when dropped.
pub async fn serve(certificates: &Arc<Certificates>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let script = Arc::new(Script::default());
    let limits = Limits::default();
    Server::start(listener, script, certificates.clone(), limits, &mut Registry::default()).unwrap()
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

/// Makes a configuration as an installation has it: without a bundle.
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

/// The bundles of the configuration's webhooks.
pub async fn published(client: &Client) -> Vec<Vec<u8>> {
    let api: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    let webhooks = api.get(NAME).await.unwrap().webhooks.unwrap_or_default();
    webhooks.into_iter().map(|webhook| webhook.client_config.ca_bundle.unwrap_or_default().0).collect()
}

pub async fn is_published(client: &Client, bundle: &[u8]) -> bool {
    published(client).await.iter().all(|published| published == bundle)
}

pub async fn edit(client: &Client, entry: &str, value: Option<&[u8]>) {
    let patch = json!({"data": {entry: value.map(|value| STANDARD.encode(value))}});
    Api::<Secret>::namespaced(client.clone(), NAMESPACE)
        .patch(SECRET, &PatchParams::default(), &Patch::Merge(patch))
        .await
        .unwrap();
}

/// A server is reached by who trusts this bundle.
pub async fn is_trusted(server: &Server, bundle: &[u8]) -> bool {
    let caller = Caller::new(server.local_addr(), Protocol::Http2, &roots(bundle));
    caller.act("allow").await.is_ok_and(|answer| answer.status == StatusCode::OK)
}
