//! Live OCI registries on loopback, one listener per registry pod.
//!
//! Blobs are kept where the pod's volume says: pods that mount the same claim share one store, which lives as long as
//! the claim; an emptyDir is a store of the pod's own, and goes with it.

mod store;

use crate::StartError;
use crate::tasks::Error;
use axum::Router;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use store::{Place, Stores};
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::AbortHandle;

/// Annotation on a registry pod with the host and port at which it is served on this machine.
pub const DEV_ENDPOINT_ANNOTATION: &str = "cache.converged-computing.github.io/dev-endpoint";

const COMPONENT_LABEL: &str = "app.kubernetes.io/component";
const COMPONENT_REGISTRY: &str = "registry";
const INSTANCE_LABEL: &str = "app.kubernetes.io/instance";
const REGISTRY_PORT: i32 = 5000;
const DATA_PATH: &str = "/var/lib/registry";

/// Where blobs are kept and who hears of registries.
pub struct RegistryOptions {
    /// Directory for the blobs of all registries.
    pub data_dir: PathBuf,
    /// Hears of registries that come and go.
    pub changes: UnboundedSender<RegistryChange>,
}

/// A registry came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryChange {
    /// It answers.
    Up {
        /// Namespace of the pod.
        namespace: String,
        /// Name of the pod.
        pod: String,
        /// Name of the cache.
        cache: String,
        /// Host and port.
        address: String,
    },
    /// It does not answer any more.
    Down {
        /// Namespace of the pod.
        namespace: String,
        /// Name of the pod.
        pod: String,
    },
}

/// All live registries.
#[derive(Clone)]
pub(crate) struct Registries(Arc<Inner>);

struct Inner {
    stores: Stores,
    changes: UnboundedSender<RegistryChange>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By UID of the pod.
    running: HashMap<String, Running>,
    /// A pod of the same name gets the same port again, if it is free.
    ports: HashMap<(String, String), u16>,
}

struct Running {
    namespace: String,
    pod: String,
    place: Place,
    address: SocketAddr,
    server: AbortHandle,
}

impl Registries {
    pub(crate) fn new(options: RegistryOptions) -> Result<Self, StartError> {
        let stores = Stores::new(options.data_dir)?;
        Ok(Self(Arc::new(Inner { stores, changes: options.changes, state: Mutex::default() })))
    }

    /// Serves the registry of a pod, if it is one; returns its address.
    pub(crate) async fn serve(&self, client: &Client, pod: &Pod) -> Result<Option<String>, Error> {
        let (Some(uid), true) = (pod.uid(), is_registry(pod)) else { return Ok(None) };
        if let Some(running) = self.lock().running.get(&uid) {
            return Ok(Some(running.address.to_string()));
        }
        let Some(place) = place(client, pod, &uid).await? else { return Ok(None) };
        let router = match self.0.stores.open(&place) {
            Ok(router) => router,
            Err(error) => {
                tracing::error!(pod = pod.name_any(), %error, "the registry's store cannot be opened");
                return Ok(None);
            }
        };
        let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
        let known = self.lock().ports.get(&(namespace.clone(), name.clone())).copied();
        let listener = match listen(known).await {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(pod = name, %error, "no port for the registry");
                return Ok(None);
            }
        };
        let Ok(address) = listener.local_addr() else { return Ok(None) };
        let server = tokio::spawn(serve(listener, router)).abort_handle();
        {
            let mut state = self.lock();
            state.ports.insert((namespace.clone(), name.clone()), address.port());
            let running = Running { namespace: namespace.clone(), pod: name.clone(), place, address, server };
            if let Some(twin) = state.running.insert(uid, running) {
                twin.server.abort();
            }
        }
        let cache = pod.labels().get(INSTANCE_LABEL).cloned().unwrap_or_default();
        // Nobody may be listening.
        let _ = self.0.changes.send(RegistryChange::Up {
            namespace,
            pod: name,
            cache,
            address: address.to_string(),
        });
        Ok(Some(address.to_string()))
    }

    /// Ends registries whose pods go, and removes stores whose claims go.
    pub(crate) async fn follow_deletions(self, client: Client) {
        let pods = Api::<PartialObjectMeta<Pod>>::all(client.clone());
        let pods = watcher(pods, watcher::Config::default()).default_backoff();
        let claims = Api::<PartialObjectMeta<PersistentVolumeClaim>>::all(client);
        let claims = watcher(claims, watcher::Config::default()).default_backoff();
        let pods = pods.for_each(relisting(|uid| self.end(uid), || self.running()));
        let claims = claims.for_each(relisting(
            |uid| self.0.stores.remove(&Place::Claim(uid.to_owned())),
            || self.0.stores.claims(),
        ));
        tokio::join!(pods, claims);
    }

    fn running(&self) -> Vec<String> {
        self.lock().running.keys().cloned().collect()
    }

    fn end(&self, uid: &str) {
        let Some(running) = self.lock().running.remove(uid) else { return };
        running.server.abort();
        if matches!(running.place, Place::Pod(_)) {
            self.0.stores.remove(&running.place);
        }
        let _ = self.0.changes.send(RegistryChange::Down { namespace: running.namespace, pod: running.pod });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls `gone` for every UID that is deleted, also for those of `known` that a relist does not mention.
fn relisting<K: ResourceExt, E>(
    gone: impl Fn(&str),
    known: impl Fn() -> Vec<String>,
) -> impl FnMut(Result<Event<K>, E>) -> std::future::Ready<()> {
    let mut mentioned = HashSet::new();
    move |event| {
        match event {
            Ok(Event::Init) => mentioned.clear(),
            Ok(Event::InitApply(object)) => mentioned.extend(object.uid()),
            Ok(Event::InitDone) => {
                known().iter().filter(|uid| !mentioned.contains(*uid)).for_each(|uid| gone(uid));
            }
            Ok(Event::Delete(object)) => gone(&object.uid().unwrap_or_default()),
            Ok(Event::Apply(_)) | Err(_) => {}
        }
        std::future::ready(())
    }
}

fn is_registry(pod: &Pod) -> bool {
    let labelled = pod.labels().get(COMPONENT_LABEL).is_some_and(|component| component == COMPONENT_REGISTRY);
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let mut ports = containers.flat_map(|container| container.ports.iter().flatten());
    labelled && ports.any(|port| port.container_port == REGISTRY_PORT)
}

/// Where the pod's volume at the registry's data path lives. `None` while its claim is not there.
async fn place(client: &Client, pod: &Pod, uid: &str) -> Result<Option<Place>, Error> {
    let spec = pod.spec.clone().unwrap_or_default();
    let mut mounts = spec.containers.iter().flat_map(|container| container.volume_mounts.iter().flatten());
    let mount = mounts.find(|mount| mount.mount_path == DATA_PATH);
    let volume =
        mount.and_then(|mount| spec.volumes.iter().flatten().find(|volume| volume.name == mount.name));
    match volume.and_then(|volume| volume.persistent_volume_claim.as_ref()) {
        None => Ok(Some(Place::Pod(uid.to_owned()))),
        Some(claim) => {
            let api: Api<PersistentVolumeClaim> =
                Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
            let claim = api.get_metadata_opt(&claim.claim_name).await?;
            Ok(claim.and_then(|claim| claim.uid()).map(Place::Claim))
        }
    }
}

async fn listen(known: Option<u16>) -> std::io::Result<TcpListener> {
    if let Some(port) = known
        && let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
    {
        return Ok(listener);
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}

async fn serve(listener: TcpListener, router: Router) {
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "a registry stopped");
    }
}
