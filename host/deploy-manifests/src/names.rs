//! Names that the manifests and the operator have in common. When a name changes, objects under the
//! old name stay behind in clusters.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use std::collections::BTreeMap;

/// Namespace of the operator.
pub const NAMESPACE: &str = "orascache-system";
/// Name of the ServiceAccount, the Deployment, the main ClusterRole, and both webhook
/// configurations.
pub const OPERATOR: &str = "orascache";
/// The only container of the operator's pods.
pub const CONTAINER: &str = "manager";
/// Lease by which replicas elect a leader.
pub const LEASE: &str = "orascache-operator";

/// Service that the API server sends reviews to.
pub const WEBHOOK_SERVICE: &str = "orascache-webhook";
/// Secret with the certificate of that Service.
pub const WEBHOOK_CERTIFICATE: &str = "orascache-webhook-certificate";
/// Roles that only an operator with managed certificates needs.
pub const WEBHOOK_ROLE: &str = "orascache-webhook";
/// Name of everything that only an operator with gates needs.
pub const GATES: &str = "orascache-gates";
/// ConfigMap with the administrator's settings. The operator reads it and never writes it.
pub const SETTINGS: &str = "orascache-settings";
/// Key of the settings in [`SETTINGS`], YAML or JSON.
pub const SETTINGS_KEY: &str = "settings.yaml";

/// Path of reviews that may change the object.
pub const MUTATE_PATH: &str = "/mutate";
/// Path of reviews that only accept or refuse.
pub const VALIDATE_PATH: &str = "/validate";
/// Port of [`WEBHOOK_SERVICE`]: the default of `clientConfig.service.port`.
pub const SERVICE_PORT: i32 = 443;

/// Port on which pods serve reviews.
pub const WEBHOOK_PORT: i32 = 9443;
/// Name of [`WEBHOOK_PORT`].
pub const WEBHOOK_PORT_NAME: &str = "webhook";
/// Port on which pods serve /metrics, /healthz and /readyz.
pub const HTTP_PORT: i32 = 8080;
/// Name of [`HTTP_PORT`].
pub const HTTP_PORT_NAME: &str = "http";

/// Folder that the certificate is mounted at when the operator does not manage it.
pub const CERTIFICATE_DIRECTORY: &str = "/etc/orascache/webhook";
/// Folder that the client CA is mounted at, where there is one.
pub const CLIENT_CA_DIRECTORY: &str = "/etc/orascache/clients";
/// Key of the client CA in its Secret or ConfigMap, and its file in the folder.
pub const CLIENT_CA_KEY: &str = "ca.crt";
/// Secret that the kustomize component `client-ca` mounts.
pub const CLIENT_CA_SECRET: &str = "orascache-webhook-client-ca";

/// Namespace of the control plane's own pods.
pub(crate) const KUBE_SYSTEM: &str = "kube-system";
/// Label of every namespace with its name (KEP-2161).
pub(crate) const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Labels that select the operator's pods.
pub(crate) fn pod_labels() -> BTreeMap<String, String> {
    labels(&[("app.kubernetes.io/name", "orascache-operator"), ("app.kubernetes.io/component", "manager")])
}

pub(crate) fn pod_selector() -> LabelSelector {
    LabelSelector { match_labels: Some(pod_labels()), ..LabelSelector::default() }
}

pub(crate) fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Metadata of an object of the manifests. Cluster-scoped objects have no namespace.
pub(crate) fn metadata(name: &str, namespace: Option<&str>) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: namespace.map(str::to_owned),
        labels: Some(labels(&[("app.kubernetes.io/name", "orascache-operator")])),
        ..ObjectMeta::default()
    }
}

/// Whether a text is a DNS subdomain (RFC 1123), as names of Secrets and ConfigMaps must be.
pub(crate) fn is_dns_subdomain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_dns_label)
}

/// Whether a text is a DNS label (RFC 1123), as names of namespaces must be.
pub(crate) fn is_dns_label(name: &str) -> bool {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&name.len())
        && name.chars().all(inside)
        && !name.starts_with('-')
        && !name.ends_with('-')
}
