//! The operator's namespace, and the disruption budget of its pods.

use crate::names::{OPERATOR, labels, metadata, pod_selector};
use crate::options::ManifestOptions;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// The namespace. It admits only pods of the Pod Security Standard "restricted".
pub fn namespace(options: &ManifestOptions) -> Namespace {
    let mut metadata = metadata(&options.namespace, None);
    let labels = labels(&[
        ("pod-security.kubernetes.io/enforce", "restricted"),
        ("pod-security.kubernetes.io/enforce-version", "latest"),
    ]);
    metadata.labels.get_or_insert_default().extend(labels);
    Namespace { metadata, ..Namespace::default() }
}

/// Keeps one pod that answers reviews while nodes are drained; with high availability all but one.
/// Pods that are not ready answer none,
/// and may always be evicted.
pub fn disruption_budget(options: &ManifestOptions) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: metadata(OPERATOR, Some(&options.namespace)),
        spec: Some(PodDisruptionBudgetSpec {
            min_available: (!options.high_availability).then_some(IntOrString::Int(1)),
            max_unavailable: options.high_availability.then_some(IntOrString::Int(1)),
            selector: Some(pod_selector()),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
        }),
        ..PodDisruptionBudget::default()
    }
}
