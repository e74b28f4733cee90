//! Roles and who has them.

use crate::access::Grant;
use crate::names::{OPERATOR, SETTINGS, WEBHOOK_RIGHTS, labels, metadata};
use crate::rights::{self, Right};
use crate::settings::{Certificates, Settings};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};

const RBAC: &str = "rbac.authorization.k8s.io";

/// Whom the operator runs as. Only its own pods ask for a token.
pub fn service_account(settings: &Settings) -> ServiceAccount {
    ServiceAccount {
        metadata: metadata(OPERATOR, Some(&settings.namespace)),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

/// What reconciling caches takes, in all namespaces.
pub fn caches(settings: &Settings) -> (ClusterRole, ClusterRoleBinding) {
    cluster_role(settings, OPERATOR, &rights::caches())
}

/// What leader election takes.
pub fn leader_election(settings: &Settings) -> (Role, RoleBinding) {
    role(settings, OPERATOR, &rights::leader_election())
}

/// What following the administrator's settings takes.
pub fn settings(settings: &Settings) -> (Role, RoleBinding) {
    role(settings, SETTINGS, &rights::settings())
}

/// What managing the webhook's certificate takes.
pub fn certificate(settings: &Settings) -> (Role, RoleBinding) {
    role(settings, WEBHOOK_RIGHTS, &rights::certificate())
}

/// What publishing the CA of a managed certificate takes.
pub fn publication(settings: &Settings) -> (ClusterRole, ClusterRoleBinding) {
    cluster_role(settings, WEBHOOK_RIGHTS, &rights::publication())
}

/// What becomes part of the ClusterRole `view`, and by that of `edit` and `admin`.
pub fn view() -> ClusterRole {
    aggregated("orascache-view", &["rbac.authorization.k8s.io/aggregate-to-view"], &rights::viewing())
}

/// What becomes part of the ClusterRoles `edit` and `admin`.
pub fn edit() -> ClusterRole {
    let labels =
        ["rbac.authorization.k8s.io/aggregate-to-edit", "rbac.authorization.k8s.io/aggregate-to-admin"];
    aggregated("orascache-edit", &labels, &rights::editing())
}

/// Everything that the operator's ServiceAccount is granted by its roles.
pub fn granted(settings: &Settings) -> Vec<Grant> {
    let everywhere = |rights: Vec<Right>| Grant { namespace: None, rules: rules(&rights) };
    let at_home =
        |rights: Vec<Right>| Grant { namespace: Some(settings.namespace.clone()), rules: rules(&rights) };
    let mut granted =
        vec![everywhere(rights::caches()), at_home(rights::leader_election()), at_home(rights::settings())];
    if settings.certificates == Certificates::Managed {
        granted.extend([at_home(rights::certificate()), everywhere(rights::publication())]);
    }
    granted
}

fn rules(rights: &[Right]) -> Vec<PolicyRule> {
    rights.iter().map(Right::rule).collect()
}

fn aggregated(name: &str, aggregate_to: &[&str], rights: &[Right]) -> ClusterRole {
    let mut metadata = metadata(name, None);
    for label in aggregate_to {
        metadata.labels.get_or_insert_default().extend(labels(&[(label, "true")]));
    }
    ClusterRole { metadata, rules: Some(rules(rights)), aggregation_rule: None }
}

fn cluster_role(settings: &Settings, name: &str, rights: &[Right]) -> (ClusterRole, ClusterRoleBinding) {
    let role =
        ClusterRole { metadata: metadata(name, None), rules: Some(rules(rights)), aggregation_rule: None };
    let binding = ClusterRoleBinding {
        metadata: metadata(name, None),
        role_ref: reference("ClusterRole", name),
        subjects: Some(vec![operator(settings)]),
    };
    (role, binding)
}

fn role(settings: &Settings, name: &str, rights: &[Right]) -> (Role, RoleBinding) {
    let role = Role { metadata: metadata(name, Some(&settings.namespace)), rules: Some(rules(rights)) };
    let binding = RoleBinding {
        metadata: metadata(name, Some(&settings.namespace)),
        role_ref: reference("Role", name),
        subjects: Some(vec![operator(settings)]),
    };
    (role, binding)
}

fn reference(kind: &str, name: &str) -> RoleRef {
    RoleRef { api_group: Some(RBAC.to_owned()), kind: kind.to_owned(), name: name.to_owned() }
}

fn operator(settings: &Settings) -> Subject {
    Subject {
        kind: "ServiceAccount".to_owned(),
        name: OPERATOR.to_owned(),
        namespace: Some(settings.namespace.clone()),
        ..Subject::default()
    }
}

#[cfg(test)]
mod tests {
    use super::{edit, granted, view};
    use crate::access::{Request, permits};
    use crate::settings::{Certificates, Settings};

    fn all_rules() -> Vec<k8s_openapi::api::rbac::v1::PolicyRule> {
        let settings = Settings::default();
        let own = granted(&settings).into_iter().flat_map(|grant| grant.rules);
        own.chain([view(), edit()].into_iter().flat_map(|role| role.rules.unwrap_or_default())).collect()
    }

    #[test]
    fn nothing_is_granted_by_a_wildcard() {
        for rule in all_rules() {
            let parts = [&rule.api_groups, &rule.resources, &Some(rule.verbs.clone())];
            for text in parts.into_iter().flatten().flatten() {
                assert!(!text.contains('*'), "{rule:?}");
            }
            assert!(rule.non_resource_urls.is_none());
        }
    }

    #[test]
    fn what_the_operator_may_not_do() {
        let granted = granted(&Settings::default());
        let may = |verb, group, resource, name| {
            let request =
                Request { verb, group, resource, name, namespace: Some("team"), ..Request::default() };
            permits(&granted, &request)
        };
        for (group, resource) in [
            ("", "pods"),
            ("batch", "jobs"),
            ("", "configmaps"),
            ("", "serviceaccounts"),
            ("apps", "deployments"),
        ] {
            for verb in ["get", "list", "watch", "create", "update", "patch", "delete"] {
                assert!(!may(verb, group, resource, Some("x")), "{verb} {resource}");
            }
        }
        assert!(may("patch", "apps", "statefulsets", Some("x")));
        assert!(!may("update", "apps", "statefulsets", Some("x")));
        assert!(!may("delete", "", "persistentvolumeclaims", Some("x")));
        assert!(!may("deletecollection", "", "secrets", None));
        assert!(!may("patch", "cache.converged-computing.github.io", "orascaches", Some("x")));
        assert!(!may("create", "coordination.k8s.io", "leases", None), "only at home");
        assert!(!may("create", "rbac.authorization.k8s.io", "rolebindings", None));
    }

    #[test]
    fn only_its_own_settings_are_read() {
        let granted = granted(&Settings::default());
        let may = |verb, namespace, name| {
            let resource = "configmaps";
            permits(&granted, &Request { verb, resource, namespace, name, ..Request::default() })
        };
        let home = Some(crate::names::NAMESPACE);
        for verb in ["get", "list", "watch"] {
            assert!(may(verb, home, Some("orascache-settings")));
            assert!(!may(verb, home, Some("others")) && !may(verb, home, None));
            assert!(!may(verb, Some("team"), Some("orascache-settings")));
        }
        for verb in ["create", "update", "patch", "delete"] {
            assert!(!may(verb, home, Some("orascache-settings")), "{verb}");
        }
    }

    #[test]
    fn only_managed_certificates_need_rights_on_configurations() {
        let request = |name| Request {
            verb: "patch",
            group: "admissionregistration.k8s.io",
            resource: "mutatingwebhookconfigurations",
            name: Some(name),
            ..Request::default()
        };
        let mut settings = Settings::default();
        assert!(permits(&granted(&settings), &request("orascache")));
        assert!(!permits(&granted(&settings), &request("somebody-elses")));
        settings.certificates = Certificates::CertManager;
        assert!(!permits(&granted(&settings), &request("orascache")));
    }
}
