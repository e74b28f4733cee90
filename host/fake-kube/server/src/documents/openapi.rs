//! OpenAPI v3: an index with hashes, and one document per group-version.

use fake_kube_apimachinery::openapi_v3::{self, ResourceDescription};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha512};

use crate::catalogue::{Catalogue, Group, Kind};

/// An OpenAPI v2 document in protobuf with nothing but its version (field 1, `2.0`).
///
/// Clients fall back to v2 when they do not find a resource in v3.
pub const EMPTY_V2_PROTOBUF: &[u8] = b"\x0a\x032.0";

/// An OpenAPI v2 document without content, in JSON.
pub fn empty_v2() -> Value {
    json!({
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": "v1.36.2"},
        "paths": {},
        "definitions": {},
    })
}

fn path_of(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// `/openapi/v3`.
pub fn index(catalogue: &Catalogue) -> Value {
    let mut paths = Map::new();
    for group in catalogue.groups() {
        for (version, kinds) in &group.versions {
            let path = path_of(group.name, version);
            let hash = hash(kinds);
            paths.insert(
                path.clone(),
                json!({"serverRelativeURL": format!("/openapi/v3/{path}?hash={hash}")}),
            );
        }
    }
    json!({"paths": paths})
}

/// The hash by which clients cache a document. It covers the kinds and the schemas of custom kinds;
/// the schemas of built-in kinds change only with the version of this crate.
fn hash(kinds: &[&Kind]) -> String {
    let mut hasher = Sha512::new();
    hasher.update(env!("CARGO_PKG_VERSION"));
    for kind in kinds {
        hasher.update(format!("{}/{}/{}/{}", kind.group, kind.version, kind.kind, kind.plural));
        if let Some(custom) = kind.custom() {
            hasher.update(custom.validator.openapi().to_string());
        }
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02X}")).collect()
}

/// `/openapi/v3/api/v1` and `/openapi/v3/apis/GROUP/VERSION`; `path` is what follows
/// `/openapi/v3/`.
pub fn document(catalogue: &Catalogue, path: &str) -> Option<Value> {
    let groups = catalogue.groups();
    let (group, kinds) = groups.iter().find_map(|group| find_version(group, path))?;
    let custom = kinds.iter().any(|kind| kind.custom().is_some());
    let title = if custom { "Kubernetes CRD Swagger" } else { "Kubernetes" };
    let resources: Vec<ResourceDescription> = kinds
        .iter()
        .map(|kind| ResourceDescription {
            group: group.name.to_owned(),
            version: kind.version.clone(),
            kind: kind.kind.clone(),
            plural: kind.plural.clone(),
            namespaced: kind.namespaced,
            verbs: kind.verbs.clone(),
            schema: kind.custom().map(|custom| custom.validator.openapi().clone()),
        })
        .collect();
    Some(openapi_v3::document(title, &resources))
}

fn find_version<'a, 'b>(group: &'a Group<'b>, path: &str) -> Option<(&'a Group<'b>, &'a [&'b Kind])> {
    let found = group.versions.iter().find(|(version, _)| path_of(group.name, version) == path)?;
    Some((group, found.1.as_slice()))
}
