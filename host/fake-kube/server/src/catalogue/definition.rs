//! Makes kinds of a CustomResourceDefinition.

use std::sync::Arc;

use fake_kube_apimachinery::validation::Validator;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::custom::{Custom, PrinterColumn, ScalePaths};
use super::kind::{Kind, Origin, Subresource};
use crate::store::TableName;

const VERBS: [&str; 8] = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn texts(value: &Value, pointer: &str) -> Vec<String> {
    let items = value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn items<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The kinds that a definition serves, one per served version.
///
/// # Errors
/// Which version has a schema that cannot be used, and why.
pub fn kinds_of(definition: &Value) -> Result<Vec<Arc<Kind>>, String> {
    let served = items(definition, "/spec/versions")
        .iter()
        .filter(|version| version.get("served").and_then(Value::as_bool) == Some(true));
    served.map(|version| kind_of(definition, version).map(Arc::new)).collect()
}

fn kind_of(definition: &Value, version: &Value) -> Result<Kind, String> {
    let group = text(definition, "/spec/group");
    let plural = text(definition, "/spec/names/plural");
    let kind = text(definition, "/spec/names/kind");
    let name = text(version, "/name");
    let openapi = version.pointer("/schema/openAPIV3Schema").cloned().unwrap_or(json!({
        "type": "object", "x-kubernetes-preserve-unknown-fields": true
    }));
    let validator = Validator::from_openapi(&openapi).map_err(|error| format!("version {name}: {error}"))?;
    let scale = version.pointer("/subresources/scale").map(|scale| ScalePaths {
        spec_replicas: text(scale, "/specReplicasPath"),
        status_replicas: text(scale, "/statusReplicasPath"),
        label_selector: Some(text(scale, "/labelSelectorPath")).filter(|path| !path.is_empty()),
    });
    let deprecated = version.get("deprecated").and_then(Value::as_bool) == Some(true);
    let deprecation = deprecated.then(|| {
        let given = text(version, "/deprecationWarning");
        if given.is_empty() { format!("{group}/{name} {kind} is deprecated") } else { given }
    });
    Ok(Kind {
        table: TableName::new(&group, &plural),
        list_kind: text(definition, "/spec/names/listKind"),
        singular: text(definition, "/spec/names/singular"),
        short_names: texts(definition, "/spec/names/shortNames"),
        categories: texts(definition, "/spec/names/categories"),
        namespaced: text(definition, "/spec/scope") == "Namespaced",
        verbs: VERBS.iter().map(|verb| (*verb).to_owned()).collect(),
        subresources: subresources(version, &group, &name, &kind),
        schema: validator.schema().clone(),
        storage_version_hash: storage_version_hash(&group, &name, &kind),
        origin: Origin::Custom(Box::new(Custom {
            columns: items(version, "/additionalPrinterColumns").iter().map(column).collect(),
            scale,
            deprecation,
            terminating: definition.pointer("/metadata/deletionTimestamp").is_some(),
            selectable_fields: items(version, "/selectableFields")
                .iter()
                .map(|field| text(field, "/jsonPath").trim_start_matches('.').to_owned())
                .collect(),
            validator,
        })),
        version: name,
        group,
        kind,
        plural,
    })
}

fn subresources(version: &Value, group: &str, name: &str, kind: &str) -> Vec<Subresource> {
    let verbs: Vec<String> = ["get", "patch", "update"].map(str::to_owned).to_vec();
    let subresource = |name: &str, (group, version, kind): (&str, &str, &str)| Subresource {
        name: name.to_owned(),
        body: (group.to_owned(), version.to_owned(), kind.to_owned()),
        verbs: verbs.clone(),
    };
    let mut found = Vec::new();
    if version.pointer("/subresources/status").is_some() {
        found.push(subresource("status", (group, name, kind)));
    }
    if version.pointer("/subresources/scale").is_some() {
        found.push(subresource("scale", ("autoscaling", "v1", "Scale")));
    }
    found
}

fn column(column: &Value) -> PrinterColumn {
    let json_path = text(column, "/jsonPath");
    let description = match text(column, "/description") {
        given if !given.is_empty() => given,
        _ => format!("Custom resource definition column (in JSONPath format): {json_path}"),
    };
    PrinterColumn {
        name: text(column, "/name"),
        type_: text(column, "/type"),
        format: text(column, "/format"),
        description,
        priority: column.get("priority").and_then(Value::as_i64).unwrap_or(0),
        json_path,
    }
}

/// The hash that discovery shows: eight bytes of the SHA-256 of group, version and kind
/// (`discovery.StorageVersionHash`).
fn storage_version_hash(group: &str, version: &str, kind: &str) -> String {
    use base64::Engine;
    let digest = Sha256::digest(format!("{group}/{version}/{kind}"));
    base64::engine::general_purpose::STANDARD.encode(digest.get(..8).unwrap_or_default())
}
