//! Custom resource definitions: names, versions and the basics of structural schemas.

use fake_kube_apimachinery::status::Cause;
use serde_json::Value;

use super::causes::{duplicate, immutable, invalid, unsupported};
use super::names;
use crate::json::{Fields, is_empty};

/// KEP-1111 `api-approved.kubernetes.io`: needed for kinds in the groups of the Kubernetes project.
const APPROVAL: &str = "api-approved.kubernetes.io";
const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
const COLUMN_TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];

pub(super) fn definition(object: &Value, causes: &mut Vec<Cause>) {
    let (metadata, spec) = (object.at("metadata"), object.at("spec"));
    let (group, plural) = (spec.text("group"), spec.at("names").text("plural"));
    if metadata.text("name") != format!("{plural}.{group}") {
        let sentence = "must be spec.names.plural+\".\"+spec.group";
        causes.push(invalid("metadata.name".to_owned(), metadata.text("name"), sentence));
    }
    self::group(group, metadata, causes);
    match spec.text("scope") {
        "" => causes.push(Cause::required("spec.scope", "")),
        "Cluster" | "Namespaced" => {}
        other => causes.push(unsupported("spec.scope".to_owned(), other, &["Cluster", "Namespaced"])),
    }
    versions(spec, causes);
    definition_names(spec.at("names"), causes);
    let strategy = spec.at("conversion").text("strategy");
    if !matches!(strategy, "" | "None" | "Webhook") {
        causes.push(unsupported("spec.conversion.strategy".to_owned(), strategy, &["None", "Webhook"]));
    }
}

fn group(group: &str, metadata: &Value, causes: &mut Vec<Cause>) {
    let field = || "spec.group".to_owned();
    let wrong = names::dns_subdomain(group);
    if group.is_empty() {
        causes.push(Cause::required(field(), ""));
    } else if !wrong.is_empty() {
        causes.push(invalid(field(), group, &wrong.join(",")));
    } else if !group.contains('.') {
        causes.push(invalid(field(), group, "should be a domain with at least one dot"));
    }
    let protected = ["k8s.io", "kubernetes.io"]
        .iter()
        .any(|domain| group == *domain || group.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')));
    if protected && metadata.at("annotations").text(APPROVAL).is_empty() {
        causes.push(Cause::required(
            format!("metadata.annotations[{APPROVAL}]"),
            "protected groups must have approval annotation \"api-approved.kubernetes.io\", see \
             https://github.com/kubernetes/enhancements/pull/1111",
        ));
    }
}

fn versions(spec: &Value, causes: &mut Vec<Cause>) {
    let mut seen = Vec::new();
    let versions = spec.list("versions");
    for (index, version) in versions.iter().enumerate() {
        let path = format!("spec.versions[{index}]");
        let name = version.text("name");
        let wrong = names::dns_1035_label(name);
        causes.extend(wrong.first().map(|_| invalid(format!("{path}.name"), name, &wrong.join(","))));
        if seen.contains(&name) {
            causes.push(Cause::invalid(
                "spec.versions",
                spec.at("versions"),
                "must contain unique version names",
            ));
        }
        seen.push(name);
        let schema = version.path(&["schema", "openAPIV3Schema"]);
        let field = format!("{path}.schema.openAPIV3Schema");
        if schema.is_null() {
            causes.push(Cause::required(field, "schemas are required"));
        } else {
            root(schema, &field, causes);
        }
        columns(version, &path, causes);
    }
    let stored = versions.iter().filter(|version| version.flag("storage")).count();
    if stored != 1 {
        let sentence = "must have exactly one version marked as storage version";
        causes.push(Cause::invalid("spec.versions", spec.at("versions"), sentence));
    }
}

fn columns(version: &Value, path: &str, causes: &mut Vec<Cause>) {
    for (index, column) in version.list("additionalPrinterColumns").iter().enumerate() {
        let path = format!("{path}.additionalPrinterColumns[{index}]");
        for field in ["name", "type", "jsonPath"].into_iter().filter(|field| column.text(field).is_empty()) {
            causes.push(Cause::required(format!("{path}.{field}"), ""));
        }
        let type_ = column.text("type");
        if !type_.is_empty() && !COLUMN_TYPES.contains(&type_) {
            causes.push(unsupported(format!("{path}.type"), type_, &COLUMN_TYPES));
        }
    }
}

fn definition_names(names_of: &Value, causes: &mut Vec<Cause>) {
    for (field, any_case) in [("plural", false), ("singular", false), ("kind", true), ("listKind", true)] {
        let value = names_of.text(field);
        let path = format!("spec.names.{field}");
        if value.is_empty() {
            causes.push(Cause::required(path, ""));
            continue;
        }
        let wrong = if any_case {
            let wrong = names::dns_1035_label(&value.to_lowercase());
            (!wrong.is_empty())
                .then(|| format!("may have mixed case, but should otherwise match: {}", wrong.join(",")))
        } else {
            let wrong = names::dns_1035_label(value);
            (!wrong.is_empty()).then(|| wrong.join(","))
        };
        causes.extend(wrong.map(|wrong| invalid(path, value, &wrong)));
    }
    for list in ["shortNames", "categories"] {
        for (index, name) in names_of.list(list).iter().enumerate() {
            let wrong = names::dns_1035_label(name.as_str().unwrap_or_default());
            if !wrong.is_empty() {
                causes.push(Cause::invalid(format!("spec.names.{list}[{index}]"), name, &wrong.join(",")));
            }
        }
    }
    let kind = names_of.text("kind");
    if !kind.is_empty() && kind == names_of.text("listKind") {
        causes.push(invalid("spec.names.listKind".to_owned(), kind, "kind and listKind may not be the same"));
    }
}

/// Validates the schema of a whole object, which must have the type `object`.
fn root(schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    match schema.text("type") {
        "" => causes.push(Cause::required(format!("{path}.type"), "must not be empty at the root")),
        "object" => {}
        other => causes.push(invalid(format!("{path}.type"), other, "must be object at the root")),
    }
    if schema.flag("nullable") {
        causes.push(Cause::forbidden(format!("{path}.nullable"), "nullable cannot be true at the root"));
    }
    nested(schema, path, causes);
}

/// Validates that every part of a schema has a type, and only fields that structural schemas may
/// have.
fn nested(schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let type_ = schema.text("type");
    if !type_.is_empty() && !TYPES.contains(&type_) {
        causes.push(unsupported(format!("{path}.type"), type_, &TYPES));
    }
    for field in
        ["$ref", "definitions", "dependencies", "deprecated", "discriminator", "id", "patternProperties"]
    {
        if !is_empty(schema.at(field)) {
            causes.push(Cause::forbidden(format!("{path}.{field}"), &format!("{field} is not supported")));
        }
    }
    if schema.flag("uniqueItems") {
        let sentence = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        causes.push(Cause::forbidden(format!("{path}.uniqueItems"), sentence));
    }
    let additional = schema.at("additionalProperties");
    if !additional.is_null() && !is_empty(schema.at("properties")) {
        let sentence = "additionalProperties and properties are mutual exclusive";
        causes.push(Cause::forbidden(format!("{path}.additionalProperties"), sentence));
    }
    if additional == &Value::Bool(false) {
        causes.push(Cause::forbidden(
            format!("{path}.additionalProperties"),
            "additionalProperties cannot be set to false",
        ));
    }
    for (name, property) in schema.entries("properties") {
        let path = format!("{path}.properties[{name}]");
        typed(property, &path, "specified object fields", causes);
        nested(property, &path, causes);
    }
    if additional.is_object() {
        let path = format!("{path}.additionalProperties");
        typed(additional, &path, "specified object fields", causes);
        nested(additional, &path, causes);
    }
    let items = schema.at("items");
    if items.is_object() {
        let path = format!("{path}.items");
        typed(items, &path, "specified array items", causes);
        nested(items, &path, causes);
    } else if type_ == "array" {
        causes.push(Cause::required(format!("{path}.items"), "must be specified"));
    }
    list_keys(schema, path, causes);
}

fn typed(schema: &Value, path: &str, what: &str, causes: &mut Vec<Cause>) {
    let open =
        schema.flag("x-kubernetes-int-or-string") || schema.flag("x-kubernetes-preserve-unknown-fields");
    if schema.text("type").is_empty() && !open {
        causes.push(Cause::required(format!("{path}.type"), &format!("must not be empty for {what}")));
    }
}

/// Validates that a list of type `map` names its keys.
fn list_keys(schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let keys = schema.list("x-kubernetes-list-map-keys");
    let field = format!("{path}.x-kubernetes-list-map-keys");
    match schema.text("x-kubernetes-list-type") {
        "map" if keys.is_empty() => {
            let sentence = "must not be empty if x-kubernetes-list-type is map";
            causes.push(Cause::required(field, sentence));
        }
        "map" => {
            let mut seen = Vec::new();
            for (index, key) in keys.iter().enumerate() {
                if seen.contains(&key) {
                    causes.push(duplicate(format!("{field}[{index}]"), key));
                }
                seen.push(key);
                let known =
                    schema.path(&["items", "properties"]).get(key.as_str().unwrap_or_default()).is_some();
                if !known {
                    let sentence = "entries must all be names of item properties";
                    causes.push(Cause::invalid(format!("{field}[{index}]"), key, sentence));
                }
            }
        }
        "" | "atomic" | "set" => {
            if !keys.is_empty() {
                let sentence = "must be map if x-kubernetes-list-map-keys is non-empty";
                causes.push(Cause::invalid(
                    format!("{path}.x-kubernetes-list-type"),
                    schema.at("x-kubernetes-list-type"),
                    sentence,
                ));
            }
        }
        other => {
            let field = format!("{path}.x-kubernetes-list-type");
            causes.push(unsupported(field, other, &["atomic", "map", "set"]));
        }
    }
}

/// The fields by which instances are stored cannot change once the definition is established.
pub(super) fn definition_update(new: &Value, old: &Value, causes: &mut Vec<Cause>) {
    let established = old
        .at("status")
        .list("conditions")
        .iter()
        .any(|condition| condition.text("type") == "Established" && condition.text("status") == "True");
    let (new, old) = (new.at("spec"), old.at("spec"));
    if established {
        causes.extend(immutable("spec.scope", new.at("scope"), old.at("scope")));
        causes.extend(immutable("spec.names.kind", new.at("names").at("kind"), old.at("names").at("kind")));
    }
    causes.extend(immutable("spec.names.plural", new.at("names").at("plural"), old.at("names").at("plural")));
    causes.extend(immutable("spec.group", new.at("group"), old.at("group")));
}
