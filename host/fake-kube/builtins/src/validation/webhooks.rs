//! Configurations of admission webhooks (`pkg/apis/admissionregistration/validation`,
//! `pkg/util/webhook`).

use std::collections::HashSet;

use fake_kube_apimachinery::match_condition::MatchCondition;
use fake_kube_apimachinery::status::Cause;
use serde_json::Value;

use super::causes::{duplicate, invalid, too_many, unsupported};
use super::{names, selectors};
use crate::json::Fields;

/// The versions of AdmissionReview that the API server sends.
const REVIEW_VERSIONS: [&str; 2] = ["v1", "v1beta1"];
/// How many match conditions one webhook may have.
const MOST_CONDITIONS: usize = 64;

pub(super) fn configuration(object: &Value, mutating: bool, causes: &mut Vec<Cause>) {
    let mut seen = HashSet::new();
    for (index, webhook) in object.list("webhooks").iter().enumerate() {
        let path = format!("webhooks[{index}]");
        self::webhook(webhook, mutating, &path, causes);
        review_versions(webhook, format!("{path}.admissionReviewVersions"), causes);
        let name = webhook.text("name");
        if !name.is_empty() && !seen.insert(name) {
            causes.push(duplicate(format!("{path}.name"), webhook.at("name")));
        }
    }
}

fn webhook(webhook: &Value, mutating: bool, path: &str, causes: &mut Vec<Cause>) {
    qualified(webhook.text("name"), format!("{path}.name"), causes);
    for (index, rule) in webhook.list("rules").iter().enumerate() {
        self::rule(rule, &format!("{path}.rules[{index}]"), causes);
    }
    one_of(webhook, "failurePolicy", &["Fail", "Ignore"], path, causes);
    one_of(webhook, "matchPolicy", &["Equivalent", "Exact"], path, causes);
    if webhook.has("sideEffects") {
        one_of(webhook, "sideEffects", &["None", "NoneOnDryRun"], path, causes);
    } else {
        causes.push(Cause::required(format!("{path}.sideEffects"), "must specify one of None, NoneOnDryRun"));
    }
    if webhook.integer("timeoutSeconds").is_some_and(|seconds| !(1..=30).contains(&seconds)) {
        let field = format!("{path}.timeoutSeconds");
        let sentence = "the timeout value must be between 1 and 30 seconds";
        causes.push(Cause::invalid(field, webhook.at("timeoutSeconds"), sentence));
    }
    for selector in ["namespaceSelector", "objectSelector"] {
        selectors::label_selector(webhook.at(selector), &format!("{path}.{selector}"), causes);
    }
    if mutating {
        one_of(webhook, "reinvocationPolicy", &["IfNeeded", "Never"], path, causes);
    }
    client_config(webhook.at("clientConfig"), &format!("{path}.clientConfig"), causes);
    conditions(webhook.list("matchConditions"), &format!("{path}.matchConditions"), causes);
}

fn qualified(name: &str, field: String, causes: &mut Vec<Cause>) {
    let wrong = names::dns_subdomain(name);
    if name.is_empty() {
        causes.push(Cause::required(field, ""));
    } else if !wrong.is_empty() {
        causes.push(invalid(field, name, &wrong.join(",")));
    } else if name.split('.').count() < 3 {
        let sentence = "should be a domain with at least three segments separated by dots";
        causes.push(invalid(field, name, sentence));
    }
}

/// Checks an enumeration that has a default.
fn one_of(webhook: &Value, field: &str, allowed: &[&str], path: &str, causes: &mut Vec<Cause>) {
    if webhook.has(field) && !allowed.contains(&webhook.text(field)) {
        causes.push(unsupported(format!("{path}.{field}"), webhook.text(field), allowed));
    }
}

fn review_versions(webhook: &Value, field: String, causes: &mut Vec<Cause>) {
    let versions = webhook.list("admissionReviewVersions");
    if versions.is_empty() {
        causes.push(Cause::required(field, "must specify one of v1, v1beta1"));
        return;
    }
    let mut seen = HashSet::new();
    for (index, version) in versions.iter().enumerate() {
        let (version, field) = (version.as_str().unwrap_or_default(), format!("{field}[{index}]"));
        if !seen.insert(version) {
            causes.push(invalid(field, version, "duplicate version"));
            continue;
        }
        let wrong = names::dns_1035_label(version);
        causes.extend(wrong.iter().map(|wrong| invalid(field.clone(), version, wrong)));
    }
    if !REVIEW_VERSIONS.iter().any(|known| seen.contains(known)) {
        let sentence = "must include at least one of v1, v1beta1";
        causes.push(Cause::invalid(field, webhook.at("admissionReviewVersions"), sentence));
    }
}

fn rule(rule: &Value, path: &str, causes: &mut Vec<Cause>) {
    const OPERATIONS: [&str; 5] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
    lonely_wildcard(rule, "operations", "operations", path, causes);
    for (index, operation) in rule.list("operations").iter().enumerate() {
        let operation = operation.as_str().unwrap_or_default();
        if !OPERATIONS.contains(&operation) {
            causes.push(unsupported(format!("{path}.operations[{index}]"), operation, &OPERATIONS));
        }
    }
    lonely_wildcard(rule, "apiGroups", "API groups", path, causes);
    lonely_wildcard(rule, "apiVersions", "API versions", path, causes);
    for (index, version) in rule.list("apiVersions").iter().enumerate() {
        if version.as_str().unwrap_or_default().is_empty() {
            causes.push(Cause::required(format!("{path}.apiVersions[{index}]"), ""));
        }
    }
    resources(rule, format!("{path}.resources"), causes);
    one_of(rule, "scope", &["*", "Cluster", "Namespaced"], path, causes);
}

/// Validates that a list is not empty, and that `*` is its only entry if it is there.
fn lonely_wildcard(rule: &Value, field: &str, words: &str, path: &str, causes: &mut Vec<Cause>) {
    let items = rule.list(field);
    if items.is_empty() {
        causes.push(Cause::required(format!("{path}.{field}"), ""));
    }
    if items.len() > 1 && items.iter().any(|item| item == "*") {
        let sentence = format!("if '*' is present, must not specify other {words}");
        causes.push(Cause::invalid(format!("{path}.{field}"), rule.at(field), &sentence));
    }
}

fn resources(rule: &Value, field: String, causes: &mut Vec<Cause>) {
    let resources: Vec<&str> =
        rule.list("resources").iter().map(|resource| resource.as_str().unwrap_or_default()).collect();
    if resources.is_empty() {
        causes.push(Cause::required(field.clone(), ""));
    }
    let (mut all_of, mut of_all) = (HashSet::new(), HashSet::new());
    for (index, both) in resources.iter().enumerate() {
        let field = format!("{field}[{index}]");
        if both.is_empty() {
            causes.push(Cause::required(field, ""));
            continue;
        }
        let Some((resource, subresource)) = both.split_once('/') else { continue };
        if all_of.contains(resource) {
            let sentence = format!("if '{resource}/*' is present, must not specify {both}");
            causes.push(invalid(field.clone(), both, &sentence));
        }
        if of_all.contains(subresource) {
            let sentence = format!("if '*/{subresource}' is present, must not specify {both}");
            causes.push(invalid(field, both, &sentence));
        }
        if subresource == "*" {
            all_of.insert(resource);
        }
        if resource == "*" {
            of_all.insert(subresource);
        }
    }
    if resources.len() > 1 && resources.contains(&"*/*") {
        let sentence = "if '*/*' is present, must not specify other resources";
        causes.push(Cause::invalid(field.clone(), rule.at("resources"), sentence));
    }
    let plain = resources.iter().any(|resource| !resource.contains('/') && !matches!(*resource, "*" | ""));
    if plain && resources.contains(&"*") {
        let sentence = "if '*' is present, must not specify other resources without subresources";
        causes.push(Cause::invalid(field, rule.at("resources"), sentence));
    }
}

fn client_config(config: &Value, path: &str, causes: &mut Vec<Cause>) {
    match (config.has("url"), config.has("service")) {
        (true, true) | (false, false) => {
            causes.push(Cause::required(path, "exactly one of url or service is required"));
        }
        (true, false) => url(config.text("url"), format!("{path}.url"), causes),
        (false, true) => service(config.at("service"), &format!("{path}.service"), causes),
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
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = rest.split('/').next().unwrap_or_default();
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    if host.is_empty() {
        causes.push(invalid(field.clone(), "", &format!("host must be specified{FORM}")));
    }
    for (given, sentence) in [
        (user, "user information is not permitted in the URL"),
        (fragment, "fragments are not permitted in the URL"),
        (query, "query parameters are not permitted in the URL"),
    ] {
        if !given.is_empty() {
            causes.push(invalid(field.clone(), given, sentence));
        }
    }
}

fn service(service: &Value, path: &str, causes: &mut Vec<Cause>) {
    for field in ["name", "namespace"] {
        if service.text(field).is_empty() {
            causes.push(Cause::required(format!("{path}.{field}"), ""));
        }
    }
    if let Some(wrong) = names::port_number(service.integer("port").unwrap_or(0)) {
        let sentence = format!("port is not valid: {wrong}");
        causes.push(Cause::invalid(format!("{path}.port"), service.at("port"), &sentence));
    }
    let (given, field) = (service.text("path"), format!("{path}.path"));
    if matches!(given, "" | "/") {
        return;
    }
    if given == "//" {
        causes.push(invalid(field, given, "segment[0] may not be empty"));
        return;
    }
    if !given.starts_with('/') {
        causes.push(invalid(field.clone(), given, "must start with a '/'"));
    }
    let mut characters = given.chars();
    characters.next();
    let steps = characters.as_str();
    for (index, step) in steps.strip_suffix('/').unwrap_or(steps).split('/').enumerate() {
        if step.is_empty() {
            causes.push(invalid(field.clone(), given, &format!("segment[{index}] may not be empty")));
            continue;
        }
        let wrong = names::dns_subdomain(step);
        causes.extend(
            wrong.iter().map(|wrong| invalid(field.clone(), given, &format!("segment[{index}]: {wrong}"))),
        );
    }
}

fn conditions(conditions: &[Value], path: &str, causes: &mut Vec<Cause>) {
    if conditions.len() > MOST_CONDITIONS {
        causes.push(too_many(path.to_owned(), conditions.len(), MOST_CONDITIONS));
    }
    let mut seen = HashSet::new();
    for (index, condition) in conditions.iter().enumerate() {
        let (name, expression) = (condition.text("name"), condition.text("expression").trim());
        let field = |name: &str| format!("{path}[{index}].{name}");
        if expression.is_empty() {
            causes.push(Cause::required(field("expression"), ""));
        } else if let Err(wrong) = MatchCondition::compile(expression) {
            causes.push(invalid(field("expression"), expression, &wrong));
        }
        if name.is_empty() {
            causes.push(Cause::required(field("name"), ""));
            continue;
        }
        let wrong = names::qualified_name(name);
        causes.extend(wrong.iter().map(|wrong| invalid(field("name"), name, wrong)));
        if !seen.insert(name) {
            causes.push(duplicate(field("name"), condition.at("name")));
        }
    }
}
