//! Who reaches the registry pods over the network.

use super::tasks::RETENTION;
use super::{Child, collection, selector_labels};
use crate::json::Json;
use crate::kinds::NETWORK_POLICY;
use crate::primary::Primary;
use orascache_api::names::{COLLECTION_PORT, METRICS_PORT, NAMESPACE_NAME_LABEL, REGISTRY_PORT};

/// The policy that admits pods of the cache's own namespace, of the operator's, and of those that
/// the spec names, and networks outside of the cluster that it names. Registries without `auth` ask
/// nobody for credentials, so that without it every pod of the cluster could read, overwrite and
/// delete the artifacts. `None` where the spec wants none.
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
    let networks = primary.spec.service.as_ref().map_or(&[][..], |service| &service.source_ranges);
    from.extend(networks.iter().map(|range| network(range)));
    let mut ingress = vec![rule(from, REGISTRY_PORT)];
    // Metrics and profiles are for those who look after the registry, not for its clients.
    if let Some(metrics) =
        primary.spec.metrics.as_ref().filter(|metrics| !metrics.allowed_namespaces.is_empty())
    {
        let names = metrics.allowed_namespaces.iter().map(|name| Json::from(*name)).collect();
        ingress.push(rule(vec![namespaces(names)], METRICS_PORT));
    }
    if primary.spec.collects_garbage() {
        ingress.push(rule(vec![collection::retention_pods(primary, RETENTION)], COLLECTION_PORT));
    }
    let spec = Json::object([
        ("ingress", Some(Json::Array(ingress))),
        ("podSelector", Some(Json::object([("matchLabels", Some(selector_labels(primary)))]))),
        ("policyTypes", Some(Json::Array(vec!["Ingress".into()]))),
    ]);
    Some(Child::new(primary, &NETWORK_POLICY, primary.metadata.name.into(), [("spec", spec)]))
}

/// These peers may connect to this port.
fn rule<'a>(from: Vec<Json<'a>>, port: i64) -> Json<'a> {
    let port = Json::object([("port", Some(port.into())), ("protocol", Some("TCP".into()))]);
    Json::object([("from", Some(Json::Array(from))), ("ports", Some(Json::Array(vec![port])))])
}

/// A peer: the addresses of a network outside of the cluster.
fn network(range: &str) -> Json<'_> {
    Json::object([("ipBlock", Some(Json::object([("cidr", Some(range.into()))])))])
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
