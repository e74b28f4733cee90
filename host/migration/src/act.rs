//! Makes one change. Each write names the state that was judged: one that meets another state fails
//! with 409, and the next look decides anew.

use crate::action::Action;
use crate::back::OWN_ANNOTATIONS;
use crate::copy::Copy;
use crate::error::MigrationError;
use crate::names::{self, FIELD_MANAGER, HOLDS};
use crate::objects;
use crate::observed::Observed;
use crate::read::{caches, failed};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Secret, Service};
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client, Resource};
use orascache_api::names::{CONSENT_ANNOTATION, HTTP_SECRET_KEY};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::fmt::Debug;

pub(crate) struct Actor<'a> {
    pub(crate) client: &'a Client,
    pub(crate) observed: &'a Observed,
    /// The image with the agent.
    pub(crate) image: &'a str,
}

impl Actor<'_> {
    /// Makes a change. That the state is another one by now is no error.
    pub(crate) async fn make(&self, action: Action) -> Result<(), MigrationError> {
        let observed = self.observed;
        let holding = names::holding(observed.name());
        let sentence = action.sentence(observed);
        let done = match action {
            Action::MoveSecret => return self.move_secret().await,
            Action::CreateHolding => self.create_cache(&objects::holding(observed)).await,
            Action::StartCopy(copy) => self.start(copy).await,
            Action::RemoveCopy(copy) => self.remove(&self.api::<Job>(), &copy.job(&holding), None).await,
            Action::CloseService => {
                self.patch_service(json!({"spec": {"selector": {HOLDS: observed.name()}}})).await
            }
            Action::OpenService => self.patch_service(json!({"spec": {"selector": {HOLDS: null}}})).await,
            Action::GiveService => {
                self.patch_service(
                    json!({"metadata": {"annotations": {CONSENT_ANNOTATION: observed.name()}}}),
                )
                .await
            }
            Action::DeleteStatefulSet => {
                let seen = observed.stateful_set.as_ref().map(|set| set.meta());
                let seen = seen.map(|meta| (meta.uid.clone(), meta.resource_version.clone()));
                self.remove(&self.api::<StatefulSet>(), observed.name(), seen).await
            }
            Action::RemoveHolding => {
                let api: Api<DynamicObject> =
                    Api::namespaced_with(self.client.clone(), observed.namespace(), &caches());
                self.remove(&api, &holding, None).await
            }
            Action::ReleaseStatefulSet => {
                let seen = observed.stateful_set.as_ref().map(|set| set.meta().clone());
                self.release(&self.api::<StatefulSet>(), seen).await
            }
            Action::ReleaseService => {
                let seen = observed.service.as_ref().map(|service| service.meta().clone());
                self.release(&self.api::<Service>(), seen).await
            }
        };
        settled(done).map_err(failed(format!("make this change: {sentence}")))
    }

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), self.observed.namespace())
    }

    async fn create_cache(&self, document: &Value) -> Result<(), kube::Error> {
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), self.observed.namespace(), &caches());
        create(&api, document).await
    }

    async fn start(&self, copy: Copy) -> Result<(), kube::Error> {
        let (former, held) = (self.observed.registry_pod(), self.observed.holding_pod());
        let (from, to) = match copy {
            Copy::First | Copy::Rest => (former, held),
            Copy::Back => (held, former),
        };
        // Where one of them is gone, the next look says so.
        let (Some(from), Some(to), Some(holding)) = (from, to, self.observed.own_holding()) else {
            return Ok(());
        };
        create(&self.api::<Job>(), &objects::job(self.observed, holding, copy, from, to, self.image)).await
    }

    async fn remove<K>(
        &self,
        api: &Api<K>,
        name: &str,
        seen: Option<(Option<String>, Option<String>)>,
    ) -> Result<(), kube::Error>
    where
        K: Clone + Debug + DeserializeOwned,
    {
        let preconditions = seen.map(|(uid, resource_version)| Preconditions { uid, resource_version });
        let parameters = DeleteParams { preconditions, ..DeleteParams::background() };
        api.delete(name, &parameters).await.map(drop)
    }

    /// Merges a patch into the Service that was observed.
    async fn patch_service(&self, mut patch: Value) -> Result<(), kube::Error> {
        let Some(service) = &self.observed.service else { return Ok(()) };
        let meta = service.meta();
        if let Some(patch) = patch.as_object_mut() {
            let metadata = patch.entry("metadata").or_insert_with(|| json!({}));
            metadata["uid"] = json!(meta.uid);
            metadata["resourceVersion"] = json!(meta.resource_version);
        }
        merge(&self.api::<Service>(), self.observed.name(), &patch).await
    }

    async fn release<K>(
        &self,
        api: &Api<K>,
        seen: Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta>,
    ) -> Result<(), kube::Error>
    where
        K: Clone + Debug + DeserializeOwned,
    {
        let Some(meta) = seen else { return Ok(()) };
        let annotations: Map<String, Value> =
            OWN_ANNOTATIONS.iter().map(|key| ((*key).to_owned(), Value::Null)).collect();
        let patch = json!({"metadata": {
            "uid": meta.uid, "resourceVersion": meta.resource_version, "annotations": annotations,
        }});
        merge(api, self.observed.name(), &patch).await
    }

    /// Makes the Secret, and names it in the spec in place of the value.
    async fn move_secret(&self) -> Result<(), MigrationError> {
        let observed = self.observed;
        let Some(value) = observed.literal_secret() else { return Ok(()) };
        let name = names::http_secret(observed.name());
        let of = |verb: &str| failed(format!("{verb} Secret {}/{name}", observed.namespace()));
        let secrets = self.api::<Secret>();
        match secrets.get_opt(&name).await.map_err(of("read"))? {
            None => create(&secrets, &objects::http_secret(observed, value)).await.map_err(of("make"))?,
            Some(found) => {
                let same = found
                    .data
                    .iter()
                    .any(|data| data.get(HTTP_SECRET_KEY).is_some_and(|held| held.0 == value.as_bytes()));
                if !same {
                    return Err(MigrationError::Refused(vec![format!(
                        "Secret {name} exists, and its key {HTTP_SECRET_KEY} is not the value of spec.secrets.registryHttp. Name the right one in spec.secret, or rename Secret {name}."
                    )]));
                }
            }
        }
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), observed.namespace(), &caches());
        let version = observed.cache.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
        let patch = json!({
            "metadata": {"uid": observed.uid(), "resourceVersion": version},
            "spec": {"secret": name, "secrets": {"registryHttp": null}},
        });
        settled(merge(&api, observed.name(), &patch).await).map_err(failed(format!(
            "change OrasCache {}/{}",
            observed.namespace(),
            observed.name()
        )))
    }
}

/// A conflict, and an object that is there or gone already, mean that the state has to be looked at
/// again.
fn settled(done: Result<(), kube::Error>) -> Result<(), kube::Error> {
    match done {
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        other => other,
    }
}

async fn create<K>(api: &Api<K>, document: &Value) -> Result<(), kube::Error>
where
    K: Clone + Debug + DeserializeOwned + Serialize,
{
    let object: K = serde_json::from_value(document.clone()).map_err(kube::Error::SerdeError)?;
    let parameters = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    api.create(&parameters, &object).await.map(drop)
}

async fn merge<K>(api: &Api<K>, name: &str, patch: &Value) -> Result<(), kube::Error>
where
    K: Clone + Debug + DeserializeOwned,
{
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    api.patch(name, &parameters, &Patch::Merge(patch)).await.map(drop)
}
