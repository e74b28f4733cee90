//! Paths that name documents: health, version, discovery, OpenAPI.

use http::StatusCode;
use serde_json::{Value, json};

use super::accept::{self, Discovery};
use super::reply::{Content, Reply};
use crate::cluster::Cluster;
use crate::documents::{discovery, openapi, version};

/// The parts of a request that documents depend on.
pub struct Asked<'a> {
    /// The path.
    pub path: &'a str,
    /// The `Accept` header.
    pub accept: Option<&'a str>,
    /// The `Host` header: the address of the server as the client knows it.
    pub host: &'a str,
}

/// The document of a path, if there is one.
pub fn answer(cluster: &Cluster, asked: &Asked<'_>) -> Option<Reply> {
    let path = asked.path.trim_end_matches('/');
    let ok = |value: &Value| Some(Reply::json(StatusCode::OK, value));
    let catalogue = cluster.state.catalogue();
    match path {
        "" => return ok(&roots(cluster)),
        "/version" => return ok(&version()),
        "/api" | "/apis" => return Some(discovery_root(cluster, asked, path == "/api")),
        "/openapi/v3" => {
            let index = Reply::json(StatusCode::OK, &openapi::index(&catalogue));
            return Some(Reply { content_type: "text/plain; charset=utf-8", ..index });
        }
        "/openapi/v2" => return Some(openapi_v2(asked.accept)),
        _ => {}
    }
    if ["/healthz", "/livez", "/readyz"].iter().any(|health| is_below(path, health)) {
        return Some(Reply::text(StatusCode::OK, "ok"));
    }
    if let Some(rest) = path.strip_prefix("/openapi/v3/") {
        return openapi::document(&catalogue, rest).map(|document| Reply::json(StatusCode::OK, &document));
    }
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        ["api", version] => discovery::resource_list(&catalogue, "", version).as_ref().and_then(ok),
        ["apis", group] => discovery::one_group(&catalogue, group).as_ref().and_then(ok),
        ["apis", group, version] if !group.is_empty() => {
            discovery::resource_list(&catalogue, group, version).as_ref().and_then(ok)
        }
        _ => None,
    }
}

fn is_below(path: &str, root: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn roots(cluster: &Cluster) -> Value {
    let mut paths: Vec<String> = [
        "/api",
        "/api/v1",
        "/apis",
        "/healthz",
        "/livez",
        "/openapi/v2",
        "/openapi/v3",
        "/readyz",
        "/version",
    ]
    .map(str::to_owned)
    .to_vec();
    for group in cluster.state.catalogue().groups().iter().filter(|group| !group.name.is_empty()) {
        paths.push(format!("/apis/{}", group.name));
        paths.extend(group.versions.iter().map(|(version, _)| format!("/apis/{}/{version}", group.name)));
    }
    paths.sort();
    json!({"paths": paths})
}

fn discovery_root(cluster: &Cluster, asked: &Asked<'_>, core: bool) -> Reply {
    let catalogue = cluster.state.catalogue();
    let aggregated = |version: &str, content_type: &'static str| {
        let document = discovery::aggregated(&catalogue, core, version);
        Reply { content_type, ..Reply::json(StatusCode::OK, &document) }
    };
    match accept::discovery(asked.accept) {
        Discovery::V2 => {
            aggregated("v2", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
        }
        Discovery::V2Beta1 => {
            aggregated("v2beta1", "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList")
        }
        Discovery::Legacy if core => Reply::json(StatusCode::OK, &discovery::core_versions(asked.host)),
        Discovery::Legacy => Reply::json(StatusCode::OK, &discovery::group_list(&catalogue)),
    }
}

fn openapi_v2(accept: Option<&str>) -> Reply {
    let reply = Reply::json(StatusCode::OK, &openapi::empty_v2());
    if !accept.unwrap_or_default().contains("protobuf") {
        return reply;
    }
    Reply {
        content_type: "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
        content: Content::Bytes(openapi::EMPTY_V2_PROTOBUF.into()),
        ..reply
    }
}
