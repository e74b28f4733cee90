//! Names that an installation and the operator in it agree on. Changing one of them orphans what is installed.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use std::collections::BTreeMap;

/// Namespace of the operator.
pub const NAMESPACE: &str = "orascache-system";
/// ServiceAccount, Deployment, main ClusterRole, and both webhook configurations.
pub const OPERATOR: &str = "orascache";
/// The only container of the operator's pods.
pub const CONTAINER: &str = "manager";
/// Lease by which replicas elect a leader.
pub const LEASE: &str = "orascache-operator";

/// Service that the API server sends reviews to.
pub const WEBHOOK_SERVICE: &str = "orascache-webhook";
/// Secret with the certificate of that Service.
pub const WEBHOOK_CERTIFICATE: &str = "orascache-webhook-certificate";
/// Permissions that only an operator with managed certificates needs.
pub const WEBHOOK_RIGHTS: &str = "orascache-webhook";
/// ConfigMap with the administrator's settings for admission, which the operator follows and never writes.
pub const SETTINGS: &str = "orascache-settings";
/// Its key with the settings, YAML or JSON.
pub const SETTINGS_KEY: &str = "settings.yaml";

/// Path of reviews that may change the object.
pub const MUTATE_PATH: &str = "/mutate";
/// Path of reviews that only accept or refuse.
pub const VALIDATE_PATH: &str = "/validate";
/// Port of [`WEBHOOK_SERVICE`]; 443 is what `clientConfig.service.port` means when it is absent.
pub const SERVICE_PORT: i32 = 443;

/// Port on which pods serve reviews.
pub const WEBHOOK_PORT: i32 = 9443;
/// Name of [`WEBHOOK_PORT`].
pub const WEBHOOK_PORT_NAME: &str = "webhook";
/// Port on which pods serve /metrics, /healthz and /readyz.
pub const HTTP_PORT: i32 = 8080;
/// Name of [`HTTP_PORT`].
pub const HTTP_PORT_NAME: &str = "http";

/// Where the certificate is mounted when it is not managed by the operator.
pub const CERTIFICATE_DIRECTORY: &str = "/etc/orascache/webhook";

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

/// Metadata of an object of the installation. Cluster-scoped objects have no namespace.
pub(crate) fn metadata(name: &str, namespace: Option<&str>) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: namespace.map(str::to_owned),
        labels: Some(labels(&[("app.kubernetes.io/name", "orascache-operator")])),
        ..ObjectMeta::default()
    }
}
