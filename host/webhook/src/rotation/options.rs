//! Options of a certificate manager.

use super::ca_bundle::CaBundleTarget;
use super::policy::RotationPolicy;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;

/// Tells the time that certificates' validity is compared with.
pub type WallClock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// What a [`CertificateManager`](crate::CertificateManager) manages.
#[derive(Clone)]
pub struct CertificateManagerOptions {
    /// Namespace of the Secret and of the Service.
    pub namespace: String,
    /// Name of the Secret. The API client needs `create` on Secrets, and `get`, `list`, `watch` and
    /// `update` on this one.
    pub secret: String,
    /// Labels of the Secret when it is created.
    pub labels: BTreeMap<String, String>,
    /// Field manager of all writes. By default the name of the Service.
    pub field_manager: String,
    /// DNS names and IP addresses that the certificate is for.
    pub names: Vec<String>,
    /// Webhook configurations that get the CAs. The API client needs `get` and `patch` on them.
    pub targets: Vec<CaBundleTarget>,
    /// How long certificates are valid.
    pub policy: RotationPolicy,
    /// Time between two checks of the Secret and the targets when no watch event comes before.
    pub period: Duration,
    /// Tells the time.
    pub clock: WallClock,
}

impl CertificateManagerOptions {
    /// A certificate for the names of a Service, with the defaults of [`RotationPolicy`], a check
    /// every 30 seconds, the system's clock, and no targets.
    pub fn new(namespace: impl Into<String>, secret: impl Into<String>, service: impl AsRef<str>) -> Self {
        let (namespace, service) = (namespace.into(), service.as_ref());
        // API servers ask for the first one.
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
            policy: RotationPolicy::default(),
            period: Duration::from_secs(30),
            clock: Arc::new(OffsetDateTime::now_utc),
        }
    }
}

impl fmt::Debug for CertificateManagerOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CertificateManagerOptions")
            .field("namespace", &self.namespace)
            .field("secret", &self.secret)
            .field("names", &self.names)
            .field("targets", &self.targets)
            .field("policy", &self.policy)
            .field("period", &self.period)
            .finish_non_exhaustive()
    }
}
