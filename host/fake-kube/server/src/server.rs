//! Starting and stopping the server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::admission::{Admission, AdmitAll};
use crate::cluster::Cluster;
use crate::faults::Faults;
use crate::http::decode::Decoded;
use crate::http::server;
use crate::requests::RequestLog;
use crate::write::{Write, create};

/// Namespaces that every cluster has.
const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// How to start an [`ApiServer`].
#[derive(Clone)]
pub struct Options {
    /// The loopback port; `None` takes a free one.
    pub port: Option<u16>,
    /// How many changes per resource watches and list pages can go back.
    pub history: usize,
    /// How often watches that allow bookmarks get one.
    pub bookmark_interval: Duration,
    /// Decides about writes before the webhooks of the stored configurations do.
    pub admission: Arc<dyn Admission>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: None,
            history: 10_000,
            bookmark_interval: Duration::from_secs(60),
            admission: Arc::new(AdmitAll),
        }
    }
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port could not be had.
    #[error("cannot listen on 127.0.0.1:{port}: {source}; choose another port, or none for a free one")]
    Listen {
        /// The wanted port, 0 for any.
        port: u16,
        /// Why not.
        source: std::io::Error,
    },
    /// The initial objects were refused.
    #[error("the namespace {namespace} could not be created: {message}")]
    Bootstrap {
        /// The namespace.
        namespace: &'static str,
        /// Why not.
        message: String,
    },
}

/// A running API server. Dropping it stops it; [`ApiServer::shutdown`] also waits.
pub struct ApiServer {
    address: SocketAddr,
    cluster: Arc<Cluster>,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl ApiServer {
    /// Starts a server with the default namespaces.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let port = options.port.unwrap_or(0);
        let listener = server::listen(port).await.map_err(|source| StartError::Listen { port, source })?;
        let address = listener.local_addr().map_err(|source| StartError::Listen { port, source })?;
        let (stop, stopped) = watch::channel(false);
        let cluster =
            Cluster::new(options.history, options.bookmark_interval, options.admission, stopped.clone());
        for namespace in NAMESPACES {
            create_namespace(&cluster, namespace).await?;
        }
        let task = tokio::spawn(server::serve(listener, cluster.clone(), stopped));
        Ok(Self { address, cluster, stop, task: Some(task) })
    }

    /// For example `http://127.0.0.1:34567`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A kubeconfig file for this server, YAML.
    pub fn kubeconfig(&self) -> String {
        format!(
            "apiVersion: v1\n\
             kind: Config\n\
             clusters:\n\
             - name: orascache-dev\n  cluster:\n    server: {}\n\
             users:\n\
             - name: orascache-dev\n  user: {{}}\n\
             contexts:\n\
             - name: orascache-dev\n  context:\n    cluster: orascache-dev\n    user: orascache-dev\n    namespace: default\n\
             current-context: orascache-dev\n",
            self.url()
        )
    }

    /// Where tests inject faults.
    pub fn faults(&self) -> &Faults {
        &self.cluster.faults
    }

    /// What was asked so far; it goes on counting.
    pub fn requests(&self) -> RequestLog {
        self.cluster.requests.clone()
    }

    /// Says where a service answers: webhook configurations refer to services, and there is no network that
    /// would lead to them. Calls go to `address` but expect a certificate for `NAME.NAMESPACE.svc`.
    pub fn route_service(&self, namespace: &str, name: &str, port: u16, address: SocketAddr) {
        self.cluster.webhooks.route_service(namespace, name, port, address);
    }

    /// Takes the route of a service away: calls fail as if it had no endpoints.
    pub fn remove_service_route(&self, namespace: &str, name: &str, port: u16) {
        self.cluster.webhooks.remove_service_route(namespace, name, port);
    }

    /// Stops the server, ends its watches, and waits until open requests are answered.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task.take() {
            // It ends by itself; a panic in it was reported where it happened.
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
        .catalogue()
        .find("", "v1", "namespaces")
        .ok_or_else(|| refused("the catalogue has no namespaces".to_owned()))?;
    let mut write = Write::internal(kind, None, None);
    let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    let body = Decoded { value: body, duplicates: Vec::new() };
    create::create(cluster, &mut write, body).await.map(drop).map_err(|error| refused(error.message))
}
