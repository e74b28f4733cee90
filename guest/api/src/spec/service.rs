//! The Service over which clients are spread.

use crate::sentences;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The Service `<cache>-registry`, over which clients are spread. Steps are sent to it.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[x_kube(
    validation = Rule::new(format!("{IS_EXTERNAL} || !has(self.nodePort)")).message(sentences::NODE_PORT_IS_INTERNAL).field_path(".nodePort"),
    validation = Rule::new(format!("{IS_EXTERNAL} || !has(self.sourceRanges) || size(self.sourceRanges) == 0")).message(sentences::SOURCE_RANGES_ARE_INTERNAL).field_path(".sourceRanges")
)]
#[serde(rename_all = "camelCase")]
pub struct OrasCacheService {
    /// From where the Service can be reached: ClusterIP (the default: from within the cluster), NodePort (at a port of
    /// every node too) or LoadBalancer (at an address of the cluster's load balancer too).
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<ServiceType>,

    /// Port of the Service. By default 5000, as that of the registry pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,

    /// Port of every node, for the types NodePort and LoadBalancer. By default the cluster chooses one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub node_port: Option<i32>,

    /// Networks whose clients reach the registry from outside of the cluster, like 192.0.2.0/24, for the types NodePort
    /// and LoadBalancer. By default none: the registry asks nobody for credentials. With networks, only nodes that run
    /// a registry pod answer, since these alone see the addresses of clients (externalTrafficPolicy Local).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub source_ranges: Option<Vec<String>>,

    /// Annotations of the Service, for example for the cluster's load balancer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// Whether the Service can be reached from outside of the cluster (CEL).
const IS_EXTERNAL: &str = "(has(self.type) && self.type != 'ClusterIP')";

/// From where a Service can be reached.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceType {
    /// From within the cluster.
    ClusterIP,
    /// At a port of every node too.
    NodePort,
    /// At an address of a load balancer too.
    LoadBalancer,
}
