//! Who reaches the registry pods over the network.

use super::{Child, selector_labels};
use crate::json::Json;
use crate::kinds::NETWORK_POLICY;
use crate::primary::Primary;
use orascache_api::names::{NAMESPACE_NAME_LABEL, REGISTRY_PORT};

/// The policy that admits pods of the cache's own namespace, of the operator's, and of those that
/// the spec names. Registries ask nobody for credentials, so that without it every pod of the
/// cluster could read, overwrite and delete the artifacts. `None` where the spec wants none.
pub(crate) fn network_policy<'a>(primary: &'a Primary<'a>, operator_namespace: &'a str) -> Option<Child<'a>> {
    let policy = &primary.spec.network_policy;
    if !policy.is_enabled() {
        return None;
    }
    let mut from = vec![
        // All pods of the policy's own namespace.
        Json::object([("podSelector", Some(Json::Object(Vec::new())))]),
        namespaces(vec![operator_namespace.into()]),
    ];
    if !policy.allowed_namespaces.is_empty() {
        from.push(namespaces(policy.allowed_namespaces.iter().map(|name| Json::from(*name)).collect()));
    }
    let port = Json::object([("port", Some(REGISTRY_PORT.into())), ("protocol", Some("TCP".into()))]);
    let ingress = Json::object([("from", Some(Json::Array(from))), ("ports", Some(Json::Array(vec![port])))]);
    let spec = Json::object([
        ("ingress", Some(Json::Array(vec![ingress]))),
        ("podSelector", Some(Json::object([("matchLabels", Some(selector_labels(primary)))]))),
        ("policyTypes", Some(Json::Array(vec!["Ingress".into()]))),
    ]);
    Some(Child::new(primary, &NETWORK_POLICY, primary.metadata.name.into(), [("spec", spec)]))
}

/// A peer: all pods of these namespaces.
fn namespaces(names: Vec<Json<'_>>) -> Json<'_> {
    let requirement = Json::object([
        ("key", Some(NAMESPACE_NAME_LABEL.into())),
        ("operator", Some("In".into())),
        ("values", Some(Json::Array(names))),
    ]);
    let selector = Json::object([("matchExpressions", Some(Json::Array(vec![requirement])))]);
    Json::object([("namespaceSelector", Some(selector))])
}
