//! `spec.metrics`.

use super::copied;
use crate::fields::Fields;
use crate::json::Json;
use orascache_contract::Error;

/// `spec.metrics`, where the metrics port is open.
#[derive(Debug)]
pub(crate) struct Metrics<'a> {
    /// Namespaces whose pods reach the port.
    pub(crate) allowed_namespaces: Vec<&'a str>,
    pub(crate) service_monitor: Option<ServiceMonitor<'a>>,
}

/// `spec.metrics.serviceMonitor`.
#[derive(Debug)]
pub(crate) struct ServiceMonitor<'a> {
    pub(crate) interval: Option<&'a str>,
    pub(crate) labels: Option<&'a Json<'a>>,
}

impl<'a> Metrics<'a> {
    /// `None` where the port is closed.
    pub(super) fn read(spec: Fields<'a>) -> Result<Option<Self>, Error> {
        let Some(metrics) = spec.object("metrics", "spec.metrics")? else { return Ok(None) };
        let monitor = metrics.object("serviceMonitor", "spec.metrics.serviceMonitor")?;
        let read = Metrics {
            allowed_namespaces: metrics.texts("allowedNamespaces")?.unwrap_or_default(),
            service_monitor: match monitor {
                Some(monitor) => Some(ServiceMonitor {
                    interval: monitor.text("interval")?,
                    labels: copied(monitor, "labels")?,
                }),
                None => None,
            },
        };
        Ok(metrics.flag("enabled")?.unwrap_or(true).then_some(read))
    }
}
