//! Admission as this process serves it: the server, its certificate, and the reviewer behind it. Every replica serves,
//! whoever leads.

use crate::admission::Admission;
use anyhow::{Context, anyhow};
use deploy_manifests::names;
use kube::Client;
use orascache_webhook::{
    CaBundleTarget, CertificateFiles, CertificateFilesOptions, CertificateManager, CertificateManagerOptions,
    CertificateMetrics, CertificateResolver, Server, ServerOptions,
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
    /// Whose certificate is shown.
    pub certificate: Certificate,
    /// The image that carries the agent, where it is not the component's default.
    pub agent_image: Option<String>,
}

/// Whose certificate is shown.
#[derive(Clone, Debug)]
pub enum Certificate {
    /// One of the operator's own, in a Secret of that namespace; its CA is published to the webhook configurations.
    Managed {
        /// Namespace of the Service and of the Secret.
        namespace: String,
        /// Further DNS names and IP addresses, where reviews do not come through the Service.
        names: Vec<String>,
    },
    /// `tls.crt` and `tls.key` in a folder.
    Files(PathBuf),
}

/// How long to wait for the first certificate. What it waits for is in the log.
const PATIENCE: Duration = Duration::from_secs(30);

enum Keeper {
    Managed(CertificateManager),
    Files(CertificateFiles),
}

/// Running webhooks.
pub struct Webhooks {
    server: Server,
    keeper: Keeper,
}

impl Webhooks {
    /// Returns once reviews are answered.
    ///
    /// # Errors
    /// When the address is taken, or no certificate can be had.
    pub async fn start(
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
        let (certificates, keeper): (Arc<CertificateResolver>, _) = match options.certificate {
            Certificate::Managed { namespace, names } => {
                let mut managed = CertificateManagerOptions::new(
                    namespace,
                    names::WEBHOOK_CERTIFICATE,
                    names::WEBHOOK_SERVICE,
                );
                managed.names.extend(names);
                managed.targets = vec![
                    CaBundleTarget::mutating(names::OPERATOR),
                    CaBundleTarget::validating(names::OPERATOR),
                ];
                let started =
                    tokio::time::timeout(PATIENCE, CertificateManager::start(client, managed, metrics)).await;
                let (certificates, managed) = started.map_err(|_| {
                    anyhow!(
                        "there was no certificate for the webhooks within {PATIENCE:?}: the log says what it waited for; may this ServiceAccount read and write the Secret {}?",
                        names::WEBHOOK_CERTIFICATE
                    )
                })??;
                (certificates, Keeper::Managed(managed))
            }
            Certificate::Files(folder) => {
                let name = folder.display().to_string();
                let (certificates, files) =
                    CertificateFiles::start(CertificateFilesOptions::new(folder), metrics).await;
                tokio::time::timeout(PATIENCE, certificates.loaded()).await.map_err(|_| {
                    anyhow!("there was no usable tls.crt with tls.key in {name} within {PATIENCE:?}: the log says what is wrong with them")
                })?;
                (certificates, Keeper::Files(files))
            }
        };
        let server =
            Server::start(listener, Arc::new(admission), certificates, ServerOptions::default(), registry)?;
        tracing::info!(address = %server.local_addr(), "admission reviews are answered");
        Ok(Self { server, keeper })
    }

    /// Where reviews are answered.
    pub fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// Lets running reviews end and stops.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
        match self.keeper {
            Keeper::Managed(managed) => managed.shutdown().await,
            Keeper::Files(files) => files.shutdown().await,
        }
    }
}
