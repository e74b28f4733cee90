//! The issue of a ServiceMonitor in a cluster without that kind.

use crate::issue::{Impact, Issue, Reason};
use crate::kinds::SERVICE_MONITOR;
use crate::primary::Primary;
use orascache_contract::Kind;

/// The issue of a ServiceMonitor that cannot be made. The registry and its metrics port work.
pub(crate) fn of_service_monitor(primary: &Primary<'_>, absent: &[Kind]) -> Option<Issue> {
    let is_wanted = primary.spec.metrics.as_ref().is_some_and(|metrics| metrics.service_monitor.is_some());
    if !primary.spec.deploy() || !is_wanted || !absent.contains(&SERVICE_MONITOR) {
        return None;
    }
    let message = "spec.metrics.serviceMonitor asks for a ServiceMonitor, but this cluster does not have that kind (monitoring.coreos.com/v1), or the operator may not list it. Install the Prometheus operator, or remove the field.";
    Some(Issue::new(Reason::ServiceMonitorUnavailable, Impact::Warning, message.to_owned()))
}
