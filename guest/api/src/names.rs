//! Names that clusters and workflows depend on. Changing one of them breaks those that exist.

/// API group of the OrasCache, as in clusters today.
pub const GROUP: &str = "cache.converged-computing.github.io";
/// API version of the OrasCache.
pub const VERSION: &str = "v1alpha1";
/// `GROUP/VERSION`.
pub const API_VERSION: &str = "cache.converged-computing.github.io/v1alpha1";
/// Kind of the primary.
pub const KIND: &str = "OrasCache";
/// Plural resource name of the primary.
pub const PLURAL: &str = "orascaches";

/// Field manager of every write that a plan asks for.
pub const FIELD_MANAGER: &str = "orascache";

/// Registry image where a cache names none.
pub const DEFAULT_IMAGE: &str = "ghcr.io/oras-project/registry:latest";
/// How long registry pods may come no further where a cache does not say it, in seconds.
pub const DEFAULT_PROGRESS_DEADLINE_SECONDS: i64 = 600;
/// The longest such time: a week.
pub const MAX_PROGRESS_DEADLINE_SECONDS: i64 = 604_800;
/// Port of the registry, in the pod and on the Service.
pub const REGISTRY_PORT: i64 = 5000;
/// Port of the registry's metrics, in the pod and on the headless Service.
pub const METRICS_PORT: i64 = 5001;
/// Name of that port.
pub const METRICS_NAME: &str = "metrics";
/// Port of registry pods at which retention asks for a garbage collection.
pub const COLLECTION_PORT: i64 = 5002;
/// What the name of a cache is followed by in the name of the Service over which clients are spread.
pub const REGISTRY_SERVICE_SUFFIX: &str = "-registry";
/// Directory in which the registry keeps its blobs.
pub const DATA_PATH: &str = "/var/lib/registry";
/// Name of the container and of the port.
pub const REGISTRY_NAME: &str = "registry";
/// Key of the HTTP secret in a Secret, as in clusters today.
pub const HTTP_SECRET_KEY: &str = "http-secret";

/// Annotation of every child: a digest of what was last applied. It tells when a field was removed
/// from the cache's spec, so that it is removed from the child too.
pub const APPLIED_HASH_ANNOTATION: &str = "cache.converged-computing.github.io/applied-hash";

/// Annotation by which an object consents to belong to the cache that it names. The operator takes
/// over an object that nothing controls, that has the name of a child of this cache, and that has
/// this annotation. Children have it, and so does what `orascache render` prints.
pub const CONSENT_ANNOTATION: &str = "cache.converged-computing.github.io/cache";
/// Annotation of a volume claim that is to outlive its cache: the cache's UID. The operator removed
/// the claim's owner reference.
pub const RETAINED_ANNOTATION: &str = "cache.converged-computing.github.io/retained";
/// Annotation of StatefulSets: the cache's `metadata.generation` for which it was last applied.
pub const APPLIED_GENERATION_ANNOTATION: &str = "cache.converged-computing.github.io/applied-generation";
/// Annotation of StatefulSets: the revision of the defaults that its pod template has.
pub const TEMPLATE_REVISION_ANNOTATION: &str = "cache.converged-computing.github.io/template-revision";
/// Annotation of a cache by which somebody asks for other generated values: another value than
/// before.
pub const ROTATE_ANNOTATION: &str = "cache.converged-computing.github.io/rotate";
/// Annotation of a generated Secret: how far the replacement of its values is.
pub const ROTATION_PHASE_ANNOTATION: &str = "cache.converged-computing.github.io/rotation-phase";
/// Annotation of a generated Secret: since when it is in this phase.
pub const ROTATION_TIME_ANNOTATION: &str = "cache.converged-computing.github.io/rotation-time";
/// Annotation of a generated Secret: a digest of the last request for other values.
pub const ROTATION_REQUEST_ANNOTATION: &str = "cache.converged-computing.github.io/rotation-request";
/// Annotation of a Secret with a generated account: the name of the account that was made last.
pub const ROTATION_ACCOUNT_ANNOTATION: &str = "cache.converged-computing.github.io/rotation-account";

/// Annotation of registry pods: the certificate that they start with, where it is not the first
/// one. The Secret with a generated certificate has it too.
pub const CERTIFICATE_ANNOTATION: &str = "cache.converged-computing.github.io/certificate";
/// Annotation of a Secret with a generated certificate: when it expires.
pub const CERTIFICATE_EXPIRES_ANNOTATION: &str = "cache.converged-computing.github.io/certificate-expires";

/// Repository of a registry in which retention writes down since when each tag is there. Retention
/// and copies of whole registries leave it alone.
pub const RETENTION_REPOSITORY: &str = "orascache-retention";

/// Label by which Services and StatefulSets of the former operator (oras-operator, in Go) select
/// pods: those of registries and those of users alike. Its value is the namespace.
pub const FORMER_SELECTOR: &str = "oras-namespace";

/// Label of every namespace with its name. The API server sets it (KEP-2161).
pub const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";
/// Namespace of the operator, where the settings name no other.
pub const OPERATOR_NAMESPACE: &str = "orascache-system";

/// Longest name of a cache. Its StatefulSet labels pods with `<name>-<10 characters>`, and a label
/// value has at most 63.
pub const MAX_NAME_LENGTH: usize = 52;

/// Recommended labels (kubernetes.io/docs/concepts/overview/working-with-objects/common-labels).
pub mod labels {
    /// Name of the application.
    pub const NAME: &str = "app.kubernetes.io/name";
    /// Value of [`NAME`].
    pub const NAME_VALUE: &str = "orascache";
    /// Name of the cache.
    pub const INSTANCE: &str = "app.kubernetes.io/instance";
    /// Role of a pod within the cache.
    pub const COMPONENT: &str = "app.kubernetes.io/component";
    /// Value of [`COMPONENT`] on registry pods.
    pub const COMPONENT_REGISTRY: &str = "registry";
    /// Tool that manages the object.
    pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
    /// Value of [`MANAGED_BY`].
    pub const MANAGED_BY_VALUE: &str = "orascache";
}
