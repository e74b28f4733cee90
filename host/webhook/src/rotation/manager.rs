//! Runs the rotation loop as a task.

use super::options::CertificateManagerOptions;
use super::rotation_loop::RotationLoop;
use crate::certificates::CertificateResolver;
use crate::metrics::CertificateMetrics;
use kube::Client;
use rustls_pki_types::ServerName;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Why a certificate is not managed.
#[derive(Debug, thiserror::Error)]
pub enum CertificateManagerError {
    /// The options name nothing that the certificate could be for.
    #[error("the webhook's certificate has no names; give at least one DNS name or IP address")]
    NoNames,
    /// A certificate cannot contain this name.
    #[error("{0:?} cannot be a name of the webhook's certificate; give a DNS name or an IP address")]
    Name(String),
    /// The task ended before there was a certificate.
    #[error("the task that manages the webhook's certificate ended before there was one; its log says why")]
    Ended,
}

/// Issues and rotates a certificate in a Secret. When this is dropped, rotation ends; the
/// certificate stays.
#[derive(Debug)]
pub struct CertificateManager {
    stop: DropGuard,
    task: JoinHandle<()>,
    bundle: watch::Receiver<String>,
}

impl CertificateManager {
    /// Starts, and returns once a certificate is loaded. While the API server cannot be reached or
    /// refuses, that is logged and tried again: to give up, put a timeout around this future or
    /// drop it.
    ///
    /// # Errors
    /// When the options contain no name, or one that a certificate cannot contain.
    pub async fn start(
        client: Client,
        options: CertificateManagerOptions,
        metrics: CertificateMetrics,
    ) -> Result<(Arc<CertificateResolver>, Self), CertificateManagerError> {
        if options.names.is_empty() {
            return Err(CertificateManagerError::NoNames);
        }
        for name in &options.names {
            if ServerName::try_from(name.as_str()).is_err() {
                return Err(CertificateManagerError::Name(name.clone()));
            }
        }
        let resolver = Arc::new(CertificateResolver::new());
        let (bundle_sender, bundle) = watch::channel(String::new());
        let token = CancellationToken::new();
        let stop = token.clone().drop_guard();
        let rotation = RotationLoop::new(client, options, resolver.clone(), metrics, bundle_sender);
        let mut task = tokio::spawn(rotation.run(token));
        tokio::select! {
            () = resolver.loaded() => {}
            _ = &mut task => return Err(CertificateManagerError::Ended),
        }
        Ok((resolver, Self { stop, task, bundle }))
    }

    /// The CAs that clients have to trust now, PEM: what the targets get.
    pub fn ca_bundle(&self) -> watch::Receiver<String> {
        self.bundle.clone()
    }

    /// Ends rotation, and waits for the task to end.
    pub async fn shutdown(self) {
        drop(self.stop);
        // The only error is a panic, which was reported where it happened.
        let _ = self.task.await;
    }
}
