//! Serves admission: the server, its certificate, and the reviewer that answers. Every replica
//! serves, not only the leader.

use crate::admission::Admission;
use anyhow::{Context, anyhow};
use deploy_manifests::names;
use kube::Client;
use orascache_contract::Description;
use orascache_webhook::{
    CaBundleTarget, CertificateFiles, CertificateFilesOptions, CertificateManager, CertificateManagerOptions,
    CertificateMetrics, CertificateResolver, ClientAuthorityFile, ClientAuthorityFollower, Server,
    ServerOptions,
};
use prometheus_client::registry::Registry;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// Where reviews are served, and with which certificate.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Which certificate is used.
    pub certificate: Certificate,
    /// Only clients with a certificate of the CAs in this file are answered; everybody without one.
    /// The file is followed.
    pub client_authority: Option<ClientAuthorityFile>,
}

/// Which certificate is used.
#[derive(Clone, Debug)]
pub enum Certificate {
    /// A certificate that the operator issues into a Secret of that namespace. The operator writes
    /// the CA into the webhook configurations.
    Managed {
        /// Namespace of the Service and of the Secret.
        namespace: String,
        /// Name of the Service.
        service: String,
        /// Name of both webhook configurations.
        configuration: String,
        /// DNS names and IP addresses to which reviews are sent, beside those of the Service.
        names: Vec<String>,
    },
    /// `tls.crt` and `tls.key` in a folder.
    Files(PathBuf),
}

/// How long a start waits for the first certificate. The log says what is missing.
const PATIENCE: Duration = Duration::from_secs(30);

/// The task that follows the certificate's files or issues the certificate.
enum CertificateTask {
    Managed(CertificateManager),
    Files(CertificateFiles),
}

/// Running webhooks.
pub struct Webhooks {
    server: Server,
    certificate: CertificateTask,
    clients: Option<ClientAuthorityFollower>,
}

impl Webhooks {
    /// Returns once reviews are answered.
    ///
    /// # Errors
    /// When the address is taken, or there is no certificate in time.
    pub(crate) async fn start(
        client: Client,
        admission: Admission,
        options: Options,
        registry: &mut Registry,
    ) -> anyhow::Result<Self> {
        let address = options.listen;
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("{address} cannot be listened on: give another one with --webhook-listen")
        })?;
        let metrics = CertificateMetrics::register(registry);
        let (resolver, certificate): (Arc<CertificateResolver>, _) = match options.certificate {
            Certificate::Managed { namespace, service, configuration, names } => {
                let mut managed =
                    CertificateManagerOptions::new(namespace, names::WEBHOOK_CERTIFICATE, service);
                managed.names.extend(names);
                managed.targets = targets(admission.active.load().describe(), &configuration);
                let started =
                    tokio::time::timeout(PATIENCE, CertificateManager::start(client, managed, metrics)).await;
                let (resolver, managed) = started.map_err(|_| {
                    anyhow!(
                        "there was no certificate for the webhooks within {PATIENCE:?}: see the log, and check that this ServiceAccount may read and write the Secret {}",
                        names::WEBHOOK_CERTIFICATE
                    )
                })??;
                (resolver, CertificateTask::Managed(managed))
            }
            Certificate::Files(folder) => {
                let name = folder.display().to_string();
                let (resolver, files) =
                    CertificateFiles::start(CertificateFilesOptions::new(folder), metrics).await;
                tokio::time::timeout(PATIENCE, resolver.loaded()).await.map_err(|_| {
                    anyhow!("there was no usable tls.crt with tls.key in {name} within {PATIENCE:?}: the log says what is wrong with them")
                })?;
                (resolver, CertificateTask::Files(files))
            }
        };
        let client_authority = options.client_authority.as_ref().map(ClientAuthorityFile::authority);
        let serving = ServerOptions { client_authority, ..ServerOptions::default() };
        let server = Server::start(listener, Arc::new(admission), resolver, serving, registry)?;
        tracing::info!(address = %server.local_addr(), "admission reviews are answered");
        let clients = options.client_authority.map(ClientAuthorityFile::follow);
        Ok(Self { server, certificate, clients })
    }

    /// Where reviews are answered.
    pub fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// Lets running reviews end, and stops.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
        if let Some(clients) = self.clients {
            clients.shutdown().await;
        }
        match self.certificate {
            CertificateTask::Managed(managed) => managed.shutdown().await,
            CertificateTask::Files(files) => files.shutdown().await,
        }
    }
}

/// The webhook configurations that need the CA. The one that only allows or refuses always exists,
/// since the settings are reviewed too.
fn targets(description: &Description, name: &str) -> Vec<CaBundleTarget> {
    let mut targets = vec![CaBundleTarget::validating(name)];
    if description.admission.iter().any(|rule| rule.mutating) {
        targets.push(CaBundleTarget::mutating(name));
    }
    targets
}
