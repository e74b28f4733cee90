//! Metrics of the registry.

use super::schema::{default_true, namespaces_schema};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The port of the registry pods with metrics for Prometheus, at /metrics. Profiles of the program are behind it too
/// (/debug/pprof), so that it is closed by default.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OrasCacheMetrics {
    /// Whether the port is open.
    #[serde(default = "default_true")]
    pub enabled: bool,

    /// Names of the namespaces whose pods reach the port, for example that of Prometheus. By default none, not even the
    /// cache's own: the cache's NetworkPolicy keeps others out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "namespaces_schema")]
    pub allowed_namespaces: Option<Vec<String>>,

    /// Makes a ServiceMonitor (monitoring.coreos.com/v1), by which Prometheus finds the port. Needs a cluster with that
    /// kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_monitor: Option<OrasCacheServiceMonitor>,
}

/// The ServiceMonitor of a cache.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OrasCacheServiceMonitor {
    /// Time between two scrapes, like 30s. By default that of Prometheus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub interval: Option<String>,

    /// Labels of the ServiceMonitor, by which a Prometheus selects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
}
