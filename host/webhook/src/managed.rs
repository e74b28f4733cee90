//! A CA and a certificate of our own, kept in a Secret that all replicas share.
//!
//! Every replica does the same: read the Secret, serve what it holds, publish its CAs, and take the next step of
//! [`plan`](self::plan) if one is due. Who writes first wins; the others read what was written. Deleting the Secret
//! makes everything anew at once, and no CA from before is trusted any more.

pub(crate) mod policy;
pub(crate) mod publish;

mod issue;
mod material;
mod plan;
mod replica;
mod store;
mod verify;

use crate::certificates::Certificates;
use crate::metrics::CertificateMetrics;
use kube::Client;
use policy::Policy;
use publish::Target;
use replica::Replica;
use rustls_pki_types::ServerName;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Tells the time by which certificates begin and end.
pub type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// What is to be managed.
#[derive(Clone)]
pub struct ManagedOptions {
    /// Namespace of the Secret and of the Service.
    pub namespace: String,
    /// Name of the Secret. It needs `create` on Secrets, and `get`, `list`, `watch` and `update` on this one.
    pub secret: String,
    /// Labels of the Secret when it is made.
    pub labels: BTreeMap<String, String>,
    /// Name under which all of this is written, for `managedFields`. By default that of the Service.
    pub field_manager: String,
    /// DNS names and IP addresses that the certificate is for.
    pub names: Vec<String>,
    /// Where the CA is published. It needs `get` and `patch` on these.
    pub targets: Vec<Target>,
    /// How long certificates live.
    pub policy: Policy,
    /// Time between two looks at the Secret and the targets, when nothing happens before.
    pub period: Duration,
    /// Tells the time.
    pub clock: Clock,
}

impl ManagedOptions {
    /// A certificate for the names of a Service, with the defaults of [`Policy`], a look every 30 seconds, the
    /// system's clock, and nothing to publish to.
    pub fn new(namespace: impl Into<String>, secret: impl Into<String>, service: impl AsRef<str>) -> Self {
        let (namespace, service) = (namespace.into(), service.as_ref());
        // The first one is what API servers ask for.
        let names = vec![
            format!("{service}.{namespace}.svc"),
            format!("{service}.{namespace}.svc.cluster.local"),
            format!("{service}.{namespace}"),
        ];
        Self {
            namespace,
            secret: secret.into(),
            labels: BTreeMap::new(),
            field_manager: service.to_owned(),
            names,
            targets: Vec::new(),
            policy: Policy::default(),
            period: Duration::from_secs(30),
            clock: Arc::new(OffsetDateTime::now_utc),
        }
    }
}

impl fmt::Debug for ManagedOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ManagedOptions")
            .field("namespace", &self.namespace)
            .field("secret", &self.secret)
            .field("names", &self.names)
            .field("targets", &self.targets)
            .field("policy", &self.policy)
            .field("period", &self.period)
            .finish_non_exhaustive()
    }
}

/// Why no certificate is managed.
#[derive(Debug, thiserror::Error)]
pub enum ManagedError {
    /// There is nothing that the certificate could be for.
    #[error("the webhook's certificate has no names; give at least one DNS name or IP address")]
    NoNames,
    /// A name cannot be in a certificate.
    #[error("{0:?} cannot be a name of the webhook's certificate; give a DNS name or an IP address")]
    Name(String),
    /// The task ended before there was a certificate.
    #[error("looking after the webhook's certificate ended before there was one")]
    Ended,
}

/// Looks after a certificate in a Secret. Dropping it ends that; the certificate stays.
#[derive(Debug)]
pub struct Managed {
    stop: DropGuard,
    task: JoinHandle<()>,
    bundle: watch::Receiver<String>,
}

impl Managed {
    /// Starts, and returns once a certificate is loaded. As long as the API cannot be reached or refuses, that is
    /// logged and tried again: put a timeout around it, or drop it, to give up.
    pub async fn start(
        client: Client,
        options: ManagedOptions,
        metrics: CertificateMetrics,
    ) -> Result<(Arc<Certificates>, Self), ManagedError> {
        if options.names.is_empty() {
            return Err(ManagedError::NoNames);
        }
        for name in &options.names {
            if ServerName::try_from(name.as_str()).is_err() {
                return Err(ManagedError::Name(name.clone()));
            }
        }
        let certificates = Arc::new(Certificates::new());
        let (published, bundle) = watch::channel(String::new());
        let token = CancellationToken::new();
        let stop = token.clone().drop_guard();
        let replica = Replica::new(client, options, certificates.clone(), metrics, published);
        let mut task = tokio::spawn(replica.run(token));
        tokio::select! {
            () = certificates.loaded() => {}
            _ = &mut task => return Err(ManagedError::Ended),
        }
        Ok((certificates, Self { stop, task, bundle }))
    }

    /// The CAs that clients are to trust now, PEM: what is published to the targets.
    pub fn bundle(&self) -> watch::Receiver<String> {
        self.bundle.clone()
    }

    /// Ends looking after it, and waits for that.
    pub async fn shutdown(self) {
        drop(self.stop);
        // It ends by itself; a panic in it was reported where it happened.
        let _ = self.task.await;
    }
}
