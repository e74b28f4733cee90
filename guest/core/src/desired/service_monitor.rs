//! How Prometheus finds the metrics port.

use super::{Child, Extras, registry_service_name, selector_labels};
use crate::json::Json;
use crate::kinds::SERVICE_MONITOR;
use crate::primary::Primary;
use orascache_api::names::METRICS_NAME;

/// The ServiceMonitor of a cache whose spec asks for one. The headless Service has the port, so that
/// each pod is scraped.
pub(crate) fn service_monitor<'a>(primary: &'a Primary<'a>) -> Option<Child<'a>> {
    let monitor = primary.spec.metrics.as_ref()?.service_monitor.as_ref()?;
    let endpoint = Json::object([
        ("interval", monitor.interval.map(Json::from)),
        ("path", Some("/metrics".into())),
        ("port", Some(METRICS_NAME.into())),
    ]);
    let spec = Json::object([
        ("endpoints", Some(Json::Array(vec![endpoint]))),
        ("selector", Some(Json::object([("matchLabels", Some(selector_labels(primary)))]))),
    ]);
    let extras = Extras { labels: monitor.labels, ..Extras::default() };
    let name = registry_service_name(primary).into();
    Some(Child::with(primary, &SERVICE_MONITOR, name, extras, [("spec", spec)]))
}
