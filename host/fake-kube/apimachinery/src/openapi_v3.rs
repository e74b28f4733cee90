//! OpenAPI v3 documents of one group-version, with the parts that `kubectl explain`, `kubectl
//! apply` and field validation use.

use crate::builtin_schema;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// One resource of a document.
#[derive(Clone, Debug)]
pub struct ResourceDescription {
    /// API group, empty for the core group.
    pub group: String,
    /// Version.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Plural resource name.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// The supported verbs, for example `create`.
    pub verbs: Vec<String>,
    /// The OpenAPI schema of a CRD; none for built-in kinds.
    pub schema: Option<Value>,
}

/// The document of one group-version.
pub fn document(title: &str, resources: &[ResourceDescription]) -> Value {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for resource in resources {
        let name = definition_name(resource);
        for (path, item) in path_items(resource, &name) {
            paths.insert(path, item);
        }
        match &resource.schema {
            Some(schema) => {
                schemas.insert(name.clone(), custom_definition(resource, schema));
                add_builtin("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", &mut schemas);
            }
            None => add_builtin(&name, &mut schemas),
        }
        if let Some(Value::Object(definition)) = schemas.get_mut(&name) {
            definition
                .insert("x-kubernetes-group-version-kind".to_owned(), json!([gvk(resource, &resource.kind)]));
        }
        let list = format!("{}List", resource.kind);
        schemas.insert(format!("{name}List"), list_definition(resource, &name, &list));
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": title, "version": "v0.1.0"},
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

/// The name of a kind's definition. For custom resources it is the reversed group, the version and
/// the kind.
fn definition_name(resource: &ResourceDescription) -> String {
    let builtin = builtin_schema::definition_name(&resource.group, &resource.version, &resource.kind);
    match (&resource.schema, builtin) {
        (None, Some(name)) => name.to_owned(),
        _ => {
            let reversed: Vec<&str> = resource.group.split('.').rev().collect();
            format!("{}.{}.{}", reversed.join("."), resource.version, resource.kind)
        }
    }
}

fn gvk(resource: &ResourceDescription, kind: &str) -> Value {
    json!({"group": resource.group, "version": resource.version, "kind": kind})
}

fn custom_definition(resource: &ResourceDescription, schema: &Value) -> Value {
    let mut definition = schema.clone();
    if let Value::Object(members) = &mut definition {
        let properties = members.entry("properties").or_insert_with(|| json!({}));
        if let Value::Object(properties) = properties {
            let meta = builtin_schema::definitions()
                .get(builtin_schema::definition_name("", "v1", "ConfigMap").unwrap_or_default());
            let describe = |name: &str| {
                meta.and_then(|meta| meta.pointer(&format!("/properties/{name}/description")))
                    .cloned()
                    .unwrap_or_default()
            };
            properties.insert(
                "apiVersion".to_owned(),
                json!({"type": "string", "description": describe("apiVersion")}),
            );
            properties.insert("kind".to_owned(), json!({"type": "string", "description": describe("kind")}));
            properties.insert(
                "metadata".to_owned(),
                json!({
                    "description": describe("metadata"),
                    "allOf": [{"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}],
                }),
            );
        }
        members.insert("x-kubernetes-group-version-kind".to_owned(), json!([gvk(resource, &resource.kind)]));
    }
    definition
}

fn list_definition(resource: &ResourceDescription, name: &str, list: &str) -> Value {
    json!({
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "items": {"type": "array", "items": {"allOf": [{"$ref": format!("#/components/schemas/{name}")}]}},
        },
        "x-kubernetes-group-version-kind": [gvk(resource, list)],
    })
}

/// Adds a built-in definition, and all definitions that it refers to.
fn add_builtin(name: &str, schemas: &mut Map<String, Value>) {
    let all = builtin_schema::definitions();
    let mut wanted = vec![name.to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(name) = wanted.pop() {
        if !seen.insert(name.clone()) || schemas.contains_key(&name) {
            continue;
        }
        if let Some(definition) = all.get(&name) {
            references(definition, &mut wanted);
            schemas.insert(name, with_wrapped_references(definition));
        }
    }
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                found.extend(reference.rsplit('/').next().map(str::to_owned));
            }
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

/// Wraps references with siblings in `allOf`, because OpenAPI 3.0 ignores siblings of a `$ref`.
fn with_wrapped_references(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut wrapped: Map<String, Value> = members
                .iter()
                .map(|(name, member)| (name.clone(), with_wrapped_references(member)))
                .collect();
            if wrapped.len() > 1
                && let Some(reference) = wrapped.remove("$ref")
            {
                wrapped.insert("allOf".to_owned(), json!([{"$ref": reference}]));
            }
            Value::Object(wrapped)
        }
        Value::Array(items) => Value::Array(items.iter().map(with_wrapped_references).collect()),
        other => other.clone(),
    }
}

fn path_items(resource: &ResourceDescription, definition: &str) -> Vec<(String, Value)> {
    let root = if resource.group.is_empty() {
        format!("/api/{}", resource.version)
    } else {
        format!("/apis/{}/{}", resource.group, resource.version)
    };
    let collection = if resource.namespaced {
        format!("{root}/namespaces/{{namespace}}/{}", resource.plural)
    } else {
        format!("{root}/{}", resource.plural)
    };
    let allows = |verb: &str| resource.verbs.iter().any(|allowed| allowed == verb);
    let mut on_collection = Map::new();
    let mut on_object = Map::new();
    if allows("list") {
        on_collection.insert("get".to_owned(), operation(resource, definition, "list", &[]));
    }
    if allows("create") {
        on_collection.insert("post".to_owned(), operation(resource, definition, "post", &WRITE_PARAMETERS));
    }
    if allows("get") {
        on_object.insert("get".to_owned(), operation(resource, definition, "get", &[]));
    }
    if allows("update") {
        on_object.insert("put".to_owned(), operation(resource, definition, "put", &WRITE_PARAMETERS));
    }
    if allows("patch") {
        let mut parameters = WRITE_PARAMETERS.to_vec();
        parameters.push(("force", "boolean"));
        on_object.insert("patch".to_owned(), operation(resource, definition, "patch", &parameters));
    }
    if allows("delete") {
        on_object
            .insert("delete".to_owned(), operation(resource, definition, "delete", &[("dryRun", "string")]));
    }
    vec![
        (collection.clone(), Value::Object(on_collection)),
        (format!("{collection}/{{name}}"), Value::Object(on_object)),
    ]
}

/// Query parameters of writes. Clients look for them to find out what the server supports.
const WRITE_PARAMETERS: [(&str, &str); 3] =
    [("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string")];

fn operation(
    resource: &ResourceDescription,
    definition: &str,
    action: &str,
    parameters: &[(&str, &str)],
) -> Value {
    let parameters: Vec<Value> = parameters
        .iter()
        .map(|(name, kind)| json!({"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": true}}))
        .collect();
    let content = json!({"schema": {"$ref": format!("#/components/schemas/{definition}")}});
    json!({
        "parameters": parameters,
        "responses": {"200": {"description": "OK", "content": {"application/json": content}}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": gvk(resource, &resource.kind),
    })
}

#[cfg(test)]
mod tests {
    use super::{ResourceDescription, document};
    use serde_json::json;

    #[test]
    fn a_document_has_types_and_announces_field_validation() {
        let resource = ResourceDescription {
            group: "apps".into(),
            version: "v1".into(),
            kind: "StatefulSet".into(),
            plural: "statefulsets".into(),
            namespaced: true,
            verbs: ["get", "list", "create", "patch"].map(str::to_owned).to_vec(),
            schema: None,
        };
        let document = document("Kubernetes", &[resource]);
        let patch = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/statefulsets/{name}"]["patch"];
        assert!(
            patch["parameters"]
                .as_array()
                .expect("parameters")
                .iter()
                .any(|p| p["name"] == "fieldValidation")
        );
        let set = &document["components"]["schemas"]["io.k8s.api.apps.v1.StatefulSet"];
        assert_eq!(
            set["x-kubernetes-group-version-kind"],
            json!([{"group": "apps", "version": "v1", "kind": "StatefulSet"}])
        );
        assert!(set["properties"]["spec"]["allOf"][0]["$ref"].is_string());
        assert!(document["components"]["schemas"]["io.k8s.api.core.v1.Container"].is_object());
    }
}
