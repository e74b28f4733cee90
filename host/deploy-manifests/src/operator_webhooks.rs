//! How the API server sends reviews to the operator.
//!
//! The webhooks never review objects in kube-system and in the operator's own namespace, so that an
//! operator that is down keeps neither its own pods nor those of the control plane from starting.

use crate::names::{
    KUBE_SYSTEM, NAMESPACE_NAME_LABEL, OPERATOR, SERVICE_PORT, SETTINGS, WEBHOOK_PORT_NAME, WEBHOOK_SERVICE,
    metadata, pod_labels,
};
use crate::options::ManifestOptions;
use crate::webhook::{
    ReviewEndpoint, RuleScope, WebhookConfigurations, WebhookParameters, configurations, validating_webhook,
};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use orascache_contract::{AdmissionRule, Description, FailurePolicy, MatchCondition, Operation};

/// How long the API server waits for a review, of the 30 seconds that it allows: users wait for it.
const TIMEOUT_SECONDS: i32 = 5;

/// The Service by which the API server reaches the operator's pods.
pub fn service(options: &ManifestOptions) -> Service {
    Service {
        metadata: metadata(WEBHOOK_SERVICE, Some(&options.namespace)),
        spec: Some(ServiceSpec {
            selector: Some(pod_labels()),
            ports: Some(vec![ServicePort {
                name: Some(WEBHOOK_PORT_NAME.to_owned()),
                port: SERVICE_PORT,
                target_port: Some(IntOrString::String(WEBHOOK_PORT_NAME.to_owned())),
                protocol: Some("TCP".to_owned()),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

/// DNS names of that Service, for its certificate. The API server uses the first one.
pub fn dns_names(options: &ManifestOptions) -> Vec<String> {
    let name = format!("{WEBHOOK_SERVICE}.{}", options.namespace);
    vec![format!("{name}.svc"), format!("{name}.svc.cluster.local"), name]
}

/// The configurations for the guest's rules, and for the administrator's settings. They contain no
/// CA: the operator or cert-manager writes it.
pub fn webhook_configurations(options: &ManifestOptions, description: &Description) -> WebhookConfigurations {
    let parameters = WebhookParameters {
        metadata: metadata(OPERATOR, None),
        domain: domain_of(description.primary.group()),
        endpoint: ReviewEndpoint::Service {
            namespace: options.namespace.clone(),
            name: WEBHOOK_SERVICE.to_owned(),
            port: SERVICE_PORT,
        },
        ca_bundle: None,
        namespaces: reviewed_namespaces(options),
        scope: RuleScope::Namespaced,
        timeout_seconds: TIMEOUT_SECONDS,
    };
    let mut built = configurations(&description.admission, &parameters);
    let settings = WebhookParameters { namespaces: named(&options.namespace), ..parameters };
    let webhook = validating_webhook(&settings_rule(&settings.domain), &settings);
    let validating = built.validating.get_or_insert_with(|| ValidatingWebhookConfiguration {
        metadata: settings.metadata.clone(),
        webhooks: None,
    });
    validating.webhooks.get_or_insert_default().push(webhook);
    built
}

/// The domain of the names of webhooks: the API group of the primary. Names of webhooks have to be
/// domain names of at least three labels, so that the old groups of Kubernetes, which are no domain
/// names, are completed as its newer ones are: `apps` like `networking.k8s.io`. The core group has
/// no name, and is called `core` in the documentation. No other guest can have such a group: the
/// API server keeps k8s.io for Kubernetes.
fn domain_of(group: &str) -> String {
    match group {
        "" => "core.k8s.io".to_owned(),
        group if !group.contains('.') => format!("{group}.k8s.io"),
        group => group.to_owned(),
    }
}

/// Reviews of the ConfigMap with the administrator's settings, which the host answers itself. If no
/// answer comes, the settings are stored, and the operator does not use settings that are invalid.
pub fn settings_rule(domain: &str) -> AdmissionRule {
    AdmissionRule {
        name: "settings".to_owned(),
        mutating: false,
        group: String::new(),
        versions: vec!["v1".to_owned()],
        resources: vec!["configmaps".to_owned()],
        operations: vec![Operation::Create, Operation::Update],
        conditions: vec![MatchCondition {
            name: format!("is-settings.{domain}"),
            expression: format!("has(object.metadata.name) && object.metadata.name == '{SETTINGS}'"),
        }],
        on_failure: FailurePolicy::Ignore,
        reinvoke: false,
    }
}

/// One namespace.
fn named(namespace: &str) -> LabelSelector {
    LabelSelector {
        match_labels: Some([(NAMESPACE_NAME_LABEL.to_owned(), namespace.to_owned())].into()),
        ..LabelSelector::default()
    }
}

/// The listed namespaces; without a list, all but kube-system and the operator's own.
pub(crate) fn reviewed_namespaces(options: &ManifestOptions) -> LabelSelector {
    let (operator, values) = if options.namespaces.is_empty() {
        ("NotIn", vec![KUBE_SYSTEM.to_owned(), options.namespace.clone()])
    } else {
        ("In", options.namespaces.clone())
    };
    LabelSelector {
        match_expressions: Some(vec![LabelSelectorRequirement {
            key: NAMESPACE_NAME_LABEL.to_owned(),
            operator: operator.to_owned(),
            values: Some(values),
        }]),
        ..LabelSelector::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webhooks_of_every_group_have_domain_names() {
        for (api_version, wanted) in [
            (
                "cache.converged-computing.github.io/v1alpha1",
                "create.pods.cache.converged-computing.github.io",
            ),
            ("example.com/v1", "create.pods.example.com"),
            ("apps/v1", "create.pods.apps.k8s.io"),
            ("v1", "create.pods.core.k8s.io"),
        ] {
            let mut description = orascache_core::describe();
            description.primary.api_version = api_version.into();
            let built = webhook_configurations(&ManifestOptions::default(), &description);
            let mutating = built.mutating.and_then(|built| built.webhooks).unwrap();
            assert_eq!(mutating[0].name, wanted, "{api_version}");
            let validating = built.validating.and_then(|built| built.webhooks).unwrap();
            let names = mutating.iter().map(|webhook| &webhook.name);
            for name in names.chain(validating.iter().map(|webhook| &webhook.name)) {
                let labels: Vec<&str> = name.split('.').collect();
                assert!(labels.len() >= 3 && labels.iter().all(|label| !label.is_empty()), "{name}");
            }
            let conditions = validating.iter().flat_map(|webhook| webhook.match_conditions.iter().flatten());
            assert!(conditions.map(|one| &one.name).all(|name| !name.ends_with('.')));
        }
    }
}
