//! What `orascache dev` installs before the operator starts: the CRD and the webhook configurations, as `manifests/` has
//! them.

use crate::command::Failed;
use anyhow::Context;
use installation::names;
use k8s_openapi::ClusterResourceScope;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::runtime::wait;
use kube::{Api, Client, CustomResourceExt, Resource, ResourceExt};
use orascache_api::orascache::OrasCache;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::time::Duration;

/// Applies the CRD and waits until the API server serves it.
pub(super) async fn definition(client: &Client) -> Result<(), Failed> {
    let definition = OrasCache::crd();
    install(client, &definition).await?;
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    wait::await_condition(api, &definition.name_any(), wait::conditions::is_crd_established())
        .await
        .context("the CRD is not served")?;
    Ok(())
}

/// Port of the webhooks' Service.
pub(super) const SERVICE_PORT: u16 = 443;

/// Applies what an installation has to tell the API server about reviews: the same objects as in `manifests/`.
pub(super) async fn webhooks(client: &Client) -> Result<(), Failed> {
    let settings = installation::Settings::default();
    install(client, &installation::namespace::namespace(&settings)).await?;
    let service = installation::webhook::service(&settings);
    let api: Api<Service> = Api::namespaced(client.clone(), names::NAMESPACE);
    apply(&api, &service).await?;
    install(client, &installation::webhook::mutating(&settings)).await?;
    install(client, &installation::webhook::validating(&settings)).await
}

async fn install<K>(client: &Client, object: &K) -> Result<(), Failed>
where
    K: Resource<DynamicType = (), Scope = ClusterResourceScope>
        + Clone
        + Serialize
        + DeserializeOwned
        + Debug,
{
    apply(&Api::all(client.clone()), object).await
}

async fn apply<K>(api: &Api<K>, object: &K) -> Result<(), Failed>
where
    K: Resource<DynamicType = ()> + Clone + Serialize + DeserializeOwned + Debug,
{
    let name = object.meta().name.clone().unwrap_or_default();
    let parameters = PatchParams::apply("orascache-install").force();
    api.patch(&name, &parameters, &Patch::Apply(object))
        .await
        .with_context(|| format!("{} {name} cannot be installed", K::kind(&())))?;
    Ok(())
}

/// Waits until the API server knows whom to trust: a moment, since the operator publishes its CA as soon as it has one.
pub(super) async fn trust(client: &Client) -> Result<(), Failed> {
    let api: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    let is_trusted = |configuration: Option<&MutatingWebhookConfiguration>| {
        let webhooks = configuration.and_then(|configuration| configuration.webhooks.as_ref());
        webhooks.is_some_and(|all| all.iter().all(|webhook| webhook.client_config.ca_bundle.is_some()))
    };
    let trusted = wait::await_condition(api, names::OPERATOR, is_trusted);
    tokio::time::timeout(Duration::from_secs(10), trusted)
        .await
        .context("the webhooks' CA was not published in time")?
        .context("the webhook configuration cannot be watched")?;
    Ok(())
}
