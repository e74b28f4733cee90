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
        domain: description.primary.group().to_owned(),
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
fn reviewed_namespaces(options: &ManifestOptions) -> LabelSelector {
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
