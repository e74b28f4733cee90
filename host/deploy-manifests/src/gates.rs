//! What an operator needs that removes scheduling gates: rights on pods, a policy that bounds them,
//! and ways to registries.
//!
//! RBAC grants `patch` on whole pods. The ValidatingAdmissionPolicy takes back what the operator
//! does not need: of a pod it may remove our gate and our label, and set our annotation.

use crate::names::{GATES, metadata, pod_selector};
use crate::network::port;
use crate::options::ManifestOptions;
use crate::reasons;
use crate::right::{Right, RightScope, RoleRights};
use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, MatchResources, NamedRuleWithOperations, ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding, ValidatingAdmissionPolicyBindingSpec, ValidatingAdmissionPolicySpec,
    Validation,
};
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicySpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use orascache_api::steps::{GATED_LABEL, INPUT_WAIT_REMAINING_ANNOTATION, INPUTS_GATE};

/// Ports of registries: the caches' own, and that of registries with TLS.
const REGISTRY_PORTS: [i32; 2] = [5000, 443];

/// Fields of a pod's spec but for its gates (core/v1 PodSpec of Kubernetes 1.36). A test compares
/// them with the type.
const SPEC_FIELDS: [&str; 41] = [
    "activeDeadlineSeconds",
    "affinity",
    "automountServiceAccountToken",
    "containers",
    "dnsConfig",
    "dnsPolicy",
    "enableServiceLinks",
    "ephemeralContainers",
    "hostAliases",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "hostUsers",
    "hostname",
    "hostnameOverride",
    "imagePullSecrets",
    "initContainers",
    "nodeName",
    "nodeSelector",
    "os",
    "overhead",
    "preemptionPolicy",
    "priority",
    "priorityClassName",
    "readinessGates",
    "resourceClaims",
    "resources",
    "restartPolicy",
    "runtimeClassName",
    "schedulerName",
    "securityContext",
    "serviceAccount",
    "serviceAccountName",
    "setHostnameAsFQDN",
    "shareProcessNamespace",
    "subdomain",
    "terminationGracePeriodSeconds",
    "tolerations",
    "topologySpreadConstraints",
    "volumes",
    "schedulingGroup",
];

/// The role that an operator needs only if it removes gates.
pub fn role(options: &ManifestOptions) -> RoleRights {
    let (scope, purpose) = if options.namespaces.is_empty() {
        (RightScope::Cluster, "In all namespaces, with gates only".to_owned())
    } else {
        let names = options.namespaces.join(", ");
        let purpose = format!("In each of the namespaces {names}, with gates only");
        (RightScope::Namespaces(options.namespaces.clone()), purpose)
    };
    let pods = Right::new("", "pods", &["list", "watch", "patch"], reasons::GATED_PODS);
    RoleRights { name: GATES, file: "roles.yaml", purpose, scope, rights: vec![pods] }
}

/// Lets the operator change nothing of a pod but our gate, our label and our annotation.
pub fn admission_policy(options: &ManifestOptions) -> ValidatingAdmissionPolicy {
    // Whatever name kustomize gives the operator's account: no other one belongs there.
    let accounts = format!("system:serviceaccount:{}:", options.namespace);
    let list = |item: &str| Some(vec![item.to_owned()]);
    ValidatingAdmissionPolicy {
        metadata: metadata(GATES, None),
        spec: Some(ValidatingAdmissionPolicySpec {
            failure_policy: Some("Fail".to_owned()),
            match_constraints: Some(MatchResources {
                resource_rules: Some(vec![NamedRuleWithOperations {
                    api_groups: list(""),
                    api_versions: list("v1"),
                    operations: list("UPDATE"),
                    resources: list("pods"),
                    ..NamedRuleWithOperations::default()
                }]),
                ..MatchResources::default()
            }),
            match_conditions: Some(vec![MatchCondition {
                name: "is-the-operator".to_owned(),
                expression: format!("request.userInfo.username.startsWith('{accounts}')"),
            }]),
            validations: Some(
                validations()
                    .into_iter()
                    .map(|(expression, message)| Validation {
                        expression,
                        message: Some(message.to_owned()),
                        reason: Some("Forbidden".to_owned()),
                        ..Validation::default()
                    })
                    .collect(),
            ),
            ..ValidatingAdmissionPolicySpec::default()
        }),
        ..ValidatingAdmissionPolicy::default()
    }
}

/// Puts the policy into force.
pub fn admission_policy_binding() -> ValidatingAdmissionPolicyBinding {
    ValidatingAdmissionPolicyBinding {
        metadata: metadata(GATES, None),
        spec: ValidatingAdmissionPolicyBindingSpec {
            policy_name: GATES.to_owned(),
            validation_actions: vec!["Deny".to_owned()],
            ..ValidatingAdmissionPolicyBindingSpec::default()
        },
    }
}

/// Admits the operator to registries. Policies add up.
pub fn network_policy(options: &ManifestOptions) -> NetworkPolicy {
    let ports = REGISTRY_PORTS.map(|number| port("TCP", IntOrString::Int(number))).to_vec();
    NetworkPolicy {
        metadata: metadata(GATES, Some(&options.namespace)),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(pod_selector()),
            policy_types: Some(vec!["Egress".to_owned()]),
            egress: Some(vec![NetworkPolicyEgressRule {
                ports: Some(ports),
                ..NetworkPolicyEgressRule::default()
            }]),
            ..NetworkPolicySpec::default()
        }),
    }
}

/// What must be true of a change, in CEL over `object` and `oldObject`, and what is said otherwise.
fn validations() -> Vec<(String, &'static str)> {
    vec![
        (gates(), "The operator may remove its own scheduling gate, and no other one."),
        (labels(), "The operator may remove its own label, and change no other one."),
        (annotations(), "The operator may write its own annotation, and no other one."),
        (
            [same("metadata", "finalizers"), same("metadata", "ownerReferences")].join(" && "),
            "The operator may not change owners and finalizers of pods.",
        ),
        (
            SPEC_FIELDS.map(|field| same("spec", field)).join(" && "),
            "The operator may not change the spec of pods but for its own scheduling gate.",
        ),
    ]
}

fn gates() -> String {
    let (now, before) = (
        or_empty("object.spec", "schedulingGates", "[]"),
        or_empty("oldObject.spec", "schedulingGates", "[]"),
    );
    format!("{now} == {before} || {now} == {before}.filter(gate, gate.name != '{INPUTS_GATE}')")
}

fn labels() -> String {
    let (now, before) = maps("labels");
    format!(
        "{now}.all(key, key in {before} && {now}[key] == {before}[key]) && {before}.all(key, key == '{GATED_LABEL}' || key in {now})"
    )
}

fn annotations() -> String {
    let (now, before) = maps("annotations");
    let ours = INPUT_WAIT_REMAINING_ANNOTATION;
    format!(
        "{now}.all(key, (key in {before} && {now}[key] == {before}[key]) || (key == '{ours}' && {now}[key].matches('^[0-9]+$'))) && {before}.all(key, key in {now})"
    )
}

/// A map of the metadata, as it will be and as it was.
fn maps(field: &str) -> (String, String) {
    (or_empty("object.metadata", field, "{}"), or_empty("oldObject.metadata", field, "{}"))
}

fn or_empty(of: &str, field: &str, empty: &str) -> String {
    format!("(has({of}.{field}) ? {of}.{field} : {empty})")
}

/// Whether a field is as it was.
fn same(part: &str, field: &str) -> String {
    let (now, before) = (format!("object.{part}.{field}"), format!("oldObject.{part}.{field}"));
    format!("(has({now}) ? has({before}) && {now} == {before} : !has({before}))")
}

#[cfg(test)]
mod tests {
    use super::SPEC_FIELDS;
    use k8s_openapi::api::core::v1::PodSpec;
    use schemars::JsonSchema;
    use std::collections::BTreeSet;

    #[test]
    fn every_field_of_a_spec_but_the_gates_is_compared() {
        let schema = PodSpec::json_schema(&mut schemars::SchemaGenerator::default());
        let properties = schema.as_value()["properties"].as_object().expect("properties");
        let mut fields: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
        assert!(fields.remove("schedulingGates"));
        assert_eq!(SPEC_FIELDS.into_iter().collect::<BTreeSet<_>>(), fields);
    }
}
