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
use tokio_util::task::AbortOnDropHandle;

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

/// Webhooks that get their certificate, while the rest of the operator starts. That ends when this
/// is dropped.
pub(crate) struct Preparation {
    task: AbortOnDropHandle<anyhow::Result<Prepared>>,
    client_authority: Option<ClientAuthorityFile>,
}

/// What a server needs beside the reviewer.
struct Prepared {
    listener: TcpListener,
    resolver: Arc<CertificateResolver>,
    certificate: CertificateTask,
}

impl Preparation {
    /// Listens, and sees to the certificate. `description` tells which webhook configurations need
    /// its CA.
    pub(crate) fn start(
        client: Client,
        description: &Description,
        options: Options,
        registry: &mut Registry,
    ) -> Self {
        let metrics = CertificateMetrics::register(registry);
        let Options { listen, certificate, client_authority } = options;
        let source = match certificate {
            Certificate::Managed { namespace, service, configuration, names } => {
                let mut managed =
                    CertificateManagerOptions::new(namespace, names::WEBHOOK_CERTIFICATE, service);
                managed.names.extend(names);
                managed.targets = targets(description, &configuration);
                Source::Managed(client, Box::new(managed))
            }
            Certificate::Files(folder) => Source::Files(folder),
        };
        let task = tokio::spawn(async move {
            let listener = TcpListener::bind(listen).await.with_context(|| {
                format!("{listen} cannot be listened on: give another one with --webhook-listen")
            })?;
            let (resolver, certificate) = source.certificate(metrics).await?;
            Ok(Prepared { listener, resolver, certificate })
        });
        Self { task: AbortOnDropHandle::new(task), client_authority }
    }

    /// Returns once reviews are answered.
    ///
    /// # Errors
    /// When the address is taken, or there is no certificate in time.
    pub(crate) async fn serve(
        self,
        admission: Admission,
        registry: &mut Registry,
    ) -> anyhow::Result<Webhooks> {
        let prepared = self.task.await.context("the webhooks could not be prepared")??;
        let client_authority = self.client_authority.as_ref().map(ClientAuthorityFile::authority);
        let serving = ServerOptions { client_authority, ..ServerOptions::default() };
        let Prepared { listener, resolver, certificate } = prepared;
        let server = Server::start(listener, Arc::new(admission), resolver, serving, registry)?;
        tracing::info!(address = %server.local_addr(), "admission reviews are answered");
        let clients = self.client_authority.map(ClientAuthorityFile::follow);
        Ok(Webhooks { server, certificate, clients })
    }
}

/// Where a certificate comes from.
enum Source {
    Managed(Client, Box<CertificateManagerOptions>),
    Files(PathBuf),
}

impl Source {
    /// Waits for the first certificate.
    async fn certificate(
        self,
        metrics: CertificateMetrics,
    ) -> anyhow::Result<(Arc<CertificateResolver>, CertificateTask)> {
        match self {
            Source::Managed(client, managed) => {
                let started =
                    tokio::time::timeout(PATIENCE, CertificateManager::start(client, *managed, metrics))
                        .await;
                let (resolver, managed) = started.map_err(|_| {
                    anyhow!(
                        "there was no certificate for the webhooks within {PATIENCE:?}: see the log, and check that this ServiceAccount may read and write the Secret {}",
                        names::WEBHOOK_CERTIFICATE
                    )
                })??;
                Ok((resolver, CertificateTask::Managed(managed)))
            }
            Source::Files(folder) => {
                let name = folder.display().to_string();
                let (resolver, files) =
                    CertificateFiles::start(CertificateFilesOptions::new(folder), metrics).await;
                tokio::time::timeout(PATIENCE, resolver.loaded()).await.map_err(|_| {
                    anyhow!("there was no usable tls.crt with tls.key in {name} within {PATIENCE:?}: the log says what is wrong with them")
                })?;
                Ok((resolver, CertificateTask::Files(files)))
            }
        }
    }
}

/// Running webhooks.
pub struct Webhooks {
    server: Server,
    certificate: CertificateTask,
    clients: Option<ClientAuthorityFollower>,
}

impl Webhooks {
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
