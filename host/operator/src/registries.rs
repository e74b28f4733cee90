//! Looks into OCI registries for pods that wait for artifacts.

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use oci_registry_client::{ArtifactReference, Client, Credentials, Endpoint, Error, Network, TransferPolicy};
use orascache_contract::{ArtifactAspect, ArtifactFinding, ArtifactQuestion, ObjectRef};
use orascache_controller::{Look, Registries};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A request is given up when nothing came for so long.
const POLICY: TransferPolicy =
    TransferPolicy { patience: Duration::ZERO, stall: Duration::from_secs(10), read_only: Duration::ZERO };
/// How long a look may take as a whole, token services included.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the connections to a registry, and the credentials for it, are kept.
const KEPT: Duration = Duration::from_secs(300);

/// Looks into registries with the credentials of steps.
pub(crate) struct OciRegistries {
    /// Reads Secrets.
    kubernetes: kube::Client,
    network: Network,
    clients: Mutex<HashMap<ClientKey, Kept>>,
}

/// A registry, and the Secret whose credentials it gets.
#[derive(Clone, PartialEq, Eq, Hash)]
struct ClientKey {
    registry: String,
    plain_http: bool,
    secret: Option<ObjectRef>,
}

/// A client that is used again.
#[derive(Clone)]
struct Kept {
    client: Client,
    since: Instant,
    /// Why it has no credentials although the question names some.
    anonymous: Option<String>,
}

impl OciRegistries {
    pub(crate) fn new(kubernetes: kube::Client) -> Self {
        Self { kubernetes, network: Network::from_environment(), clients: Mutex::default() }
    }

    async fn find(&self, question: &ArtifactQuestion) -> Look {
        if question.aspect != ArtifactAspect::Digest {
            return unknown("this host looks for manifests alone".to_owned());
        }
        let separator = if question.reference.contains(':') { '@' } else { ':' };
        let text = format!("{}{separator}{}", question.repository, question.reference);
        let reference = match ArtifactReference::parse(&text) {
            Ok(reference) => reference,
            Err(why) => return unknown(format!("{text} cannot be asked for: {why}")),
        };
        let key = ClientKey {
            registry: question.registry.clone(),
            plain_http: question.plain_http,
            secret: question.credentials.clone(),
        };
        let kept = match self.client(&key).await {
            Ok(kept) => kept,
            Err(look) => return look,
        };
        let found = tokio::time::timeout(PATIENCE, kept.client.find_manifest(&reference)).await;
        match found {
            Ok(Ok(digest)) => Look::Answer(ArtifactFinding::Digest(digest.to_string())),
            Ok(Err(Error::NotFound { .. })) => Look::Answer(ArtifactFinding::Missing),
            Ok(Err(Error::Busy { after, .. })) => Look::NotNow { why: "it is busy".to_owned(), after },
            Ok(Err(error)) if error.is_transient() => not_now(error.to_string()),
            Ok(Err(error @ Error::Denied { .. })) => {
                self.lock().remove(&key);
                // The Secret may have another password now.
                if kept.since.elapsed() > POLICY.stall {
                    return not_now(error.to_string());
                }
                let reason = kept.anonymous.map(|why| format!(" ({why})")).unwrap_or_default();
                unknown(format!("{error}{reason}"))
            }
            Ok(Err(error)) => unknown(error.to_string()),
            Err(_) => not_now(format!("{} gave no answer within {PATIENCE:?}", question.registry)),
        }
    }

    /// The client for a registry. One that was kept for too long is made anew.
    async fn client(&self, key: &ClientKey) -> Result<Kept, Look> {
        let kept = self.lock().get(key).filter(|kept| kept.since.elapsed() < KEPT).cloned();
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let scheme = if key.plain_http { "http" } else { "https" };
        let endpoint = Endpoint::parse(&format!("{scheme}://{}", key.registry));
        let endpoint = endpoint.map_err(|error| unknown(error.to_string()))?;
        let (credentials, anonymous) = match &key.secret {
            None => (Credentials::default(), None),
            Some(secret) => self.credentials(secret).await?,
        };
        let client = Client::with_network(endpoint, credentials, POLICY, self.network.clone());
        let kept = Kept { client, since: Instant::now(), anonymous };
        let mut clients = self.lock();
        clients.retain(|_, kept| kept.since.elapsed() < KEPT);
        clients.insert(key.clone(), kept.clone());
        Ok(kept)
    }

    /// The credentials for reading in a Secret. Where there are none that may be read, the registry
    /// is asked without, and the second value says why.
    async fn credentials(&self, secret: &ObjectRef) -> Result<(Credentials, Option<String>), Look> {
        let namespace = secret.namespace.as_deref().unwrap_or_default();
        let secrets: Api<Secret> = Api::namespaced(self.kubernetes.clone(), namespace);
        let name = &secret.name;
        let anonymous = |why: String| Ok((Credentials::default(), Some(why)));
        let found = match secrets.get_opt(name).await {
            Ok(Some(found)) => found,
            Ok(None) => return anonymous(format!("there is no Secret {name}")),
            Err(kube::Error::Api(status)) if status.code == 403 => {
                return anonymous(format!("the operator may not read Secret {name}"));
            }
            Err(error) => return Err(not_now(format!("Secret {name} cannot be read now: {error}"))),
        };
        let data = found.data.unwrap_or_default();
        let value = |key: &str| match data.get(key) {
            None => Ok(None),
            Some(bytes) => String::from_utf8(bytes.0.clone())
                .map(Some)
                .map_err(|_| format!("{key} of Secret {name} is not UTF-8")),
        };
        match Credentials::from_values(value) {
            // Nothing is ever written.
            Ok(credentials) => Ok((Credentials { push: None, ..credentials }, None)),
            Err(why) => anonymous(why),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ClientKey, Kept>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registries for OciRegistries {
    fn look<'q>(&'q self, question: &'q ArtifactQuestion) -> BoxFuture<'q, Look> {
        self.find(question).boxed()
    }
}

fn unknown(why: String) -> Look {
    Look::Answer(ArtifactFinding::Unknown(why))
}

fn not_now(why: String) -> Look {
    Look::NotNow { why, after: None }
}

#[cfg(test)]
mod tests;
