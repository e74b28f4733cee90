//! One listener for each registry pod.

use crate::addresses::Addresses;
use crate::pod::{annotate, is_registry, registry_container, store_owner};
use crate::rules::{self, Rules};
use crate::serving::Serving;
use crate::store::{DataDirectoryError, StoreOwner, Stores};
use crate::tls::TlsListener;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::serve::Listener;
use fake_kube::{LogWriter, Logs, OutputStream, PodReport, PodRun, PodRunner};
use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// When a registry that could not be served is tried again. No watch reports that a port became
/// free.
const RETRY: Duration = Duration::from_secs(5);

/// Where blobs are kept, and who is told about registries.
pub struct RegistryOptions {
    /// Directory for the blobs of all registries.
    pub data_dir: PathBuf,
    /// Where the requests to registries are logged.
    pub logs: Logs,
    /// Gets a message when a registry starts or stops. The receiver may be dropped.
    pub changes: UnboundedSender<RegistryChange>,
}

/// A registry started or stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryChange {
    /// The registry answers.
    Up {
        /// Namespace of the pod.
        namespace: String,
        /// Name of the pod.
        pod: String,
        /// Host and port.
        address: String,
        /// Whether it speaks HTTPS.
        has_tls: bool,
        /// The Secret with the accounts that it asks for.
        accounts: Option<String>,
    },
    /// The registry does not answer any more.
    Down {
        /// Namespace of the pod.
        namespace: String,
        /// Name of the pod.
        pod: String,
    },
}

/// Serves a live registry for every registry pod.
pub struct Registries {
    client: Client,
    stores: Arc<Stores>,
    logs: Logs,
    changes: UnboundedSender<RegistryChange>,
    addresses: Addresses,
    _claims: AbortOnDropHandle<()>,
}

impl Registries {
    /// Makes the directory for the blobs, and starts to follow which claims exist.
    ///
    /// # Errors
    /// When the directory cannot be made.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn start(client: Client, options: RegistryOptions) -> Result<Arc<Self>, DataDirectoryError> {
        let stores = Arc::new(Stores::new(options.data_dir)?);
        let claims = tokio::spawn(remove_stores_of_deleted_claims(client.clone(), stores.clone()));
        Ok(Arc::new(Self {
            client,
            stores,
            logs: options.logs,
            changes: options.changes,
            addresses: Addresses::new(),
            _claims: AbortOnDropHandle::new(claims),
        }))
    }

    /// Opens the store and a port for a pod. An error is a sentence for the pod's status.
    async fn open(&self, pod: &Pod) -> Result<(Served, Door, Router), String> {
        let container = registry_container(pod).unwrap_or_default();
        let serving = Serving::of(pod, container)?;
        let owner = store_owner(&self.client, pod).await;
        let owner = owner.map_err(|error| format!("the registry's volume cannot be looked up: {error}"))?;
        let owner = owner.ok_or_else(|| "the claim of the registry's volume does not exist".to_owned())?;
        let router = self.stores.open(&owner);
        let router = router.map_err(|error| format!("the registry's store cannot be opened: {error}"))?;
        let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
        let listening = self.addresses.listen(&namespace, &name).await;
        let (listener, address) =
            listening.map_err(|error| format!("there is no port for the registry: {error}"))?;
        let door = self.door(listener, &serving, &namespace).await?;
        let (has_tls, accounts) = (serving.tls.is_some(), serving.accounts.clone());
        let rules = Rules::new(serving, self.client.clone(), &namespace);
        let log = Arc::new(self.logs.begin(&pod.uid().unwrap_or_default(), container));
        log.write(OutputStream::Stdout, format!("listening on {address}\n").as_bytes());
        let router = router
            .layer(middleware::from_fn_with_state(rules, rules::apply))
            .layer(middleware::from_fn_with_state(log, log_request));
        let served = Served {
            logs: self.logs.clone(),
            uid: pod.uid().unwrap_or_default(),
            stores: self.stores.clone(),
            owner,
            changes: self.changes.clone(),
            namespace: namespace.clone(),
            pod: name.clone(),
            address,
            has_tls,
            accounts: accounts.map(|file| file.secret),
        };
        Ok((served, door, router))
    }

    /// Serves with TLS where the pod has a certificate.
    async fn door(&self, listener: TcpListener, serving: &Serving, namespace: &str) -> Result<Door, String> {
        let Some([certificate, key]) = &serving.tls else { return Ok(Door::Plain(listener)) };
        let secrets = Api::namespaced(self.client.clone(), namespace);
        let (certificate, key) =
            (rules::read(&secrets, certificate).await?, rules::read(&secrets, key).await?);
        TlsListener::new(listener, &certificate, &key).map(Door::Tls)
    }
}

impl PodRunner for Registries {
    fn accepts(&self, pod: &Pod) -> bool {
        is_registry(pod)
    }

    fn run(self: Arc<Self>, pod: Arc<Pod>, run: PodRun) -> BoxFuture<'static, ()> {
        async move {
            let (served, door, router) = loop {
                let message = match self.open(&pod).await {
                    Ok(opened) => break opened,
                    Err(message) => message,
                };
                run.report(PodReport::waiting(&pod, "RunContainerError", &message));
                tokio::select! {
                    () = tokio::time::sleep(RETRY) => {}
                    _ = run.stop_requested() => return,
                }
            };
            // Cancelled when this future is dropped. Connections that are open then end with their
            // requests.
            let end = CancellationToken::new();
            let _end = end.clone().drop_guard();
            let serving = async {
                match door {
                    Door::Plain(listener) => serve(listener, router, end).await,
                    Door::Tls(listener) => serve(listener, router, end).await,
                }
            };
            let announcing = async {
                served.announce(&self.client, &pod).await;
                let pod_ip = Some(served.address.ip());
                run.report(PodReport { pod_ip, ..PodReport::running(&pod) });
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = serving => {}
                () = announcing => {}
                _ = run.stop_requested() => {}
            }
        }
        .boxed()
    }
}

/// Where a registry listens.
enum Door {
    Plain(TcpListener),
    Tls(TlsListener),
}

/// A registry that answers. Dropping this says that it does not any more, and deletes the store of
/// an emptyDir.
struct Served {
    logs: Logs,
    uid: String,
    stores: Arc<Stores>,
    owner: StoreOwner,
    changes: UnboundedSender<RegistryChange>,
    namespace: String,
    pod: String,
    address: SocketAddr,
    has_tls: bool,
    accounts: Option<String>,
}

impl Served {
    /// Tells the caller, and everybody who reads the pod, where the registry answers.
    async fn announce(&self, client: &Client, pod: &Pod) {
        let (namespace, name) = (self.namespace.clone(), self.pod.clone());
        let address = self.address.to_string();
        let _ = self.changes.send(RegistryChange::Up {
            namespace,
            pod: name,
            address: address.clone(),
            has_tls: self.has_tls,
            accounts: self.accounts.clone(),
        });
        while let Err(error) = annotate(client, pod, &address).await {
            // The pod was deleted or replaced: this run is about to end.
            if matches!(&error, kube::Error::Api(status) if matches!(status.code, 404 | 409)) {
                return;
            }
            tracing::debug!(%error, pod = self.pod, "the endpoint of a registry cannot be written, tried again");
            tokio::time::sleep(RETRY).await;
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.logs.remove(&self.uid);
        if matches!(self.owner, StoreOwner::Pod(_)) {
            self.stores.remove(&self.owner);
        }
        let (namespace, pod) = (self.namespace.clone(), self.pod.clone());
        let _ = self.changes.send(RegistryChange::Down { namespace, pod });
    }
}

async fn remove_stores_of_deleted_claims(client: Client, stores: Arc<Stores>) {
    let claims = Api::<PartialObjectMeta<PersistentVolumeClaim>>::all(client);
    let events = watcher(claims, watcher::Config::default()).default_backoff();
    futures::pin_mut!(events);
    // Claims with a store when a list began, without those that the list mentions. A store that is
    // opened later may belong to a claim that is newer than the list.
    let mut unlisted = HashSet::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => unlisted = stores.claims().into_iter().collect(),
            Ok(Event::InitApply(claim)) => {
                unlisted.remove(&claim.uid().unwrap_or_default());
            }
            Ok(Event::InitDone) => {
                unlisted.drain().for_each(|uid| stores.remove(&StoreOwner::Claim(uid)));
            }
            Ok(Event::Delete(claim)) => stores.remove(&StoreOwner::Claim(claim.uid().unwrap_or_default())),
            Ok(Event::Apply(_)) => {}
            Err(error) => tracing::debug!(%error, "the watch of claims broke"),
        }
    }
}

/// Writes a line into the log of a registry: method, path and status of a request.
async fn log_request(State(log): State<Arc<LogWriter>>, request: Request, next: Next) -> Response {
    let line = format!("{} {}", request.method(), request.uri().path());
    let response = next.run(request).await;
    log.write(OutputStream::Stdout, format!("{line} {}\n", response.status().as_u16()).as_bytes());
    response
}

/// Serves until `end` is cancelled. Without the token, open connections would outlive the task.
async fn serve<L: Listener<Addr = SocketAddr>>(listener: L, router: Router, end: CancellationToken) {
    let serving = axum::serve(listener, router).with_graceful_shutdown(end.cancelled_owned());
    if let Err(error) = serving.await {
        tracing::error!(%error, "a registry stopped");
    }
}

#[cfg(test)]
mod tests {
    use super::serve;
    use crate::addresses::Addresses;
    use axum::{Router, routing::get};
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio_util::sync::CancellationToken;

    #[tokio::test]
    async fn a_registry_that_stops_closes_its_connections_and_frees_its_port() {
        let addresses = Addresses::new();
        let (listener, address) = addresses.listen("n", "p").await.expect("a port");
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
        assert_eq!(addresses.listen("n", "p").await.expect("the port again").1, address);
    }
}
