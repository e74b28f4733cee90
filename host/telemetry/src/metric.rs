//! Registration of metrics.

use prometheus_client::registry::{Metric, Registry};

/// Registers a metric under a name without unit or suffix, and returns it. The registry and the
/// returned metric share its value.
pub fn register_metric<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}
