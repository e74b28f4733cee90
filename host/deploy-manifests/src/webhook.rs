//! Webhook configurations, built from the admission rules of any guest.

use crate::names::{MUTATE_PATH, VALIDATE_PATH};
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1 as api;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use orascache_contract::{AdmissionRule, FailurePolicy, MatchCondition, Operation};

/// Where the API server sends reviews.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReviewEndpoint {
    /// A Service of the cluster.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its port.
        port: i32,
    },
    /// `https://host:port`, for API servers that reach no Service. The paths are added to it.
    Url(String),
}

/// Which objects of a resource are reviewed: `scope` of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleScope {
    /// Objects in namespaces only.
    Namespaced,
    /// All objects.
    All,
}

/// What webhook configurations contain beside the rules of the guest.
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookParameters {
    /// Metadata of both configurations: name and labels.
    pub metadata: ObjectMeta,
    /// Completes the names of webhooks, which are domain names: the rule `pods` becomes
    /// `pods.<domain>`.
    pub domain: String,
    /// Where the API server sends reviews.
    pub endpoint: ReviewEndpoint,
    /// CAs that the API server trusts, PEM. None if something else writes them later, such as the
    /// operator itself or cert-manager.
    pub ca_bundle: Option<Vec<u8>>,
    /// Namespaces whose objects are reviewed.
    pub namespaces: LabelSelector,
    /// Which objects of a resource are reviewed.
    pub scope: RuleScope,
    /// How long the API server waits for an answer, in seconds, 1 to 30.
    pub timeout_seconds: i32,
}

/// The webhook configurations of a guest. None if the guest has no rules of that kind.
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookConfigurations {
    /// Webhooks whose answers may carry a patch.
    pub mutating: Option<api::MutatingWebhookConfiguration>,
    /// Webhooks that only allow or refuse.
    pub validating: Option<api::ValidatingWebhookConfiguration>,
}

/// Builds the configurations of a guest's rules, in their order.
pub fn configurations(rules: &[AdmissionRule], parameters: &WebhookParameters) -> WebhookConfigurations {
    let of = |mutating: bool| rules.iter().filter(move |rule| rule.mutating == mutating);
    let mutating: Vec<_> = of(true).map(|rule| mutating_webhook(rule, parameters)).collect();
    let validating: Vec<_> = of(false).map(|rule| validating_webhook(rule, parameters)).collect();
    WebhookConfigurations {
        mutating: (!mutating.is_empty()).then(|| api::MutatingWebhookConfiguration {
            metadata: parameters.metadata.clone(),
            webhooks: Some(mutating),
        }),
        validating: (!validating.is_empty()).then(|| api::ValidatingWebhookConfiguration {
            metadata: parameters.metadata.clone(),
            webhooks: Some(validating),
        }),
    }
}

fn mutating_webhook(rule: &AdmissionRule, parameters: &WebhookParameters) -> api::MutatingWebhook {
    api::MutatingWebhook {
        name: format!("{}.{}", rule.name, parameters.domain),
        rules: Some(vec![rule_with_operations(rule, parameters.scope)]),
        match_conditions: match_conditions(&rule.conditions),
        failure_policy: Some(failure_policy(rule.on_failure)),
        client_config: client_config(parameters, MUTATE_PATH),
        namespace_selector: Some(parameters.namespaces.clone()),
        match_policy: Some("Equivalent".to_owned()),
        reinvocation_policy: Some(if rule.reinvoke { "IfNeeded" } else { "Never" }.to_owned()),
        side_effects: "None".to_owned(),
        admission_review_versions: vec!["v1".to_owned()],
        timeout_seconds: Some(parameters.timeout_seconds),
        ..api::MutatingWebhook::default()
    }
}

/// One webhook that only allows or refuses.
pub(crate) fn validating_webhook(
    rule: &AdmissionRule,
    parameters: &WebhookParameters,
) -> api::ValidatingWebhook {
    api::ValidatingWebhook {
        name: format!("{}.{}", rule.name, parameters.domain),
        rules: Some(vec![rule_with_operations(rule, parameters.scope)]),
        match_conditions: match_conditions(&rule.conditions),
        failure_policy: Some(failure_policy(rule.on_failure)),
        client_config: client_config(parameters, VALIDATE_PATH),
        namespace_selector: Some(parameters.namespaces.clone()),
        match_policy: Some("Equivalent".to_owned()),
        side_effects: "None".to_owned(),
        admission_review_versions: vec!["v1".to_owned()],
        timeout_seconds: Some(parameters.timeout_seconds),
        ..api::ValidatingWebhook::default()
    }
}

fn rule_with_operations(rule: &AdmissionRule, scope: RuleScope) -> api::RuleWithOperations {
    let operation = |operation: &Operation| match operation {
        Operation::Create => "CREATE".to_owned(),
        Operation::Update => "UPDATE".to_owned(),
        Operation::Delete => "DELETE".to_owned(),
    };
    let scope = match scope {
        RuleScope::Namespaced => "Namespaced",
        RuleScope::All => "*",
    };
    api::RuleWithOperations {
        operations: Some(rule.operations.iter().map(operation).collect()),
        api_groups: Some(vec![rule.group.clone()]),
        api_versions: Some(rule.versions.clone()),
        resources: Some(rule.resources.clone()),
        scope: Some(scope.to_owned()),
    }
}

fn match_conditions(conditions: &[MatchCondition]) -> Option<Vec<api::MatchCondition>> {
    let convert = |condition: &MatchCondition| api::MatchCondition {
        name: condition.name.clone(),
        expression: condition.expression.clone(),
    };
    (!conditions.is_empty()).then(|| conditions.iter().map(convert).collect())
}

fn failure_policy(policy: FailurePolicy) -> String {
    match policy {
        FailurePolicy::Fail => "Fail",
        FailurePolicy::Ignore => "Ignore",
    }
    .to_owned()
}

fn client_config(parameters: &WebhookParameters, path: &str) -> api::WebhookClientConfig {
    let (service, url) = match &parameters.endpoint {
        ReviewEndpoint::Service { namespace, name, port } => {
            let service = api::ServiceReference {
                namespace: namespace.clone(),
                name: name.clone(),
                path: Some(path.to_owned()),
                port: Some(*port),
            };
            (Some(service), None)
        }
        ReviewEndpoint::Url(base) => (None, Some(format!("{}{path}", base.trim_end_matches('/')))),
    };
    api::WebhookClientConfig { ca_bundle: parameters.ca_bundle.clone().map(ByteString), service, url }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn rule(mutating: bool) -> AdmissionRule {
        AdmissionRule {
            name: "widgets".to_owned(),
            mutating,
            group: "example.com".to_owned(),
            versions: vec!["v1".to_owned(), "v2".to_owned()],
            resources: vec!["widgets".to_owned(), "widgets/status".to_owned()],
            operations: vec![Operation::Create, Operation::Update, Operation::Delete],
            conditions: Vec::new(),
            on_failure: FailurePolicy::Fail,
            reinvoke: false,
        }
    }

    fn parameters() -> WebhookParameters {
        WebhookParameters {
            metadata: ObjectMeta { name: Some("demo".to_owned()), ..ObjectMeta::default() },
            domain: "example.com".to_owned(),
            endpoint: ReviewEndpoint::Url("https://127.0.0.1:9443/".to_owned()),
            ca_bundle: Some(b"PEM".to_vec()),
            namespaces: LabelSelector::default(),
            scope: RuleScope::All,
            timeout_seconds: 3,
        }
    }

    #[test]
    fn a_rule_becomes_a_webhook() {
        let built = configurations(&[rule(true)], &parameters());
        assert_eq!(built.validating, None);
        let built: Value = serde_json::to_value(built.mutating).unwrap();
        let expected = json!({
            "name": "widgets.example.com",
            "rules": [{
                "apiGroups": ["example.com"],
                "apiVersions": ["v1", "v2"],
                "operations": ["CREATE", "UPDATE", "DELETE"],
                "resources": ["widgets", "widgets/status"],
                "scope": "*",
            }],
            "clientConfig": {"url": "https://127.0.0.1:9443/mutate", "caBundle": "UEVN"},
            "failurePolicy": "Fail",
            "namespaceSelector": {},
            "matchPolicy": "Equivalent",
            "reinvocationPolicy": "Never",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": 3,
        });
        assert_eq!(built["metadata"]["name"], "demo");
        assert_eq!(built["webhooks"], json!([expected]));
    }

    #[test]
    fn rules_that_carry_no_patch_become_a_validating_configuration() {
        let built = configurations(&[rule(false)], &parameters());
        assert_eq!(built.mutating, None);
        let built: Value = serde_json::to_value(built.validating).unwrap();
        assert_eq!(built["webhooks"][0]["clientConfig"]["url"], "https://127.0.0.1:9443/validate");
        assert!(built["webhooks"][0].get("reinvocationPolicy").is_none());
    }

    #[test]
    fn a_guest_without_rules_has_no_configurations() {
        let none = WebhookConfigurations { mutating: None, validating: None };
        assert_eq!(configurations(&[], &parameters()), none);
    }
}
