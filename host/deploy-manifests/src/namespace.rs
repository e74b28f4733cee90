//! The operator's namespace, and the budget for evictions in it.

use crate::names::{OPERATOR, labels, metadata, pod_selector};
use crate::settings::Settings;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// The namespace, in which only pods of the Pod Security Standard "restricted" run.
pub fn namespace(settings: &Settings) -> Namespace {
    let mut metadata = metadata(&settings.namespace, None);
    let labels = labels(&[
        ("pod-security.kubernetes.io/enforce", "restricted"),
        ("pod-security.kubernetes.io/enforce-version", "latest"),
    ]);
    metadata.labels.get_or_insert_default().extend(labels);
    Namespace { metadata, ..Namespace::default() }
}

/// One pod is left to answer reviews while nodes are drained. A pod that is not ready answers none and never
/// stands in the way.
pub fn disruption_budget(settings: &Settings) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: metadata(OPERATOR, Some(&settings.namespace)),
        spec: Some(PodDisruptionBudgetSpec {
            min_available: Some(IntOrString::Int(1)),
            selector: Some(pod_selector()),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }
}
