//! Reads and writes the Secret. Several replicas write it: optimistic concurrency by
//! resourceVersion.

use super::secret_content::{ENTRIES, SecretContent};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::{Api, Client};
use std::collections::BTreeMap;

/// Type of a Secret with a certificate and its key
/// (<https://kubernetes.io/docs/concepts/configuration/secret/>).
const TYPE: &str = "kubernetes.io/tls";

/// One Secret.
#[derive(Clone)]
pub(super) struct SecretStore {
    pub(super) api: Api<Secret>,
    pub(super) name: String,
    labels: BTreeMap<String, String>,
    manager: String,
}

/// How a write ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SecretWrite {
    /// The Secret was written.
    Stored,
    /// Another client wrote first: read again.
    Conflict,
}

impl SecretStore {
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

    /// Writes the content into the Secret as it was read, or creates the Secret. Other entries of
    /// the Secret stay.
    pub(super) async fn write(
        &self,
        read: Option<Secret>,
        content: &SecretContent,
    ) -> Result<SecretWrite, kube::Error> {
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
                    data: Some(content.data()),
                    ..Secret::default()
                };
                self.api.create(&params, &secret).await
            }
            // `secret` has the resourceVersion that was read: a write in between is a conflict.
            Some(mut secret) => {
                let data = secret.data.get_or_insert_default();
                for entry in ENTRIES {
                    data.remove(entry);
                }
                data.extend(content.data());
                self.api.replace(&self.name, &params, &secret).await
            }
        };
        match result {
            Ok(_) => Ok(SecretWrite::Stored),
            // Another client created, changed or deleted it in the meantime.
            Err(kube::Error::Api(status)) if status.code == 409 || is_deleted(&status) => {
                Ok(SecretWrite::Conflict)
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether the Secret itself was deleted. A missing namespace is an error instead, since reading
/// again at once would not help.
fn is_deleted(status: &kube::core::Status) -> bool {
    status.code == 404 && status.details.as_ref().is_some_and(|details| details.kind == "secrets")
}
