//! Evaluates RBAC as Kubernetes does, as a pure function.
//!
//! It follows `pkg/apis/rbac/v1/evaluation_helpers.go` and
//! `plugin/pkg/auth/authorizer/rbac/rbac.go` of Kubernetes, and
//! `apiserver/pkg/endpoints/request/requestinfo.go` for the attributes of a request. It does not
//! evaluate requests for paths that are no resources (`/version`, `/openapi/v3`).

use k8s_openapi::api::rbac::v1::PolicyRule;

/// The rules of one role, with the namespace that its binding grants them in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grant {
    /// The namespace of a RoleBinding. None for a ClusterRoleBinding, which grants the rules in all
    /// namespaces.
    pub namespace: Option<String>,
    /// The role's rules.
    pub rules: Vec<PolicyRule>,
}

/// A request for a resource, as the API server's authorizers see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccessRequest<'a> {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `deletecollection`.
    /// Server-side apply is `patch`, and also `create` if the object does not exist.
    pub verb: &'a str,
    /// API group; empty for the core group.
    pub group: &'a str,
    /// Plural resource name.
    pub resource: &'a str,
    /// For example `status`.
    pub subresource: Option<&'a str>,
    /// Namespace of the path. None for requests across namespaces and for cluster-scoped objects.
    pub namespace: Option<&'a str>,
    /// Name of the path. None for collections.
    pub name: Option<&'a str>,
    /// The query parameter `fieldSelector`, decoded.
    pub field_selector: Option<&'a str>,
}

/// Whether any of the grants permits the request.
pub fn permits(grants: &[Grant], request: &AccessRequest<'_>) -> bool {
    grants
        .iter()
        .filter(|grant| grant.namespace.is_none() || grant.namespace.as_deref() == request.namespace)
        .flat_map(|grant| &grant.rules)
        .any(|rule| rule_permits(rule, request))
}

fn rule_permits(rule: &PolicyRule, request: &AccessRequest<'_>) -> bool {
    has_or_all(Some(&rule.verbs), request.verb)
        && has_or_all(rule.api_groups.as_deref(), request.group)
        && matches_resource(rule, request)
        && matches_name(rule, request)
}

/// Whether a list holds the text, or the wildcard.
fn has_or_all(list: Option<&[String]>, text: &str) -> bool {
    list.unwrap_or_default().iter().any(|item| item == "*" || item == text)
}

fn matches_resource(rule: &PolicyRule, request: &AccessRequest<'_>) -> bool {
    let resources = rule.resources.as_deref();
    match request.subresource.filter(|subresource| !subresource.is_empty()) {
        None => has_or_all(resources, request.resource),
        Some(subresource) => {
            has_or_all(resources, &format!("{}/{subresource}", request.resource))
                // A subresource of all resources, such as `*/scale`.
                || resources.unwrap_or_default().iter().any(|item| item.strip_prefix("*/") == Some(subresource))
        }
    }
}

/// A rule without names permits requests for all objects. A rule with names permits no request
/// without a name.
fn matches_name(rule: &PolicyRule, request: &AccessRequest<'_>) -> bool {
    let names = rule.resource_names.as_deref().unwrap_or_default();
    names.is_empty() || request_name(request).is_some_and(|name| names.contains(&name))
}

/// The name that a request is for. Lists and watches have one if they select it.
fn request_name(request: &AccessRequest<'_>) -> Option<String> {
    if let Some(name) = request.name.filter(|name| !name.is_empty()) {
        return Some(name.to_owned());
    }
    if !matches!(request.verb, "list" | "watch") {
        return None;
    }
    request.field_selector.and_then(selected_name).filter(|name| is_path_segment(name))
}

/// The value that a field selector demands of metadata.name.
fn selected_name(selector: &str) -> Option<String> {
    terms(selector).into_iter().find_map(|term| {
        let value = term.strip_prefix("metadata.name")?;
        let value = value.strip_prefix("==").or_else(|| value.strip_prefix('='))?;
        Some(unescaped(value))
    })
}

/// Terms of a field selector, split at commas that are not escaped.
fn terms(selector: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, character) in selector.char_indices() {
        if character == ',' && !escaped {
            terms.push(selector.get(start..at).unwrap_or_default());
            start = at + 1;
        }
        escaped = character == '\\' && !escaped;
    }
    terms.push(selector.get(start..).unwrap_or_default());
    terms
}

fn unescaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.extend(characters.next()),
            other => text.push(other),
        }
    }
    text
}

/// Whether a name can be part of a path; other names are not selected
/// (`apimachinery/pkg/api/validation/path`).
fn is_path_segment(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '%'])
}

#[cfg(test)]
mod tests {
    use super::{AccessRequest, Grant, permits};
    use k8s_openapi::api::rbac::v1::PolicyRule;

    fn rule(verbs: &str, group: &str, resources: &str, names: &str) -> PolicyRule {
        let list = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        PolicyRule {
            verbs: list(verbs),
            api_groups: Some(vec![group.to_owned()]),
            resources: Some(list(resources)),
            resource_names: Some(list(names)).filter(|names| !names.is_empty()),
            ..PolicyRule::default()
        }
    }

    fn everywhere(rule: PolicyRule) -> Vec<Grant> {
        vec![Grant { namespace: None, rules: vec![rule] }]
    }

    fn get<'a>(resource: &'a str, name: &'a str) -> AccessRequest<'a> {
        AccessRequest {
            verb: "get",
            resource,
            name: Some(name),
            namespace: Some("team"),
            ..AccessRequest::default()
        }
    }

    #[test]
    fn verb_group_and_resource_must_all_be_in_one_rule() {
        let grants = vec![Grant {
            namespace: None,
            rules: vec![rule("get", "", "pods", ""), rule("list", "apps", "deployments", "")],
        }];
        assert!(permits(&grants, &get("pods", "x")));
        assert!(!permits(&grants, &get("deployments", "x")));
        assert!(!permits(&grants, &AccessRequest { verb: "list", ..get("pods", "x") }));
        assert!(!permits(&grants, &AccessRequest { group: "apps", ..get("pods", "x") }));
        assert!(!permits(&[], &get("pods", "x")));
        assert!(!permits(&everywhere(PolicyRule::default()), &get("pods", "x")));
    }

    #[test]
    fn wildcards_permit_all_verbs_groups_or_resources() {
        for (verbs, group, resources) in [("*", "", "pods"), ("get", "*", "pods"), ("get", "", "*")] {
            assert!(permits(&everywhere(rule(verbs, group, resources, "")), &get("pods", "x")));
        }
        let status = AccessRequest { subresource: Some("status"), ..get("pods", "x") };
        assert!(permits(&everywhere(rule("get", "", "*", "")), &status));
        assert!(permits(&everywhere(rule("get", "", "*/status", "")), &status));
        assert!(!permits(&everywhere(rule("get", "", "*/scale", "")), &status));
        assert!(!permits(&everywhere(rule("get", "", "*/status", "")), &get("pods", "x")));
        assert!(!permits(&everywhere(rule("get", "", "pods/*", "")), &status), "RBAC has no such wildcard");
    }

    #[test]
    fn a_resource_does_not_include_its_subresources() {
        let status = AccessRequest { subresource: Some("status"), ..get("pods", "x") };
        assert!(!permits(&everywhere(rule("get", "", "pods", "")), &status));
        assert!(permits(&everywhere(rule("get", "", "pods/status", "")), &status));
        assert!(!permits(&everywhere(rule("get", "", "pods/status", "")), &get("pods", "x")));
    }

    #[test]
    fn roles_permit_only_in_their_namespace() {
        let grants =
            vec![Grant { namespace: Some("team".to_owned()), rules: vec![rule("get list", "", "pods", "")] }];
        assert!(permits(&grants, &get("pods", "x")));
        assert!(!permits(&grants, &AccessRequest { namespace: Some("other"), ..get("pods", "x") }));
        let across = AccessRequest { verb: "list", name: None, namespace: None, ..get("pods", "") };
        assert!(!permits(&grants, &across));
    }

    #[test]
    fn names_restrict_to_these_objects() {
        let grants = everywhere(rule("get list watch create deletecollection", "", "secrets", "mine"));
        assert!(permits(&grants, &get("secrets", "mine")));
        assert!(!permits(&grants, &get("secrets", "yours")));
        for verb in ["create", "list", "watch", "deletecollection"] {
            assert!(!permits(&grants, &AccessRequest { verb, name: None, ..get("secrets", "") }), "{verb}");
        }
        // An empty name is no name.
        assert!(!permits(&grants, &AccessRequest { verb: "list", ..get("secrets", "") }));
    }

    #[test]
    fn lists_that_select_a_name_count_as_named() {
        let grants = everywhere(rule("list watch deletecollection", "", "secrets", "mine"));
        let select = |verb, selector| {
            let request = AccessRequest {
                verb,
                resource: "secrets",
                namespace: Some("team"),
                field_selector: Some(selector),
                ..AccessRequest::default()
            };
            permits(&grants, &request)
        };
        for selector in [
            "metadata.name=mine",
            "metadata.name==mine",
            "type=Opaque,metadata.name=mine",
            "metadata.name=\\mine",
        ] {
            assert!(select("list", selector) && select("watch", selector), "{selector}");
        }
        for selector in [
            "metadata.name!=mine",
            "metadata.name=yours",
            "metadata.namespace=mine",
            "metadata.names=mine",
            "type=a\\,metadata.name=mine",
            "metadata.name=",
            "",
        ] {
            assert!(!select("list", selector), "{selector}");
        }
        assert!(!select("deletecollection", "metadata.name=mine"), "only lists and watches select by name");
        assert!(!permits(
            &everywhere(rule("list", "", "secrets", "..")),
            &AccessRequest {
                verb: "list",
                resource: "secrets",
                field_selector: Some("metadata.name=.."),
                ..AccessRequest::default()
            }
        ));
    }
}
