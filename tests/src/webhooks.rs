//! The whole operator with its webhooks, and webhook configurations by which the API server calls
//! them.

use crate::cluster::{Cluster, PATIENCE, guest};
use deploy_manifests::operator_webhooks::webhook_configurations;
use deploy_manifests::{ManifestOptions, names};
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Patch, PatchParams};
use kube::runtime::wait;
use kube::{Api, Client, ResourceExt};
use orascache_contract::Description;
use orascache_operator::EMBEDDED;
use orascache_operator::operator::{self, Operator};
use orascache_operator::settings::Source;
use orascache_operator::webhooks::{Certificate, Options};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

/// Starts the operator as `orascache run` does, with webhooks on a free port, and has the API
/// server call them. Returns once the configurations have the CA and the operator has reconciled
/// every object once.
pub async fn operator(cluster: &Cluster) -> Operator {
    operator_with(cluster, |_| {}).await
}

/// The same with changed options.
pub async fn operator_with(cluster: &Cluster, change: impl FnOnce(&mut operator::Options)) -> Operator {
    let client = cluster.client();
    let namespace =
        serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": names::NAMESPACE}});
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces
        .patch(names::NAMESPACE, &PatchParams::apply("test"), &Patch::Apply(&namespace))
        .await
        .expect("the operator's namespace");
    // The configurations are applied before the operator starts, as with `kubectl apply -k`.
    let address = free_address();
    let guest = Arc::new(guest(EMBEDDED));
    install(cluster, &client, address, guest.describe()).await;
    // With a Lease, as in an installation.
    let mut options = operator::Options {
        lease_namespace: Some(names::NAMESPACE.to_owned()),
        webhooks: Some(Options {
            listen: address,
            client_authority: None,
            certificate: Certificate::Managed {
                namespace: names::NAMESPACE.to_owned(),
                names: vec!["127.0.0.1".to_owned()],
            },
        }),
        settings: Some(Source { namespace: names::NAMESPACE.to_owned(), name: names::SETTINGS.to_owned() }),
        ..operator::Options::default()
    };
    change(&mut options);
    let operator =
        operator::start(cluster.operator_client().await, guest, options).await.expect("the operator starts");
    until_ca_is_published(&client).await;
    tokio::time::timeout(PATIENCE, operator.synced()).await.expect("the operator syncs");
    operator
}

/// An address that was free when this function looked.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

/// Applies the webhook configurations of the manifests. No API server of the tests reaches
/// Services: a real one gets URLs in the configurations, and the fake one a route for the Service.
async fn install(cluster: &Cluster, client: &Client, address: SocketAddr, description: &Description) {
    let configurations = webhook_configurations(&ManifestOptions::default(), description);
    let mut mutating = configurations.mutating.expect("mutating webhooks");
    let mut validating = configurations.validating.expect("validating webhooks");
    if cluster.is_real() {
        let replace_service = |config: &mut WebhookClientConfig| {
            let path = config.service.take().and_then(|service| service.path).unwrap_or_default();
            config.url = Some(format!("https://{address}{path}"));
        };
        mutating
            .webhooks
            .iter_mut()
            .flatten()
            .for_each(|webhook| replace_service(&mut webhook.client_config));
        validating
            .webhooks
            .iter_mut()
            .flatten()
            .for_each(|webhook| replace_service(&mut webhook.client_config));
    } else {
        cluster.server().route_service(names::NAMESPACE, names::WEBHOOK_SERVICE, 443, address);
    }
    let parameters = PatchParams::apply("test").force();
    let api: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    api.patch(&mutating.name_any(), &parameters, &Patch::Apply(&mutating)).await.expect("applied");
    let api: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    api.patch(&validating.name_any(), &parameters, &Patch::Apply(&validating)).await.expect("applied");
}

/// Waits until the operator has written its CA into the configurations.
async fn until_ca_is_published(client: &Client) {
    let api: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    let has_bundle = |found: Option<&MutatingWebhookConfiguration>| {
        let webhooks = found.and_then(|found| found.webhooks.as_ref());
        webhooks.is_some_and(|all| all.iter().all(|webhook| webhook.client_config.ca_bundle.is_some()))
    };
    let published = wait::await_condition(api, names::OPERATOR, has_bundle);
    tokio::time::timeout(PATIENCE, published).await.expect("published in time").expect("watched");
}
