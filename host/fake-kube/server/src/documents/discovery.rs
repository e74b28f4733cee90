//! Discovery documents: groups, versions and resources, per group or aggregated.

use serde_json::{Map, Value, json};

use crate::catalogue::{Catalogue, Group, Kind};

/// `/api`.
pub fn core_versions(address: &str) -> Value {
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    })
}

/// `/apis`.
pub fn group_list(catalogue: &Catalogue) -> Value {
    let groups: Vec<Value> =
        catalogue.groups().iter().filter(|group| !group.name.is_empty()).map(group).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/GROUP`.
pub fn one_group(catalogue: &Catalogue, name: &str) -> Option<Value> {
    let groups = catalogue.groups();
    let mut found = group(groups.iter().find(|group| group.name == name && !name.is_empty())?);
    if let Some(map) = found.as_object_mut() {
        map.insert("kind".into(), "APIGroup".into());
        map.insert("apiVersion".into(), "v1".into());
    }
    Some(found)
}

fn group(group: &Group<'_>) -> Value {
    let versions: Vec<Value> = group
        .versions
        .iter()
        .map(|(version, _)| json!({"groupVersion": format!("{}/{version}", group.name), "version": version}))
        .collect();
    json!({"name": group.name, "versions": versions, "preferredVersion": versions.first()})
}

/// `/api/v1` and `/apis/GROUP/VERSION`.
pub fn resource_list(catalogue: &Catalogue, name: &str, version: &str) -> Option<Value> {
    let groups = catalogue.groups();
    let group = groups.iter().find(|group| group.name == name)?;
    let (_, kinds) = group.versions.iter().find(|(served, _)| *served == version)?;
    let resources: Vec<Value> = kinds.iter().flat_map(|kind| resources(kind)).collect();
    let mut list = json!({
        "kind": "APIResourceList",
        "groupVersion": if name.is_empty() { version.to_owned() } else { format!("{name}/{version}") },
        "resources": resources,
    });
    // The list of the core group has no apiVersion.
    if let Some(map) = list.as_object_mut().filter(|_| !name.is_empty()) {
        map.insert("apiVersion".into(), "v1".into());
    }
    Some(list)
}

fn insert_texts(map: &mut Map<String, Value>, name: &str, texts: &[String]) {
    if !texts.is_empty() {
        map.insert(name.to_owned(), texts.into());
    }
}

fn resources(kind: &Kind) -> Vec<Value> {
    let mut main = json!({
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": kind.verbs,
    });
    if let Some(map) = main.as_object_mut() {
        insert_texts(map, "shortNames", &kind.short_names);
        insert_texts(map, "categories", &kind.categories);
        if !kind.storage_version_hash.is_empty() {
            map.insert("storageVersionHash".into(), kind.storage_version_hash.clone().into());
        }
    }
    let mut all = vec![main];
    for subresource in &kind.subresources {
        let (group, version, body_kind) = &subresource.body;
        let mut entry = json!({
            "name": format!("{}/{}", kind.plural, subresource.name),
            "singularName": "",
            "namespaced": kind.namespaced,
            "kind": body_kind,
            "verbs": subresource.verbs,
        });
        let elsewhere = *group != kind.group || *version != kind.version;
        if let Some(map) = entry.as_object_mut().filter(|_| elsewhere) {
            map.insert("group".into(), group.clone().into());
            map.insert("version".into(), version.clone().into());
        }
        all.push(entry);
    }
    all
}

/// `/api` (only the core group) or `/apis` (all others) in one document.
pub fn aggregated(catalogue: &Catalogue, core: bool, version: &str) -> Value {
    let items: Vec<Value> = catalogue
        .groups()
        .iter()
        .filter(|group| group.name.is_empty() == core)
        .map(|group| {
            let versions: Vec<Value> = group
                .versions
                .iter()
                .map(|(version, kinds)| {
                    let resources: Vec<Value> = kinds.iter().map(|kind| aggregated_resource(kind)).collect();
                    json!({"version": version, "resources": resources, "freshness": "Current"})
                })
                .collect();
            let metadata = if core { json!({}) } else { json!({"name": group.name}) };
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {},
        "items": items,
    })
}

fn aggregated_resource(kind: &Kind) -> Value {
    let custom = kind.custom().is_some();
    // Built-in kinds leave out group and version when they are those of the enclosing document.
    let place = |group: &str, version: &str| {
        let elsewhere = group != kind.group || version != kind.version;
        if custom || elsewhere {
            (group.to_owned(), version.to_owned())
        } else {
            (String::new(), String::new())
        }
    };
    let response_kind = |group: &str, version: &str, name: &str| {
        let (group, version) = place(group, version);
        json!({"group": group, "version": version, "kind": name})
    };
    let mut resource = json!({
        "resource": kind.plural,
        "responseKind": response_kind(&kind.group, &kind.version, &kind.kind),
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular,
        "verbs": kind.verbs,
    });
    if let Some(map) = resource.as_object_mut() {
        insert_texts(map, "shortNames", &kind.short_names);
        insert_texts(map, "categories", &kind.categories);
        let subresources: Vec<Value> = kind
            .subresources
            .iter()
            .map(|subresource| {
                let (group, version, body_kind) = &subresource.body;
                json!({
                    "subresource": subresource.name,
                    "responseKind": response_kind(group, version, body_kind),
                    "verbs": subresource.verbs,
                })
            })
            .collect();
        if !subresources.is_empty() {
            map.insert("subresources".into(), subresources.into());
        }
    }
    resource
}
