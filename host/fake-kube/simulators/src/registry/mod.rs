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
use tokio_util::sync::{CancellationToken, DropGuard};

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
    /// Ends the listener and its connections when this is dropped.
    _server: DropGuard,
}

/// What became of a pod's registry.
pub(crate) enum Served {
    /// The pod is none.
    NotARegistry,
    /// It answers there.
    At(String),
    /// It does not, and why.
    Failed(String),
}

impl Registries {
    pub(crate) fn new(options: RegistryOptions) -> Result<Self, StartError> {
        let stores = Stores::new(options.data_dir)?;
        Ok(Self(Arc::new(Inner { stores, changes: options.changes, state: Mutex::default() })))
    }

    /// Serves the registry of a pod, if it is one.
    pub(crate) async fn serve(&self, client: &Client, pod: &Pod) -> Result<Served, Error> {
        let (Some(uid), true) = (pod.uid(), is_registry(pod)) else { return Ok(Served::NotARegistry) };
        if let Some(running) = self.lock().running.get(&uid) {
            return Ok(Served::At(running.address.to_string()));
        }
        let Some(place) = place(client, pod, &uid).await? else {
            return Ok(Served::Failed("the claim of the registry's volume is gone".to_owned()));
        };
        let router = match self.0.stores.open(&place) {
            Ok(router) => router,
            Err(error) => {
                return Ok(Served::Failed(format!("the registry's store cannot be opened: {error}")));
            }
        };
        let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
        let known = self.lock().ports.get(&(namespace.clone(), name.clone())).copied();
        let (listener, address) = match listen(known).await {
            Ok(listening) => listening,
            Err(error) => {
                return Ok(Served::Failed(format!("no port for the registry: {error}")));
            }
        };
        let end = CancellationToken::new();
        tokio::spawn(serve(listener, router, end.clone()));
        {
            let mut state = self.lock();
            state.ports.insert((namespace.clone(), name.clone()), address.port());
            let _server = end.drop_guard();
            let running =
                Running { namespace: namespace.clone(), pod: name.clone(), place, address, _server };
            state.running.insert(uid.clone(), running);
        }
        let cache = pod.labels().get(INSTANCE_LABEL).cloned().unwrap_or_default();
        // Nobody may be listening.
        let _ = self.0.changes.send(RegistryChange::Up {
            namespace,
            pod: name,
            cache,
            address: address.to_string(),
        });
        // The watch may have told of the pod's deletion before there was something to end.
        let pods: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
        if pods.get_metadata_opt(&pod.name_any()).await?.and_then(|live| live.uid()).as_ref() != Some(&uid) {
            self.end(&uid);
        }
        Ok(Served::At(address.to_string()))
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

async fn listen(known: Option<u16>) -> std::io::Result<(TcpListener, SocketAddr)> {
    let again = match known {
        Some(port) => TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.ok(),
        None => None,
    };
    let listener = match again {
        Some(listener) => listener,
        None => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?,
    };
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn serve(listener: TcpListener, router: Router, end: CancellationToken) {
    // Aborting the task would leave connections that are open to a registry that is gone.
    let serving = axum::serve(listener, router).with_graceful_shutdown(end.cancelled_owned());
    if let Err(error) = serving.await {
        tracing::error!(%error, "a registry stopped");
    }
}

#[cfg(test)]
mod tests {
    use super::{listen, serve};
    use axum::{Router, routing::get};
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio_util::sync::CancellationToken;

    #[tokio::test]
    async fn a_registry_that_ends_takes_its_connections_and_frees_its_port() {
        let (listener, address) = listen(None).await.expect("a port");
        let end = CancellationToken::new();
        let router = Router::new().route("/", get(|| async { "here" }));
        let server = tokio::spawn(serve(listener, router, end.clone()));
        let mut kept = TcpStream::connect(address).await.expect("a connection");
        kept.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("a request");
        let mut answer = [0; 12];
        kept.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 200");
        drop(end.drop_guard());
        let ended = async {
            let mut rest = Vec::new();
            kept.read_to_end(&mut rest).await.expect("the end of the connection");
            server.await.expect("the server");
        };
        tokio::time::timeout(Duration::from_secs(10), ended).await.expect("an end");
        assert_eq!(listen(Some(address.port())).await.expect("the port again").1, address);
    }
}
