//! Reads what a migration depends on.

use crate::error::MigrationError;
use crate::names;
use crate::observed::{Observed, Operators};
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client, ResourceExt};
use orascache_api::names::{GROUP, KIND, PLURAL, VERSION};
use serde_json::Value;

/// Where the operator's Lease is.
#[derive(Clone, Debug)]
pub struct LeasePlace {
    /// Namespace of the operator.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
}

/// OrasCaches as a kind.
pub(crate) fn caches() -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GROUP, VERSION, KIND), PLURAL)
}

/// An error about a request.
pub(crate) fn failed(what: impl Into<String>) -> impl FnOnce(kube::Error) -> MigrationError {
    let what = what.into();
    move |source| MigrationError::Api { what, source: Box::new(source) }
}

/// Names of the OrasCaches that have, or had, something to do with a migration: all but holding
/// caches. Of one namespace, or of all: as pairs of namespace and name.
///
/// # Errors
/// When they cannot be listed.
pub async fn list_caches(
    client: &Client,
    namespace: Option<&str>,
) -> Result<Vec<(String, String)>, MigrationError> {
    let (api, place): (Api<DynamicObject>, _) = match namespace {
        Some(name) => (Api::namespaced_with(client.clone(), name, &caches()), format!("namespace {name}")),
        None => (Api::all_with(client.clone(), &caches()), "all namespaces".to_owned()),
    };
    let found =
        api.list(&ListParams::default()).await.map_err(failed(format!("list OrasCaches of {place}")))?;
    let found = found.items.into_iter().filter(|cache| !cache.annotations().contains_key(names::HOLDS));
    Ok(found.map(|cache| (cache.namespace().unwrap_or_default(), cache.name_any())).collect())
}

/// Reads everything about one cache.
pub(crate) async fn observe(
    client: &Client,
    namespace: &str,
    name: &str,
    lease: &LeasePlace,
) -> Result<Observed, MigrationError> {
    let of = |kind: &str, name: &str| failed(format!("read {kind} {namespace}/{name}"));
    let caches: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &caches());
    let holding = names::holding(name);
    let cache = caches.get_opt(name).await.map_err(of("OrasCache", name))?;
    let Some(cache) = cache else {
        return Err(MigrationError::Refused(vec![format!(
            "OrasCache {namespace}/{name} does not exist. Name one of `kubectl get oc -n {namespace}`."
        )]));
    };
    let held = caches.get_opt(&holding).await.map_err(of("OrasCache", &holding))?;
    let sets = Api::namespaced(client.clone(), namespace);
    let services = Api::namespaced(client.clone(), namespace);
    let all = |kind: &str| failed(format!("list {kind} of namespace {namespace}"));
    Ok(Observed {
        cache: document(&cache),
        stateful_set: sets.get_opt(name).await.map_err(of("StatefulSet", name))?,
        service: services.get_opt(name).await.map_err(of("Service", name))?,
        holding: held.as_ref().map(document),
        jobs: listed(Api::namespaced(client.clone(), namespace)).await.map_err(all("Jobs"))?,
        pods: listed(Api::namespaced(client.clone(), namespace)).await.map_err(all("Pods"))?,
        operators: operators(client, lease).await?,
    })
}

fn document(cache: &DynamicObject) -> Value {
    serde_json::to_value(cache).unwrap_or_default()
}

async fn listed<K>(api: Api<K>) -> Result<Vec<K>, kube::Error>
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned + kube::Resource,
{
    Ok(api.list(&ListParams::default()).await?.items)
}

/// Looks for the operators. Who may not look at the whole cluster is told so.
async fn operators(client: &Client, lease: &LeasePlace) -> Result<Operators, MigrationError> {
    let mut operators = Operators::default();
    let unknown = &mut operators.unknown;
    let deployments =
        permitted(listed::<Deployment>(Api::all(client.clone())).await, "Deployments", unknown)?;
    let configurations = permitted(
        listed::<MutatingWebhookConfiguration>(Api::all(client.clone())).await,
        "MutatingWebhookConfigurations",
        unknown,
    )?;
    let leases: Api<Lease> = Api::namespaced(client.clone(), &lease.namespace);
    let lease = permitted(leases.get_opt(&lease.name).await, "the operator's Lease", unknown)?.flatten();
    operators.former = deployments.iter().flatten().filter(|one| is_former(one)).map(place).collect();
    let registered = |configuration: &&MutatingWebhookConfiguration| {
        configuration.webhooks.iter().flatten().any(|webhook| webhook.name == names::FORMER_WEBHOOK)
    };
    operators.former_webhooks =
        configurations.iter().flatten().filter(registered).map(ResourceExt::name_any).collect();
    operators.leader =
        lease.and_then(|lease| lease.spec?.holder_identity).filter(|holder| !holder.is_empty());
    Ok(operators)
}

/// The answer, unless this user may not ask.
fn permitted<T>(
    answer: Result<T, kube::Error>,
    what: &str,
    unknown: &mut Vec<String>,
) -> Result<Option<T>, MigrationError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(kube::Error::Api(status)) if status.code == 403 => {
            unknown.push(format!("You may not look at {what}."));
            Ok(None)
        }
        Err(error) => Err(failed(format!("read {what}"))(error)),
    }
}

fn is_former(deployment: &Deployment) -> bool {
    let Some(spec) = &deployment.spec else { return false };
    let containers = spec.template.spec.iter().flat_map(|pod| &pod.containers);
    let mut images = containers.filter_map(|container| container.image.as_deref());
    spec.replicas != Some(0) && images.any(|image| image.contains(names::FORMER_IMAGE))
}

fn place(deployment: &Deployment) -> String {
    format!("{}/{}", deployment.namespace().unwrap_or_default(), deployment.name_any())
}
