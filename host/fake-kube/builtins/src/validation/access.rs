//! Roles and bindings.

use fake_kube_apimachinery::status::Cause;
use serde_json::Value;

use super::causes::unsupported;
use crate::json::Fields;

const RBAC: &str = "rbac.authorization.k8s.io";

pub(super) fn role(object: &Value, namespaced: bool, causes: &mut Vec<Cause>) {
    for (index, rule) in object.list("rules").iter().enumerate() {
        let path = format!("rules[{index}]");
        let mut require = |field: &str, sentence: &str| {
            if rule.list(field).is_empty() {
                causes.push(Cause::required(format!("{path}.{field}"), sentence));
            }
        };
        require("verbs", "verbs must contain at least one value");
        if rule.list("nonResourceURLs").is_empty() {
            require("apiGroups", "resource rules must supply at least one api group");
            require("resources", "resource rules must supply at least one resource");
        } else if namespaced {
            let sentence = "namespaced rules cannot apply to non-resource URLs";
            causes.push(Cause::invalid(
                format!("{path}.nonResourceURLs"),
                rule.at("nonResourceURLs"),
                sentence,
            ));
        }
    }
}

pub(super) fn binding(object: &Value, namespaced: bool, causes: &mut Vec<Cause>) {
    let role = object.at("roleRef");
    if role.text("apiGroup") != RBAC {
        causes.push(unsupported("roleRef.apiGroup".to_owned(), role.text("apiGroup"), &[RBAC]));
    }
    let kinds: &[&str] = if namespaced { &["ClusterRole", "Role"] } else { &["ClusterRole"] };
    if !kinds.contains(&role.text("kind")) {
        causes.push(unsupported("roleRef.kind".to_owned(), role.text("kind"), kinds));
    }
    if role.text("name").is_empty() {
        causes.push(Cause::required("roleRef.name", ""));
    }
    for (index, subject) in object.list("subjects").iter().enumerate() {
        let path = format!("subjects[{index}]");
        if subject.text("name").is_empty() {
            causes.push(Cause::required(format!("{path}.name"), ""));
        }
        match subject.text("kind") {
            "ServiceAccount" if subject.text("namespace").is_empty() && !namespaced => {
                causes.push(Cause::required(format!("{path}.namespace"), ""));
            }
            "ServiceAccount" | "User" | "Group" => {}
            other => {
                causes.push(unsupported(format!("{path}.kind"), other, &["Group", "ServiceAccount", "User"]));
            }
        }
    }
}

pub(super) fn binding_update(new: &Value, old: &Value, causes: &mut Vec<Cause>) {
    if new.at("roleRef") != old.at("roleRef") {
        causes.push(Cause::invalid("roleRef", new.at("roleRef"), "cannot change roleRef"));
    }
}
