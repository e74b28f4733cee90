//! Why the operator has each of its rights.

/// Verbs and reason for an owned kind.
pub(crate) struct OwnedKindRight {
    pub(crate) verbs: &'static [&'static str],
    pub(crate) reason: &'static str,
}

/// Verbs for kinds of which the operator makes and deletes objects: it watches them, applies them
/// (`patch`, and `create` for new objects), and reads an object before it creates one of that name.
const OWNED_VERBS: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];
/// The same, for kinds whose objects it never deletes.
const KEPT_VERBS: &[&str] = &["get", "list", "watch", "create", "patch"];

/// The right on an owned kind. Kinds without a reason of their own get [`OWNED_KIND`].
pub(crate) fn owned_kind(group: &str, plural: &str) -> OwnedKindRight {
    let (verbs, reason) = match (group, plural) {
        ("apps", "statefulsets") => (OWNED_VERBS, STATEFUL_SETS),
        ("", "services") => (OWNED_VERBS, SERVICES),
        ("", "persistentvolumeclaims") => (KEPT_VERBS, VOLUME_CLAIMS),
        ("", "secrets") => (OWNED_VERBS, SECRETS),
        ("batch", "jobs") => (OWNED_VERBS, JOBS),
        ("batch", "cronjobs") => (OWNED_VERBS, CRON_JOBS),
        ("networking.k8s.io", "networkpolicies") => (OWNED_VERBS, NETWORK_POLICIES),
        ("policy", "poddisruptionbudgets") => (OWNED_VERBS, DISRUPTION_BUDGETS),
        ("monitoring.coreos.com", "servicemonitors") => (OWNED_VERBS, SERVICE_MONITORS),
        ("cert-manager.io", "certificates") => (OWNED_VERBS, CERTIFICATES),
        _ => (OWNED_VERBS, OWNED_KIND),
    };
    OwnedKindRight { verbs, reason }
}

/// The reason for a related kind. Kinds without one of their own get [`RELATED_KIND`].
pub(crate) fn related_kind(group: &str, plural: &str) -> &'static str {
    match (group, plural) {
        ("", "pods") => REGISTRY_PODS,
        ("", "resourcequotas") => RESOURCE_QUOTAS,
        _ => RELATED_KIND,
    }
}

pub(crate) const READ_PRIMARY: &str = "The operator watches caches. A review of a pod reads the cache that the pod names if the watch has not delivered it yet.";
pub(crate) const WRITE_STATUS: &str = "The operator writes the status of caches by server-side apply.";
pub(crate) const OWNER_REFERENCES: &str = "Owned objects name their cache as controller with blockOwnerDeletion, and the admission plugin OwnerReferencesPermissionEnforcement requires this right for that. The operator writes no finalizers.";

const STATEFUL_SETS: &str =
    "They run the registry pods. The operator deletes one when its cache sets deploy to false.";
const SERVICES: &str = "They give registries their names, and spread clients over several pods. The operator deletes them when their cache sets deploy to false.";
const VOLUME_CLAIMS: &str =
    "They are the storage of registries, and caches refer to existing ones. The operator never deletes any.";
const NETWORK_POLICIES: &str = "They say which pods reach a registry. The operator deletes one when its cache sets deploy or networkPolicy.enabled to false.";
const DISRUPTION_BUDGETS: &str = "They keep a drain of nodes from taking all pods of a registry at once. The operator deletes one when its cache has a single replica.";
const SERVICE_MONITORS: &str = "By them Prometheus finds the metrics of registries whose caches ask for it (metrics.serviceMonitor). Where the kind is missing or this right is taken away, caches work without.";
const CERTIFICATES: &str = "By them cert-manager issues the certificates of registries whose caches name an issuer (tls.issuerRef). Where the kind is missing or this right is taken away, caches work without.";
const JOBS: &str = "They copy the seeds of a cache into its registry. The operator deletes one when the list of seeds was edited. It lists and watches those with its label only.";
const CRON_JOBS: &str = "They run retention and exports of a cache. The operator deletes one when the spec asks for it no more. It lists and watches those with its label only.";
const SECRETS: &str = "The operator generates HTTP secrets, accounts and certificates of registries, moves HTTP secrets out of a cache's spec, replaces accounts and certificates by new ones, and deletes them when the spec needs none. It reads one before it writes it, so that it never changes a foreign Secret of that name. All other Secrets it lists and watches as metadata only (PartialObjectMetadata), to tell whether those that caches refer to exist; RBAC has no right for metadata alone.";
const REGISTRY_PODS: &str = "Pods tell why a registry is not ready, and what retention, seeds and exports did. The operator asks for those with the labels of its registries and of this work, and keeps their names, labels, owners and status; RBAC has no right for pods with a label. Without this right, the status of a cache names no causes and no numbers.";
const RESOURCE_QUOTAS: &str = "A quota may be why a registry has no pod. Without this right, the status of a cache does not name the quota.";
pub(crate) const OWNED_KIND: &str =
    "The guest owns objects of this kind: the operator watches, applies and deletes them.";
pub(crate) const RELATED_KIND: &str = "The guest reads objects of this kind.";
pub(crate) const PATCHABLE_KIND: &str = "The guest reads and patches objects of this kind.";
pub(crate) const EVENTS: &str =
    "Events tell what happened to a cache. Repeated events are counted in one Event.";
pub(crate) const NAMESPACE_LABELS: &str = "Labels of a namespace may decide which annotations its steps must have (requiredAnnotations). The operator reads the namespace, as metadata, when a step lacks such an annotation.";

pub(crate) const GATED_PODS: &str = "The operator watches pods with the label of its scheduling gate, and removes gate and label when their inputs exist. RBAC has no right for a part of a pod: a ValidatingAdmissionPolicy refuses every other change by the operator.";

pub(crate) const CREATE_LEASE: &str =
    "The first replica creates the Lease. RBAC cannot restrict create requests by name.";
pub(crate) const USE_LEASE: &str = "Replicas elect their leader by this Lease.";
pub(crate) const SETTINGS: &str = "The operator follows the settings, and never writes them. Its lists and watches select the ConfigMap by metadata.name.";
pub(crate) const CREATE_CERTIFICATE: &str =
    "The first replica creates the Secret. RBAC cannot restrict create requests by name.";
pub(crate) const ROTATE_CERTIFICATE: &str = "The operator rotates the certificate in this Secret, and every replica follows it. Its lists and watches select the Secret by metadata.name.";
pub(crate) const CA_BUNDLE: &str = "The operator writes the CA that the API server has to trust into its own configurations, and into no others.";

pub(crate) const VIEW_PRIMARY: &str = "People who may view a namespace may read its caches.";
pub(crate) const VIEW_STATUS: &str = "The status alone can be read as a subresource.";
pub(crate) const EDIT_PRIMARY: &str = "People who may edit a namespace may have caches in it.";
pub(crate) const VIEW_SCALE: &str = "The number of replicas can be read as a subresource.";
pub(crate) const EDIT_SCALE: &str = "People may scale caches, as with kubectl scale.";
pub(crate) const EDIT_STATUS: &str = "People may read the status alone; only the operator writes it.";
