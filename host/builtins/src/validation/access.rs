//! Roles, bindings and webhook configurations.

use apimachinery::status::Cause;
use serde_json::Value;

use super::causes::{duplicate, invalid, unsupported};
use super::{names, selectors};
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

pub(super) fn webhooks(object: &Value, mutating: bool, causes: &mut Vec<Cause>) {
    let mut seen = Vec::new();
    for (index, webhook) in object.list("webhooks").iter().enumerate() {
        let path = format!("webhooks[{index}]");
        let name = webhook.text("name");
        qualified(name, format!("{path}.name"), causes);
        if seen.contains(&name) {
            causes.push(duplicate(format!("{path}.name"), webhook.at("name")));
        }
        seen.push(name);
        self::webhook(webhook, mutating, &path, causes);
    }
}

fn qualified(name: &str, field: String, causes: &mut Vec<Cause>) {
    let wrong = names::dns_subdomain(name);
    if name.is_empty() {
        causes.push(Cause::required(field, ""));
    } else if !wrong.is_empty() {
        causes.push(invalid(field, name, &wrong.join(",")));
    } else if name.split('.').count() < 3 {
        causes.push(invalid(
            field,
            name,
            "should be a domain with at least three segments separated by dots",
        ));
    }
}

fn webhook(webhook: &Value, mutating: bool, path: &str, causes: &mut Vec<Cause>) {
    let versions = webhook.list("admissionReviewVersions");
    if versions.is_empty() {
        causes.push(Cause::required(
            format!("{path}.admissionReviewVersions"),
            "must specify one of v1, v1beta1",
        ));
    } else if !versions.iter().any(|version| version == "v1" || version == "v1beta1") {
        let sentence = "must include at least one of v1, v1beta1";
        let field = format!("{path}.admissionReviewVersions");
        causes.push(Cause::invalid(field, webhook.at("admissionReviewVersions"), sentence));
    }
    for (index, rule) in webhook.list("rules").iter().enumerate() {
        let path = format!("{path}.rules[{index}]");
        for field in ["operations", "apiGroups", "apiVersions", "resources"] {
            if rule.list(field).is_empty() {
                causes.push(Cause::required(format!("{path}.{field}"), ""));
            }
        }
        for (index, operation) in rule.list("operations").iter().enumerate() {
            const OPERATIONS: [&str; 5] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
            let operation = operation.as_str().unwrap_or_default();
            if !OPERATIONS.contains(&operation) {
                causes.push(unsupported(format!("{path}.operations[{index}]"), operation, &OPERATIONS));
            }
        }
    }
    let enums: [(&str, &[&str]); 4] = [
        ("failurePolicy", &["Fail", "Ignore"]),
        ("matchPolicy", &["Equivalent", "Exact"]),
        ("sideEffects", &["None", "NoneOnDryRun"]),
        ("reinvocationPolicy", &["IfNeeded", "Never"]),
    ];
    for (field, allowed) in enums.iter().filter(|(field, _)| mutating || *field != "reinvocationPolicy") {
        let value = webhook.text(field);
        if value.is_empty() && *field == "sideEffects" {
            let sentence = "must specify one of None, NoneOnDryRun";
            causes.push(Cause::required(format!("{path}.{field}"), sentence));
        } else if !value.is_empty() && !allowed.contains(&value) {
            causes.push(unsupported(format!("{path}.{field}"), value, allowed));
        }
    }
    if webhook.integer("timeoutSeconds").is_some_and(|seconds| !(1..=30).contains(&seconds)) {
        let field = format!("{path}.timeoutSeconds");
        let sentence = "the timeout value must be between 1 and 30 seconds";
        causes.push(Cause::invalid(field, webhook.at("timeoutSeconds"), sentence));
    }
    for selector in ["namespaceSelector", "objectSelector"] {
        selectors::label_selector(webhook.at(selector), &format!("{path}.{selector}"), causes);
    }
    client_config(webhook.at("clientConfig"), &format!("{path}.clientConfig"), causes);
}

fn client_config(config: &Value, path: &str, causes: &mut Vec<Cause>) {
    match (config.has("url"), config.has("service")) {
        (true, true) | (false, false) => {
            causes.push(Cause::required(path, "exactly one of url or service is required"));
        }
        (true, false) => url(config.text("url"), format!("{path}.url"), causes),
        (false, true) => {
            for (field, sentence) in
                [("name", "service name is required"), ("namespace", "service namespace is required")]
            {
                if config.at("service").text(field).is_empty() {
                    causes.push(Cause::required(format!("{path}.service.{field}"), sentence));
                }
            }
        }
    }
}

fn url(url: &str, field: String, causes: &mut Vec<Cause>) {
    const FORM: &str = "; desired format: https://host[/path]";
    let Some((scheme, rest)) = url.split_once("://") else {
        causes.push(invalid(field, url, &format!("url must be a valid URL{FORM}")));
        return;
    };
    if scheme != "https" {
        let sentence = format!("'https' is the only allowed URL scheme{FORM}");
        causes.push(invalid(field.clone(), scheme, &sentence));
    }
    if rest.split('/').next().unwrap_or_default().is_empty() {
        causes.push(invalid(field, "", &format!("host must be specified{FORM}")));
    }
}
