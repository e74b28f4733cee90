//! What `orascache dev` installs before the operator starts: the CRD of OrasCache, or those of
//! another component, and the webhook configurations that the component describes.

use crate::command::failed::Failed;
use crate::output;
use anyhow::{Context, anyhow};
use deploy_manifests::webhook::WebhookConfigurations;
use deploy_manifests::{ManifestOptions, names};
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::{ClusterResourceScope, Resource as _};
use kube::api::{Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::runtime::wait;
use kube::{Api, Client, Resource, ResourceExt};
use orascache_contract::Description;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

/// How long the API server may take to serve a new kind.
const ESTABLISHED: Duration = Duration::from_secs(10);
/// How long the operator may take to issue a CA and write it into the webhook configurations.
const PUBLISHED: Duration = Duration::from_secs(10);

/// CustomResourceDefinitions from files.
pub(super) fn read_definitions(files: &[PathBuf]) -> Result<Vec<CustomResourceDefinition>, Failed> {
    let mut definitions = Vec::new();
    for file in files {
        for document in output::read_documents(file).map_err(Failed::Unusable)? {
            if document.get("kind").is_none_or(|kind| kind != CustomResourceDefinition::KIND) {
                return Err(Failed::Unusable(anyhow!(
                    "--crd {}: it has objects that are not CustomResourceDefinitions: apply these with --exec, once everything is ready",
                    file.display()
                )));
            }
            let definition = serde_json::from_value(document)
                .with_context(|| format!("--crd {}: this is not a CustomResourceDefinition", file.display()));
            definitions.push(definition.map_err(Failed::Unusable)?);
        }
    }
    Ok(definitions)
}

/// Applies a CRD and waits until the API server serves it.
pub(super) async fn definition(client: &Client, definition: &CustomResourceDefinition) -> Result<(), Failed> {
    install(client, definition).await?;
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let name = definition.name_any();
    let established = wait::await_condition(api, &name, wait::conditions::is_crd_established());
    tokio::time::timeout(ESTABLISHED, established)
        .await
        .with_context(|| format!("the CustomResourceDefinition {name} is not accepted: see its conditions"))?
        .with_context(|| format!("the CustomResourceDefinition {name} cannot be watched"))?;
    Ok(())
}

/// Refuses a component that needs a kind which the API does not have: the operator would wait for
/// it for ever. Optional kinds may be missing.
pub(super) async fn require_kinds(client: &Client, description: &Description) -> Result<(), Failed> {
    let watched = description.owned.iter().chain(&description.related);
    let required = watched.filter(|watched| !watched.optional).map(|watched| &watched.kind);
    for kind in std::iter::once(&description.primary).chain(required) {
        let wanted = GroupVersionKind::gvk(kind.group(), kind.version(), &kind.kind);
        let why = match kube::discovery::pinned_kind(client, &wanted).await {
            Ok((found, _)) if *found.plural == *kind.plural => continue,
            Ok((found, _)) => format!("calls them {}, and the component {}", found.plural, kind.plural),
            Err(kube::Error::Api(status)) if status.code != 404 => {
                return Err(anyhow!("{} cannot be looked up: {status}", kind.kind).into());
            }
            Err(_) => "does not have it".to_owned(),
        };
        return Err(Failed::Unusable(anyhow!(
            "the component manages {} of {}, but this API {why}: give the CustomResourceDefinition with --crd FILE",
            kind.kind,
            kind.api_version
        )));
    }
    Ok(())
}

/// Port of the webhooks' Service.
pub(super) const SERVICE_PORT: u16 = 443;

/// Applies the objects by which the API server sends the reviews that the component wants: for
/// OrasCaches, those of `manifests/`.
pub(super) async fn webhooks(client: &Client, description: &Description) -> Result<(), Failed> {
    let options = ManifestOptions::default();
    install(client, &deploy_manifests::namespace::namespace(&options)).await?;
    let service = deploy_manifests::operator_webhooks::service(&options);
    let api: Api<Service> = Api::namespaced(client.clone(), names::NAMESPACE);
    apply(&api, &service).await?;
    let configurations = webhook_configurations(description);
    if let Some(mutating) = &configurations.mutating {
        install(client, mutating).await?;
    }
    if let Some(validating) = &configurations.validating {
        install(client, validating).await?;
    }
    Ok(())
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

/// Waits until both webhook configurations have the CA, which the operator writes as soon as it has
/// one.
pub(super) async fn trusted(client: &Client, description: &Description) -> Result<(), Failed> {
    let configurations = webhook_configurations(description);
    let mutating = async {
        if configurations.mutating.is_none() {
            return Ok(());
        }
        let api: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
        let is_trusted = |configuration: Option<&MutatingWebhookConfiguration>| {
            let webhooks = configuration.and_then(|configuration| configuration.webhooks.as_ref());
            webhooks.is_some_and(|all| all.iter().all(|webhook| has_ca(&webhook.client_config)))
        };
        wait::await_condition(api, names::OPERATOR, is_trusted).await.map(drop)
    };
    let validating = async {
        if configurations.validating.is_none() {
            return Ok(());
        }
        let api: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
        let is_trusted = |configuration: Option<&ValidatingWebhookConfiguration>| {
            let webhooks = configuration.and_then(|configuration| configuration.webhooks.as_ref());
            webhooks.is_some_and(|all| all.iter().all(|webhook| has_ca(&webhook.client_config)))
        };
        wait::await_condition(api, names::OPERATOR, is_trusted).await.map(drop)
    };
    tokio::time::timeout(PUBLISHED, futures::future::try_join(mutating, validating))
        .await
        .context("the CA of the webhooks was not published in time")?
        .context("the webhook configurations cannot be watched")?;
    Ok(())
}

fn has_ca(client: &WebhookClientConfig) -> bool {
    client.ca_bundle.is_some()
}

fn webhook_configurations(description: &Description) -> WebhookConfigurations {
    deploy_manifests::operator_webhooks::webhook_configurations(&ManifestOptions::default(), description)
}
