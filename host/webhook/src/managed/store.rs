//! The Secret, as several replicas write it: nobody overwrites what he has not seen.

use super::material::{ENTRIES, Material};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::{Api, Client};
use std::collections::BTreeMap;

/// Type of a Secret with a certificate and its key (<https://kubernetes.io/docs/concepts/configuration/secret/>).
const TYPE: &str = "kubernetes.io/tls";

/// The Secret of one name.
#[derive(Clone)]
pub(super) struct Store {
    pub(super) api: Api<Secret>,
    pub(super) name: String,
    labels: BTreeMap<String, String>,
    manager: String,
}

/// How a write ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It is stored.
    Stored,
    /// Somebody else wrote first: read again.
    Outdated,
}

impl Store {
    pub(super) fn new(
        client: Client,
        namespace: &str,
        name: &str,
        labels: BTreeMap<String, String>,
        manager: &str,
    ) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            labels,
            manager: manager.to_owned(),
        }
    }

    pub(super) async fn read(&self) -> Result<Option<Secret>, kube::Error> {
        self.api.get_opt(&self.name).await
    }

    /// Writes the material into the Secret as it was read, or makes it.
    pub(super) async fn write(
        &self,
        read: Option<Secret>,
        material: &Material,
    ) -> Result<Written, kube::Error> {
        let params = PostParams { field_manager: Some(self.manager.clone()), ..PostParams::default() };
        let result = match read {
            None => {
                let secret = Secret {
                    metadata: ObjectMeta {
                        name: Some(self.name.clone()),
                        labels: Some(self.labels.clone()).filter(|labels| !labels.is_empty()),
                        ..ObjectMeta::default()
                    },
                    type_: Some(TYPE.to_owned()),
                    data: Some(material.data()),
                    ..Secret::default()
                };
                self.api.create(&params, &secret).await
            }
            // It has the resourceVersion that was read: another writer in between is a conflict.
            Some(mut secret) => {
                let data = secret.data.get_or_insert_default();
                for entry in ENTRIES {
                    data.remove(entry);
                }
                data.extend(material.data());
                self.api.replace(&self.name, &params, &secret).await
            }
        };
        match result {
            Ok(_) => Ok(Written::Stored),
            // Made, changed or deleted in the meantime.
            Err(kube::Error::Api(status)) if status.code == 409 || is_gone(&status) => Ok(Written::Outdated),
            Err(error) => Err(error),
        }
    }
}

/// Whether the Secret itself is not there any more; a missing namespace is another matter, and not to be retried
/// at once.
fn is_gone(status: &kube::core::Status) -> bool {
    status.code == 404 && status.details.as_ref().is_some_and(|details| details.kind == "secrets")
}
