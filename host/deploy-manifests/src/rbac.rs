//! The ServiceAccount, its roles, and their bindings.

use crate::access::Grant;
use crate::error::ManifestError;
use crate::names::{OPERATOR, labels, metadata};
use crate::options::ManifestOptions;
use crate::rights::{Right, RightScope, RoleRights, operator_roles};
use crate::values::to_value;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use orascache_contract::Description;
use serde_json::Value;

const RBAC: &str = "rbac.authorization.k8s.io";

/// The account that the operator runs as. Only its own pods mount a token.
pub fn service_account(options: &ManifestOptions) -> ServiceAccount {
    ServiceAccount {
        metadata: metadata(OPERATOR, Some(&options.namespace)),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

/// The objects of one role: the role and its binding; one pair per namespace for
/// [`RightScope::Namespaces`]; the role alone for [`RightScope::Aggregated`].
///
/// # Errors
/// When an object cannot be serialized.
pub fn role_objects(role: &RoleRights, options: &ManifestOptions) -> Result<Vec<Value>, ManifestError> {
    let rules = rules(&role.rights);
    match &role.scope {
        RightScope::Cluster => {
            let binding = ClusterRoleBinding {
                metadata: metadata(role.name, None),
                role_ref: role_ref("ClusterRole", role.name),
                subjects: Some(vec![operator(options)]),
            };
            Ok(vec![to_value(&cluster_role(role.name, &[], rules))?, to_value(&binding)?])
        }
        RightScope::Namespaces(namespaces) => {
            let mut objects = Vec::new();
            for namespace in namespaces {
                let metadata = metadata(role.name, Some(namespace));
                objects.push(to_value(&Role { metadata: metadata.clone(), rules: Some(rules.clone()) })?);
                objects.push(to_value(&RoleBinding {
                    metadata,
                    role_ref: role_ref("Role", role.name),
                    subjects: Some(vec![operator(options)]),
                })?);
            }
            Ok(objects)
        }
        RightScope::Aggregated(to) => Ok(vec![to_value(&cluster_role(role.name, to, rules))?]),
    }
}

/// Everything that the roles grant to the operator's ServiceAccount.
pub fn granted(options: &ManifestOptions, description: &Description) -> Vec<Grant> {
    let grants = |role: RoleRights| {
        let rules = rules(&role.rights);
        match role.scope {
            RightScope::Cluster => vec![Grant { namespace: None, rules }],
            RightScope::Namespaces(namespaces) => {
                let grant = |namespace| Grant { namespace: Some(namespace), rules: rules.clone() };
                namespaces.into_iter().map(grant).collect()
            }
            // Aggregated roles are for people. No binding grants them to the operator.
            RightScope::Aggregated(_) => Vec::new(),
        }
    };
    operator_roles(options, description).into_iter().flat_map(grants).collect()
}

fn rules(rights: &[Right]) -> Vec<PolicyRule> {
    rights.iter().map(Right::rule).collect()
}

fn cluster_role(name: &str, aggregate_to: &[&str], rules: Vec<PolicyRule>) -> ClusterRole {
    let mut metadata = metadata(name, None);
    for label in aggregate_to {
        metadata.labels.get_or_insert_default().extend(labels(&[(label, "true")]));
    }
    ClusterRole { metadata, rules: Some(rules), aggregation_rule: None }
}

fn role_ref(kind: &str, name: &str) -> RoleRef {
    RoleRef { api_group: Some(RBAC.to_owned()), kind: kind.to_owned(), name: name.to_owned() }
}

fn operator(options: &ManifestOptions) -> Subject {
    Subject {
        kind: "ServiceAccount".to_owned(),
        name: OPERATOR.to_owned(),
        namespace: Some(options.namespace.clone()),
        ..Subject::default()
    }
}

#[cfg(test)]
mod tests {
    use super::granted;
    use crate::access::{AccessRequest, permits};
    use crate::options::{CertificateSource, ManifestOptions};
    use crate::rights::all_roles;
    use orascache_core::describe;

    #[test]
    fn no_right_has_a_wildcard() {
        for role in all_roles(&ManifestOptions::default(), &describe()) {
            for rule in role.rights.iter().map(|right| right.rule()) {
                let parts = [&rule.api_groups, &rule.resources, &Some(rule.verbs.clone())];
                for text in parts.into_iter().flatten().flatten() {
                    assert!(!text.contains('*'), "{rule:?}");
                }
                assert!(rule.non_resource_urls.is_none());
            }
        }
    }

    #[test]
    fn the_operator_may_do_nothing_else() {
        let granted = granted(&ManifestOptions::default(), &describe());
        let may = |verb, group, resource, name| {
            let request = AccessRequest {
                verb,
                group,
                resource,
                name,
                namespace: Some("team"),
                ..AccessRequest::default()
            };
            permits(&granted, &request)
        };
        for (group, resource) in
            [("", "pods"), ("", "configmaps"), ("", "serviceaccounts"), ("apps", "deployments")]
        {
            for verb in ["get", "list", "watch", "create", "update", "patch", "delete"] {
                // The status says what keeps registry pods from being ready.
                let reads_pods = resource == "pods" && ["list", "watch"].contains(&verb);
                assert_eq!(may(verb, group, resource, Some("x")), reads_pods, "{verb} {resource}");
            }
        }
        for verb in ["patch", "delete"] {
            assert!(may(verb, "policy", "poddisruptionbudgets", Some("x")));
            assert!(may(verb, "monitoring.coreos.com", "servicemonitors", Some("x")));
            assert!(may(verb, "cert-manager.io", "certificates", Some("x")));
            assert!(!may(verb, "monitoring.coreos.com", "prometheuses", Some("x")));
        }
        assert!(!may("patch", "cache.converged-computing.github.io", "orascaches/scale", Some("x")));
        assert!(may("patch", "apps", "statefulsets", Some("x")));
        assert!(!may("update", "apps", "statefulsets", Some("x")));
        assert!(may("delete", "batch", "jobs", Some("x")) && may("patch", "batch", "cronjobs", Some("x")));
        assert!(
            !may("update", "batch", "jobs", Some("x")) && !may("deletecollection", "batch", "jobs", None)
        );
        assert!(!may("patch", "batch", "jobs/status", Some("x")));
        assert!(!may("delete", "", "persistentvolumeclaims", Some("x")));
        assert!(!may("deletecollection", "", "secrets", None));
        assert!(!may("patch", "cache.converged-computing.github.io", "orascaches", Some("x")));
        assert!(!may("create", "coordination.k8s.io", "leases", None), "only in its own namespace");
        assert!(!may("create", "rbac.authorization.k8s.io", "rolebindings", None));
    }

    #[test]
    fn listed_namespaces_bound_every_right_on_users_objects() {
        let namespaces = ["team-a", "team-b"].map(str::to_owned).to_vec();
        let options = ManifestOptions { namespaces, ..ManifestOptions::default() };
        let granted = granted(&options, &describe());
        let may = |verb, group, resource, namespace, name| {
            let request =
                AccessRequest { verb, group, resource, namespace, name, ..AccessRequest::default() };
            permits(&granted, &request)
        };
        let group = "cache.converged-computing.github.io";
        for (group, resource) in [(group, "orascaches"), ("", "secrets"), ("apps", "statefulsets")] {
            for namespace in ["team-a", "team-b"] {
                assert!(may("list", group, resource, Some(namespace), None), "{resource} in {namespace}");
            }
            assert!(!may("list", group, resource, Some("other"), None), "{resource}");
            assert!(!may("list", group, resource, None, None), "{resource} across namespaces");
        }
        for namespace in ["team-a", "other"] {
            let listed = namespace == "team-a";
            assert_eq!(may("create", "", "secrets", Some(namespace), None), listed);
            // Requests for a Namespace have its name as their namespace too.
            assert_eq!(may("get", "", "namespaces", Some(namespace), Some(namespace)), listed);
        }
        let cluster_wide: Vec<_> = granted.iter().filter(|grant| grant.namespace.is_none()).collect();
        let rules = cluster_wide.iter().flat_map(|grant| &grant.rules);
        for rule in rules {
            assert!(rule.resource_names.as_ref().is_some_and(|names| !names.is_empty()), "{rule:?}");
        }
    }

    #[test]
    fn only_its_own_settings_are_read() {
        let granted = granted(&ManifestOptions::default(), &describe());
        let may = |verb, namespace, name| {
            let resource = "configmaps";
            permits(&granted, &AccessRequest { verb, resource, namespace, name, ..AccessRequest::default() })
        };
        let own = Some(crate::names::NAMESPACE);
        for verb in ["get", "list", "watch"] {
            assert!(may(verb, own, Some("orascache-settings")));
            assert!(!may(verb, own, Some("others")) && !may(verb, own, None));
            assert!(!may(verb, Some("team"), Some("orascache-settings")));
        }
        for verb in ["create", "update", "patch", "delete"] {
            assert!(!may(verb, own, Some("orascache-settings")), "{verb}");
        }
    }

    #[test]
    fn only_managed_certificates_need_rights_on_webhook_configurations() {
        let request = |name| AccessRequest {
            verb: "patch",
            group: "admissionregistration.k8s.io",
            resource: "mutatingwebhookconfigurations",
            name: Some(name),
            ..AccessRequest::default()
        };
        let description = describe();
        let mut options = ManifestOptions::default();
        assert!(permits(&granted(&options, &description), &request("orascache")));
        assert!(!permits(&granted(&options, &description), &request("somebody-elses")));
        options.certificates = CertificateSource::CertManager;
        assert!(!permits(&granted(&options, &description), &request("orascache")));
    }
}
