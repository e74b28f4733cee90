//! The policies by which Kubewarden makes the same decisions as the webhooks, and the rights of its
//! policy server.
//!
//! Kubewarden has one failure policy and one list of conditions a policy, so that the guest's rules
//! become two policies over one module: what must not happen without a decision, and what goes on.

use crate::error::ManifestError;
use crate::names::metadata;
use crate::operator_webhooks::reviewed_namespaces;
use crate::options::ManifestOptions;
use crate::values::to_value;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, RoleRef, Subject};
use orascache_contract::{AdmissionRule, Description, FailurePolicy, Operation};
use serde_json::{Value, json};

/// Where the policy is published.
pub const MODULE: &str = "ghcr.io/converged-computing/orascache/policies/orascache-steps";
/// Name of the policies and of the role.
const NAME: &str = "orascache-steps";
/// The policy server that a default installation of Kubewarden runs, and its namespace.
const POLICY_SERVER: &str = "policy-server";
const KUBEWARDEN: &str = "kubewarden";
/// The kinds that the policy looks up.
const LOOKED_UP: [(&str, &str, &str); 2] = [
    ("cache.converged-computing.github.io/v1alpha1", "OrasCache", "orascaches"),
    ("v1", "Namespace", "namespaces"),
];

/// The policies: creations, which are refused while there is no answer, and updates, which go on.
///
/// # Errors
/// When an object cannot be written.
pub fn policies(options: &ManifestOptions, description: &Description) -> Result<Vec<Value>, ManifestError> {
    [(FailurePolicy::Fail, NAME.to_owned()), (FailurePolicy::Ignore, format!("{NAME}-updates"))]
        .into_iter()
        .map(|(on_failure, name)| {
            let rules: Vec<&AdmissionRule> =
                description.admission.iter().filter(|rule| rule.on_failure == on_failure).collect();
            policy(&name, on_failure, &rules, options)
        })
        .collect()
}

fn policy(
    name: &str,
    on_failure: FailurePolicy,
    rules: &[&AdmissionRule],
    options: &ManifestOptions,
) -> Result<Value, ManifestError> {
    let module = options.mirrored(&format!("{MODULE}:v{}", env!("CARGO_PKG_VERSION")));
    let resources =
        LOOKED_UP.map(|(api_version, kind, _)| json!({"apiVersion": api_version, "kind": kind})).to_vec();
    Ok(json!({
        "apiVersion": "policies.kubewarden.io/v1",
        "kind": "ClusterAdmissionPolicy",
        "metadata": to_value(&metadata(name, None))?,
        "spec": {
            "module": format!("registry://{module}"),
            "mutating": true,
            "mode": "protect",
            // A running pod is not rewritten any more, so that reports about it would be of no use.
            "backgroundAudit": false,
            "failurePolicy": match on_failure {
                FailurePolicy::Fail => "Fail",
                FailurePolicy::Ignore => "Ignore",
            },
            "timeoutSeconds": 5,
            "matchPolicy": "Equivalent",
            "namespaceSelector": to_value(&reviewed_namespaces(options))?,
            "rules": merged(rules),
            "matchConditions": [{"name": "asks", "expression": condition(rules)}],
            "contextAwareResources": resources,
            "settings": {},
        },
    }))
}

/// The rules for each resource, with the operations of all of them.
fn merged(rules: &[&AdmissionRule]) -> Vec<Value> {
    let mut merged: Vec<(&AdmissionRule, Vec<Operation>)> = Vec::new();
    for rule in rules {
        let same = |other: &&mut (&AdmissionRule, Vec<Operation>)| {
            (&other.0.group, &other.0.versions, &other.0.resources)
                == (&rule.group, &rule.versions, &rule.resources)
        };
        match merged.iter_mut().find(same) {
            Some((_, operations)) => operations.extend(&rule.operations),
            None => merged.push((rule, rule.operations.clone())),
        }
    }
    merged
        .into_iter()
        .map(|(rule, operations)| {
            let operations = [Operation::Create, Operation::Update, Operation::Delete]
                .into_iter()
                .filter(|operation| operations.contains(operation))
                .map(verb)
                .collect::<Vec<_>>();
            json!({
                "apiGroups": [rule.group],
                "apiVersions": rule.versions,
                "resources": rule.resources,
                "operations": operations,
            })
        })
        .collect()
}

fn verb(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "CREATE",
        Operation::Update => "UPDATE",
        Operation::Delete => "DELETE",
    }
}

/// Holds where all conditions of one of the rules hold that are for the request.
fn condition(rules: &[&AdmissionRule]) -> String {
    let alternatives = rules.iter().map(|rule| {
        let resources = rule.resources.iter().map(|resource| {
            let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
            format!(
                "(request.resource.resource == '{resource}' && (has(request.subResource) ? request.subResource : '') == '{subresource}')"
            )
        });
        let resources = resources.collect::<Vec<_>>().join(" || ");
        let operations: Vec<String> =
            rule.operations.iter().map(|operation| format!("'{}'", verb(*operation))).collect();
        let mut all = vec![
            format!("request.resource.group == '{}' && ({resources})", rule.group),
            format!("request.operation in [{}]", operations.join(", ")),
        ];
        all.extend(rule.conditions.iter().map(|condition| format!("({})", condition.expression)));
        format!("({})", all.join(" && "))
    });
    alternatives.collect::<Vec<_>>().join(" || ")
}

/// The rights that the policy server needs for the policies, in a default installation of Kubewarden.
///
/// # Errors
/// When an object cannot be written.
pub fn rights() -> Result<Vec<Value>, ManifestError> {
    let rules = LOOKED_UP.map(|(api_version, _, plural)| PolicyRule {
        api_groups: Some(vec![api_version.split_once('/').map_or("", |(group, _)| group).to_owned()]),
        resources: Some(vec![plural.to_owned()]),
        verbs: vec!["get".to_owned()],
        ..PolicyRule::default()
    });
    let role =
        ClusterRole { metadata: metadata(NAME, None), rules: Some(rules.to_vec()), aggregation_rule: None };
    let binding = ClusterRoleBinding {
        metadata: metadata(NAME, None),
        role_ref: RoleRef {
            api_group: Some("rbac.authorization.k8s.io".to_owned()),
            kind: "ClusterRole".to_owned(),
            name: NAME.to_owned(),
        },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".to_owned(),
            name: POLICY_SERVER.to_owned(),
            namespace: Some(KUBEWARDEN.to_owned()),
            ..Subject::default()
        }]),
    };
    Ok(vec![to_value(&role)?, to_value(&binding)?])
}
