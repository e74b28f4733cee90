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
use orascache_runtime::Guest;
use std::net::SocketAddr;
use std::sync::Arc;

/// Starts the operator as `orascache run` does, with webhooks on a free port, and has the API
/// server call them. Returns once the configurations have the CA and the operator has reconciled
/// every object once.
pub async fn operator(cluster: &Cluster) -> Operator {
    operator_with(cluster, |_| {}).await
}

/// The same with changed options.
pub async fn operator_with(cluster: &Cluster, change: impl FnOnce(&mut operator::Options)) -> Operator {
    operator_of(cluster, Arc::new(guest(EMBEDDED)), change).await
}

/// The same with another guest, whose own admission is served.
pub async fn operator_of(
    cluster: &Cluster,
    guest: Arc<Guest>,
    change: impl FnOnce(&mut operator::Options),
) -> Operator {
    let client = cluster.client();
    let namespace =
        serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": names::NAMESPACE}});
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces
        .patch(names::NAMESPACE, &PatchParams::apply("test"), &Patch::Apply(&namespace))
        .await
        .expect("the operator's namespace");
    // The configurations are applied before the operator starts, as with `kubectl apply -k`.
    let address = test_registries::free_address();
    install(cluster, &client, address, guest.describe()).await;
    // With a Lease, as in an installation.
    let mut options = operator::Options {
        lease_namespace: Some(names::NAMESPACE.to_owned()),
        webhooks: Some(Options {
            listen: address,
            client_authority: None,
            certificate: Certificate::Managed {
                namespace: names::NAMESPACE.to_owned(),
                service: names::WEBHOOK_SERVICE.to_owned(),
                configuration: names::OPERATOR.to_owned(),
                names: vec!["127.0.0.1".to_owned()],
            },
        }),
        settings: Some(Source { namespace: names::NAMESPACE.to_owned(), name: names::SETTINGS.to_owned() }),
        ..operator::Options::default()
    };
    change(&mut options);
    let operator = operator::start(cluster.operator_client().await, guest.clone(), options).await;
    let operator = operator.expect("the operator starts");
    until_ca_is_published(&client, guest.describe()).await;
    tokio::time::timeout(PATIENCE, operator.synced()).await.expect("the operator syncs");
    operator
}

/// Applies the webhook configurations of the manifests. No API server of the tests reaches
/// Services: a real one gets URLs in the configurations, and the fake one a route for the Service.
async fn install(cluster: &Cluster, client: &Client, address: SocketAddr, description: &Description) {
    let configurations = webhook_configurations(&ManifestOptions::default(), description);
    let (mut mutating, mut validating) = (configurations.mutating, configurations.validating);
    if cluster.is_real() {
        let replace_service = |config: &mut WebhookClientConfig| {
            let path = config.service.take().and_then(|service| service.path).unwrap_or_default();
            config.url = Some(format!("https://{address}{path}"));
        };
        let webhooks = mutating.iter_mut().flat_map(|found| found.webhooks.iter_mut().flatten());
        webhooks.for_each(|webhook| replace_service(&mut webhook.client_config));
        let webhooks = validating.iter_mut().flat_map(|found| found.webhooks.iter_mut().flatten());
        webhooks.for_each(|webhook| replace_service(&mut webhook.client_config));
    } else {
        cluster.server().route_service(names::NAMESPACE, names::WEBHOOK_SERVICE, 443, address);
    }
    let parameters = PatchParams::apply("test").force();
    if let Some(mutating) = mutating {
        let api: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
        api.patch(&mutating.name_any(), &parameters, &Patch::Apply(&mutating)).await.expect("applied");
    }
    if let Some(validating) = validating {
        let api: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
        api.patch(&validating.name_any(), &parameters, &Patch::Apply(&validating)).await.expect("applied");
    }
}

/// Waits until the operator has written its CA into the configurations. A guest without rules that
/// patch has no mutating configuration.
async fn until_ca_is_published(client: &Client, description: &Description) {
    let has_ca = |config: &WebhookClientConfig| config.ca_bundle.is_some();
    if description.admission.iter().any(|rule| rule.mutating) {
        let api: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
        let has_bundle = |found: Option<&MutatingWebhookConfiguration>| {
            let webhooks = found.and_then(|found| found.webhooks.as_ref());
            webhooks.is_some_and(|all| all.iter().all(|webhook| has_ca(&webhook.client_config)))
        };
        let published = wait::await_condition(api, names::OPERATOR, has_bundle);
        tokio::time::timeout(PATIENCE, published).await.expect("published in time").expect("watched");
    }
    let api: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    let has_bundle = |found: Option<&ValidatingWebhookConfiguration>| {
        let webhooks = found.and_then(|found| found.webhooks.as_ref());
        webhooks.is_some_and(|all| all.iter().all(|webhook| has_ca(&webhook.client_config)))
    };
    let published = wait::await_condition(api, names::OPERATOR, has_bundle);
    tokio::time::timeout(PATIENCE, published).await.expect("published in time").expect("watched");
}
