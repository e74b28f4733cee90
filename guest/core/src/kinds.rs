//! Kinds of object that a cache consists of.

use orascache_api::names::{API_VERSION, KIND, PLURAL};
use orascache_contract::Kind;

/// The cache itself.
pub(crate) static ORAS_CACHE: Kind = Kind::namespaced(API_VERSION, KIND, PLURAL);
/// The headless Service.
pub(crate) static SERVICE: Kind = Kind::namespaced("v1", "Service", "services");
/// Secrets that are generated, or filled from the spec.
pub(crate) static SECRET: Kind = Kind::namespaced("v1", "Secret", "secrets");
/// Storage.
pub(crate) static VOLUME_CLAIM: Kind =
    Kind::namespaced("v1", "PersistentVolumeClaim", "persistentvolumeclaims");
/// The registry pods.
pub(crate) static STATEFUL_SET: Kind = Kind::namespaced("apps/v1", "StatefulSet", "statefulsets");
/// Who reaches the registry pods.
pub(crate) static NETWORK_POLICY: Kind =
    Kind::namespaced("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies");
/// How many registry pods a drain of nodes may take at a time.
pub(crate) static DISRUPTION_BUDGET: Kind =
    Kind::namespaced("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets");
/// How Prometheus finds the metrics port. Not every cluster has this kind.
pub(crate) static SERVICE_MONITOR: Kind =
    Kind::namespaced("monitoring.coreos.com/v1", "ServiceMonitor", "servicemonitors");
/// A certificate that cert-manager issues. Not every cluster has this kind.
pub(crate) static CERTIFICATE: Kind = Kind::namespaced("cert-manager.io/v1", "Certificate", "certificates");
/// Work that is done once.
pub(crate) static JOB: Kind = Kind::namespaced("batch/v1", "Job", "jobs");
/// Work that is done by a schedule.
pub(crate) static CRON_JOB: Kind = Kind::namespaced("batch/v1", "CronJob", "cronjobs");
/// Registry pods, and pods that wait for their inputs.
pub(crate) static POD: Kind = Kind::namespaced("v1", "Pod", "pods");
/// Limits of what a namespace may use.
pub(crate) static RESOURCE_QUOTA: Kind = Kind::namespaced("v1", "ResourceQuota", "resourcequotas");
/// Namespaces, whose labels settings may refer to.
pub(crate) static NAMESPACE: Kind = Kind::cluster_scoped("v1", "Namespace", "namespaces");
