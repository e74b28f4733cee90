//! Metrics about the settings.

use orascache_telemetry::register_metric;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    result: &'static str,
}

/// Metrics about the settings.
#[derive(Clone, Debug, Default)]
pub struct SettingsMetrics {
    usable: Gauge,
    changes: Family<Labels, Counter>,
}

impl SettingsMetrics {
    /// Adds the metrics to a registry.
    pub fn register(registry: &mut Registry) -> Self {
        Self {
            usable: register_metric(
                registry,
                "orascache_settings_usable",
                "Whether the settings in the ConfigMap are in use: 0 when the component refused the last ones",
                Gauge::default(),
            ),
            changes: register_metric(
                registry,
                "orascache_settings_changes",
                "Total number of changes of the settings by what became of them",
                Family::default(),
            ),
        }
    }

    pub(super) fn set_usable(&self, is_usable: bool) {
        self.usable.set(is_usable.into());
    }

    pub(super) fn count_accepted(&self) {
        self.changes.get_or_create(&Labels { result: "taken" }).inc();
    }

    pub(super) fn count_refused(&self) {
        self.changes.get_or_create(&Labels { result: "refused" }).inc();
    }
}
