//! Whether a rule of a webhook matches a request (`plugin/webhook/predicates/rules`).

use serde::Deserialize;

use super::Operation;

const ANY: &str = "*";

/// `RuleWithOperations` of admissionregistration.k8s.io/v1.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rule {
    operations: Vec<String>,
    api_groups: Vec<String>,
    api_versions: Vec<String>,
    resources: Vec<String>,
    scope: Option<String>,
}

/// The parts of a request that rules match.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The operation.
    pub operation: Operation,
    /// API group.
    pub group: &'a str,
    /// API version.
    pub version: &'a str,
    /// Plural resource name.
    pub resource: &'a str,
    /// The subresource, or empty.
    pub subresource: &'a str,
    /// The namespace, or empty. For a request about a namespace it is the namespace itself.
    pub namespace: &'a str,
}

impl Rule {
    /// Whether all parts of the rule match.
    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        self.in_scope(subject)
            && has(&self.operations, subject.operation.name())
            && has(&self.api_groups, subject.group)
            && has(&self.api_versions, subject.version)
            && self.resources.iter().any(|entry| names(entry, subject))
    }

    fn in_scope(&self, subject: &Subject<'_>) -> bool {
        let is_namespace = (subject.group, subject.version, subject.resource) == ("", "v1", "namespaces");
        let clustered = is_namespace || subject.namespace.is_empty();
        match self.scope.as_deref() {
            None | Some("" | ANY) => true,
            Some("Namespaced") => !clustered,
            Some("Cluster") => clustered,
            Some(_) => false,
        }
    }
}

fn has(items: &[String], wanted: &str) -> bool {
    items.iter().any(|item| item == ANY || item == wanted)
}

/// Whether an entry of `resources` matches. An entry without a subresource matches the resource
/// only.
fn names(entry: &str, subject: &Subject<'_>) -> bool {
    let (resource, subresource) = entry.split_once('/').unwrap_or((entry, ""));
    (resource == ANY || resource == subject.resource)
        && (subresource == ANY || subresource == subject.subresource)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Operation, Rule, Subject};

    const POD: Subject<'static> = Subject {
        operation: Operation::Create,
        group: "",
        version: "v1",
        resource: "pods",
        subresource: "",
        namespace: "default",
    };

    fn rule(changes: Value) -> Rule {
        let mut rule = json!({
            "operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "scope": "*",
        });
        for (key, value) in changes.as_object().unwrap() {
            rule[key] = value.clone();
        }
        serde_json::from_value(rule).unwrap()
    }

    #[test]
    fn every_part_must_match() {
        assert!(rule(json!({})).matches(&POD));
        for (field, matching, other) in [
            ("operations", "CREATE", "UPDATE"),
            ("apiGroups", "", "apps"),
            ("apiVersions", "v1", "v2"),
            ("resources", "pods", "services"),
        ] {
            assert!(rule(json!({field: ["x", matching]})).matches(&POD), "{field}");
            assert!(rule(json!({field: ["*"]})).matches(&POD), "{field}");
            assert!(!rule(json!({field: [other]})).matches(&POD), "{field}");
            assert!(!rule(json!({field: []})).matches(&POD), "{field}");
        }
    }

    #[test]
    fn subresources_are_named_or_wild() {
        let status = Subject { subresource: "status", ..POD };
        for (entry, pods, pod_status) in [
            ("pods", true, false),
            ("*", true, false),
            ("pods/*", true, true),
            ("pods/status", false, true),
            ("*/status", false, true),
            ("*/*", true, true),
            ("pods/scale", false, false),
            ("services/*", false, false),
        ] {
            let rule = rule(json!({"resources": [entry]}));
            assert_eq!((rule.matches(&POD), rule.matches(&status)), (pods, pod_status), "{entry}");
        }
    }

    #[test]
    fn scopes() {
        let namespace = Subject { resource: "namespaces", namespace: "default", ..POD };
        let node = Subject { resource: "nodes", namespace: "", ..POD };
        for (scope, expected) in [
            ("*", [true, true, true]),
            ("Namespaced", [true, false, false]),
            ("Cluster", [false, true, true]),
        ] {
            let rule = rule(json!({"resources": ["*"], "scope": scope}));
            assert_eq!([POD, namespace, node].map(|subject| rule.matches(&subject)), expected, "{scope}");
        }
    }
}
