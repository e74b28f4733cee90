//! How the API server is asked to send reviews, safe by construction: only what a user annotated is ever refused
//! for want of an answer, the operator's own namespace and kube-system are left out, and an UPDATE or a DELETE never
//! waits for a webhook that is down.
//!
//! The CA that the API server is to trust is not part of it: whoever looks after the certificate publishes it.

use crate::conditions;
use crate::names::{
    MUTATE_PATH, OPERATOR, SERVICE_PORT, VALIDATE_PATH, WEBHOOK_PORT_NAME, WEBHOOK_SERVICE, metadata,
    pod_labels,
};
use crate::settings::Settings;
use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, MutatingWebhook, MutatingWebhookConfiguration, RuleWithOperations, ServiceReference,
    ValidatingWebhook, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use orascache_api::names::{GROUP, PLURAL, VERSION};

/// Seconds that the API server waits for a review, of the 30 that it allows: users wait for it.
const TIMEOUT_SECONDS: i32 = 5;
/// Namespace of the control plane's own pods.
const KUBE_SYSTEM: &str = "kube-system";
/// Label that every namespace has (KEP-2161).
const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Where the API server finds the pods that answer.
pub fn service(settings: &Settings) -> Service {
    Service {
        metadata: metadata(WEBHOOK_SERVICE, Some(&settings.namespace)),
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

/// Names by which that Service's certificate is asked for: the API server uses the first.
pub fn dns_names(settings: &Settings) -> Vec<String> {
    let name = format!("{WEBHOOK_SERVICE}.{}", settings.namespace);
    vec![format!("{name}.svc"), format!("{name}.svc.cluster.local"), name]
}

/// What one webhook is about.
struct Subject {
    name: String,
    operations: &'static [&'static str],
    group: &'static str,
    version: &'static str,
    resource: &'static str,
    /// `Fail` or `Ignore`, when no answer comes.
    on_failure: &'static str,
    conditions: Vec<MatchCondition>,
}

/// Rewrites annotated pods, and hands a Job's annotations to its pods.
pub fn mutating(settings: &Settings) -> MutatingWebhookConfiguration {
    let subjects = [
        Subject {
            name: format!("create.pods.{GROUP}"),
            operations: &["CREATE"],
            group: "",
            version: "v1",
            resource: "pods",
            // A step that ran without its artifacts would be worse than one that was not admitted.
            on_failure: "Fail",
            conditions: conditions::pod_created(),
        },
        Subject {
            name: format!("update.pods.{GROUP}"),
            operations: &["UPDATE"],
            group: "",
            version: "v1",
            resource: "pods",
            on_failure: "Ignore",
            conditions: conditions::pod_updated(),
        },
        Subject {
            name: format!("create.jobs.{GROUP}"),
            operations: &["CREATE"],
            group: "batch",
            version: "v1",
            resource: "jobs",
            on_failure: "Fail",
            conditions: conditions::job_created(),
        },
        Subject {
            name: format!("update.jobs.{GROUP}"),
            operations: &["UPDATE"],
            group: "batch",
            version: "v1",
            resource: "jobs",
            on_failure: "Ignore",
            conditions: conditions::job_updated(),
        },
    ];
    let webhook = |subject: Subject| MutatingWebhook {
        name: subject.name,
        rules: Some(vec![rule(subject.operations, subject.group, subject.version, subject.resource)]),
        match_conditions: Some(subject.conditions),
        failure_policy: Some(subject.on_failure.to_owned()),
        client_config: client(settings, MUTATE_PATH),
        namespace_selector: Some(reviewed_namespaces(settings)),
        match_policy: Some("Equivalent".to_owned()),
        // When a later webhook changed the pod, a second look finds nothing to do, or says what was undone.
        reinvocation_policy: Some("IfNeeded".to_owned()),
        side_effects: "None".to_owned(),
        admission_review_versions: vec!["v1".to_owned()],
        timeout_seconds: Some(TIMEOUT_SECONDS),
        ..MutatingWebhook::default()
    };
    MutatingWebhookConfiguration {
        metadata: metadata(OPERATOR, None),
        webhooks: Some(subjects.into_iter().map(webhook).collect()),
    }
}

/// Checks caches beyond what their CRD can, and the administrator's settings. The CRD's own rules hold while the webhook is down.
pub fn validating(settings: &Settings) -> ValidatingWebhookConfiguration {
    let caches = Subject {
        name: format!("{PLURAL}.{GROUP}"),
        operations: &["CREATE", "UPDATE"],
        group: GROUP,
        version: VERSION,
        resource: PLURAL,
        on_failure: "Ignore",
        conditions: conditions::cache_written(),
    };
    // The operator's own namespace, which no other webhook looks at. Without an answer the settings are stored; the
    // operator still uses none that it cannot.
    let own_settings = Subject {
        name: format!("settings.{GROUP}"),
        operations: &["CREATE", "UPDATE"],
        group: "",
        version: "v1",
        resource: "configmaps",
        on_failure: "Ignore",
        conditions: conditions::settings_written(),
    };
    let webhook = |subject: Subject, namespaces: LabelSelector| ValidatingWebhook {
        name: subject.name,
        rules: Some(vec![rule(subject.operations, subject.group, subject.version, subject.resource)]),
        match_conditions: Some(subject.conditions),
        failure_policy: Some(subject.on_failure.to_owned()),
        client_config: client(settings, VALIDATE_PATH),
        namespace_selector: Some(namespaces),
        match_policy: Some("Equivalent".to_owned()),
        side_effects: "None".to_owned(),
        admission_review_versions: vec!["v1".to_owned()],
        timeout_seconds: Some(TIMEOUT_SECONDS),
        ..ValidatingWebhook::default()
    };
    let webhooks =
        vec![webhook(caches, reviewed_namespaces(settings)), webhook(own_settings, own_namespace(settings))];
    ValidatingWebhookConfiguration { metadata: metadata(OPERATOR, None), webhooks: Some(webhooks) }
}

fn rule(operations: &[&str], group: &str, version: &str, resource: &str) -> RuleWithOperations {
    let one = |text: &str| Some(vec![text.to_owned()]);
    RuleWithOperations {
        operations: Some(operations.iter().map(|text| (*text).to_owned()).collect()),
        api_groups: one(group),
        api_versions: one(version),
        resources: one(resource),
        scope: Some("Namespaced".to_owned()),
    }
}

fn client(settings: &Settings, path: &str) -> WebhookClientConfig {
    WebhookClientConfig {
        service: Some(ServiceReference {
            namespace: settings.namespace.clone(),
            name: WEBHOOK_SERVICE.to_owned(),
            path: Some(path.to_owned()),
            port: Some(SERVICE_PORT),
        }),
        ..WebhookClientConfig::default()
    }
}

/// Where the settings are.
fn own_namespace(settings: &Settings) -> LabelSelector {
    LabelSelector {
        match_labels: Some([(NAMESPACE_NAME_LABEL.to_owned(), settings.namespace.clone())].into()),
        ..LabelSelector::default()
    }
}

/// A webhook that is down must not keep its own pods from starting, nor the control plane's.
fn reviewed_namespaces(settings: &Settings) -> LabelSelector {
    LabelSelector {
        match_expressions: Some(vec![LabelSelectorRequirement {
            key: NAMESPACE_NAME_LABEL.to_owned(),
            operator: "NotIn".to_owned(),
            values: Some(vec![KUBE_SYSTEM.to_owned(), settings.namespace.clone()]),
        }]),
        ..LabelSelector::default()
    }
}
