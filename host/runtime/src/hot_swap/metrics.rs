//! Metrics about versions of the component.

use super::host::ChangeKind;
use orascache_telemetry::register_metric;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DigestLabels {
    digest: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

/// Metrics about versions of the component.
#[derive(Clone)]
pub(super) struct Metrics {
    active: Family<DigestLabels, Gauge>,
    changes: Family<ResultLabels, Counter>,
    /// Failures of canaries where their predecessor did not fail.
    pub(super) failures: Counter,
}

impl Metrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self {
            active: register_metric(
                registry,
                "component_info",
                "The component that decides, by its digest",
                Family::default(),
            ),
            changes: register_metric(
                registry,
                "component_changes",
                "New versions of the component by what became of them: switched, refused, rolled-back",
                Family::default(),
            ),
            failures: register_metric(
                registry,
                "component_faults",
                "Calls at which a new version of the component failed and the one before it did not",
                Counter::default(),
            ),
        }
    }

    pub(super) fn set_active(&self, digest: &str) {
        self.active.clear();
        self.active.get_or_create(&DigestLabels { digest: digest.to_owned() }).set(1);
    }

    pub(super) fn count(&self, change: ChangeKind) {
        let result = match change {
            ChangeKind::Switched => "switched",
            ChangeKind::Refused => "refused",
            ChangeKind::RolledBack => "rolled-back",
        };
        self.changes.get_or_create(&ResultLabels { result }).inc();
    }
}
