//! Starting and stopping the server.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::admission::{Admission, AdmitAll};
use crate::cluster::{Cluster, ClusterSettings};
use crate::definitions::controller;
use crate::faults::Faults;
use crate::http::decode::Decoded;
use crate::http::listener;
use crate::http::tls::Identity;
use crate::kubeconfig;
use crate::logs::Logs;
use crate::requests::RequestLog;
use crate::token::Token;
use crate::write::{Write, create};

/// Namespaces that every cluster has.
const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// How to start an [`ApiServer`].
#[derive(Clone)]
pub struct Options {
    /// The port on loopback; `None` takes a free one.
    pub port: Option<u16>,
    /// How many changes per resource watches and list pages can go back.
    pub history: usize,
    /// How often watches that allow bookmarks get one.
    pub bookmark_interval: Duration,
    /// The token that every request must carry as `Authorization: Bearer TOKEN`. By default a
    /// random one, which [`ApiServer::kubeconfig`] contains. `None` lets every process of this
    /// machine in.
    ///
    /// A server with a token speaks HTTPS, because Kubernetes clients send tokens over TLS only; a
    /// server without one speaks plain HTTP.
    pub token: Option<Token>,
    /// An admission plugin, called before the webhooks of the stored configurations.
    pub admission: Arc<dyn Admission>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: None,
            history: 10_000,
            bookmark_interval: Duration::from_secs(60),
            token: Some(Token::random()),
            admission: Arc::new(AdmitAll),
        }
    }
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port could not be bound.
    #[error("cannot listen on 127.0.0.1:{port}: {source}; choose another port, or none for a free one")]
    Listen {
        /// The wanted port, 0 for any.
        port: u16,
        /// The reason.
        source: std::io::Error,
    },
    /// The certificate could not be made.
    #[error("the server has no certificate: {0}")]
    Certificate(String),
    /// The initial objects were refused.
    #[error("the namespace {namespace} could not be created: {message}")]
    Bootstrap {
        /// The namespace.
        namespace: &'static str,
        /// The reason.
        message: String,
    },
}

/// A running API server. Dropping it stops it; [`ApiServer::shutdown`] also waits.
pub struct ApiServer {
    address: SocketAddr,
    /// The certificate authority that clients must trust, PEM; `None` without TLS.
    authority: Option<String>,
    cluster: Arc<Cluster>,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl ApiServer {
    /// Starts a server with the default namespaces.
    ///
    /// # Errors
    /// When the port cannot be bound.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let port = options.port.unwrap_or(0);
        let socket = listener::listen(port).await.map_err(|source| StartError::Listen { port, source })?;
        let address = socket.local_addr().map_err(|source| StartError::Listen { port, source })?;
        let identity = match &options.token {
            Some(_) => Some(Identity::generate().map_err(StartError::Certificate)?),
            None => None,
        };
        let (acceptor, authority) = identity.map(|identity| (identity.acceptor, identity.authority)).unzip();
        let (stop, stopped) = watch::channel(false);
        let settings = ClusterSettings {
            history: options.history,
            bookmark_interval: options.bookmark_interval,
            token: options.token,
        };
        let cluster = Cluster::new(settings, options.admission, stopped.clone());
        controller::start(&cluster);
        for namespace in NAMESPACES {
            create_namespace(&cluster, namespace).await?;
        }
        let task = tokio::spawn(listener::serve(socket, acceptor, cluster.clone(), stopped));
        Ok(Self { address, authority, cluster, stop, task: Some(task) })
    }

    /// The address, for example `https://127.0.0.1:34567`; with `http` when the server needs no
    /// token.
    pub fn url(&self) -> String {
        let scheme = if self.authority.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The certificate authority that clients must trust, PEM; `None` when the server needs no
    /// token and so speaks plain HTTP.
    pub fn certificate_authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    /// The token that requests must carry; `None` when the server needs none.
    pub fn token(&self) -> Option<&Token> {
        self.cluster.token.as_ref()
    }

    /// A kubeconfig for this server, with the token and the certificate authority.
    pub fn kubeconfig(&self) -> String {
        kubeconfig::text(&self.url(), self.certificate_authority(), self.token())
    }

    /// Writes a kubeconfig for this server to a file that only this user can read (mode 0600).
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write_kubeconfig(&self, path: &Path) -> std::io::Result<()> {
        kubeconfig::write(path, &self.kubeconfig())
    }

    /// Injects faults into the answers of this server.
    pub fn faults(&self) -> &Faults {
        &self.cluster.faults
    }

    /// The log of requests. It keeps growing while the server runs.
    pub fn requests(&self) -> RequestLog {
        self.cluster.requests.clone()
    }

    /// The logs of containers. Whoever runs containers writes them, and `pods/NAME/log` returns
    /// them.
    pub fn logs(&self) -> Logs {
        self.cluster.logs.clone()
    }

    /// Routes calls of webhooks to a service, since there is no cluster network that would do so.
    ///
    /// Calls go to `address`, and the certificate must be one for `NAME.NAMESPACE.svc`.
    pub fn route_service(&self, namespace: &str, name: &str, port: u16, address: SocketAddr) {
        self.cluster.webhooks.route_service(namespace, name, port, address);
    }

    /// Removes the route of a service: calls fail as if it had no endpoints.
    pub fn remove_service_route(&self, namespace: &str, name: &str, port: u16) {
        self.cluster.webhooks.remove_service_route(namespace, name, port);
    }

    /// Stops the server, ends its watches, and waits until open requests are answered.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task.take() {
            // The task ends by itself. If it panicked, that was reported already.
            let _ = task.await;
        }
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

async fn create_namespace(cluster: &Cluster, namespace: &'static str) -> Result<(), StartError> {
    let refused = |message: String| StartError::Bootstrap { namespace, message };
    let kind = cluster
        .state
        .catalogue()
        .find("", "v1", "namespaces")
        .ok_or_else(|| refused("the catalogue has no namespaces".to_owned()))?;
    let mut write = Write::internal(kind, None, None);
    let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    let body = Decoded { value: body, duplicates: Vec::new() };
    create::create(cluster, &mut write, body).await.map(drop).map_err(|error| refused(error.message))
}
