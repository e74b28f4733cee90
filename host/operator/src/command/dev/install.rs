//! What `orascache dev` installs before the operator starts: the CRD and the webhook configurations, as `manifests/` has
//! them, or the CRDs of another component.

use crate::command::Failed;
use crate::output;
use anyhow::{Context, anyhow};
use deploy_manifests::names;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::{ClusterResourceScope, Resource as _};
use kube::api::{Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::runtime::wait;
use kube::{Api, Client, Resource, ResourceExt};
use orascache_api::orascache::OrasCache;
use orascache_controller::contract::{Description, Kind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

/// How long the API server may take to serve a kind that it was told of.
const ESTABLISHED: Duration = Duration::from_secs(10);

/// Whether the component is one for OrasCaches, which `dev` has a CRD and webhook configurations for.
pub(super) fn manages_caches(description: &Description) -> bool {
    is_cache(&description.primary)
}

/// Whether that kind is OrasCache.
pub(super) fn is_cache(kind: &Kind) -> bool {
    kind.kind == OrasCache::kind(&()) && kind.api_version == OrasCache::api_version(&())
}

/// CustomResourceDefinitions from files.
pub(super) fn read_definitions(files: &[PathBuf]) -> Result<Vec<CustomResourceDefinition>, Failed> {
    let mut definitions = Vec::new();
    for file in files {
        for document in output::read_documents(file).map_err(Failed::Unusable)? {
            if document.get("kind").is_none_or(|kind| kind != CustomResourceDefinition::KIND) {
                return Err(Failed::Unusable(anyhow!(
                    "--crd {}: there is something else than a CustomResourceDefinition in it: apply that with --exec, once everything is ready",
                    file.display()
                )));
            }
            let definition = serde_json::from_value(document)
                .with_context(|| format!("--crd {}: this is no CustomResourceDefinition", file.display()));
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

/// Refuses a component with a kind that the API does not have: the operator would wait for it for ever.
pub(super) async fn require_kinds(client: &Client, description: &Description) -> Result<(), Failed> {
    let kinds = std::iter::once(&description.primary).chain(&description.owned).chain(&description.related);
    for kind in kinds {
        let (group, version) = kind.api_version.rsplit_once('/').unwrap_or(("", &kind.api_version));
        let wanted = GroupVersionKind::gvk(group, version, &kind.kind);
        let why = match kube::discovery::pinned_kind(client, &wanted).await {
            Ok((found, _)) if found.plural == kind.plural => continue,
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

/// Applies what an installation has to tell the API server about reviews: the same objects as in `manifests/`.
pub(super) async fn webhooks(client: &Client) -> Result<(), Failed> {
    let options = deploy_manifests::ManifestOptions::default();
    install(client, &deploy_manifests::namespace::namespace(&options)).await?;
    let service = deploy_manifests::operator_webhooks::service(&options);
    let api: Api<Service> = Api::namespaced(client.clone(), names::NAMESPACE);
    apply(&api, &service).await?;
    let description = deploy_manifests::orascache_description();
    let configurations = deploy_manifests::operator_webhooks::webhook_configurations(&options, &description);
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
