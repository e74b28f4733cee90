//! Metrics of recording.

use orascache_telemetry::register_metric;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DroppedLabels {
    reason: &'static str,
}

/// Why a decision was not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dropped {
    /// Too many decisions wait for the writer.
    Busy,
    /// The decision's input is no JSON, so that secrets cannot be found in it.
    Unreadable,
    /// The decision is larger than a file may become.
    TooLarge,
    /// The decision could not be written.
    Failed,
}

/// The metrics of one recorder.
#[derive(Clone)]
pub(super) struct Metrics {
    pub(super) written: Counter,
    pub(super) altered: Counter,
    pub(super) bytes: Gauge,
    dropped: Family<DroppedLabels, Counter>,
}

impl Metrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self {
            written: register_metric(registry, "records_written", "Decisions recorded", Counter::default()),
            altered: register_metric(
                registry,
                "records_altered",
                "Recorded decisions whose output differs from the real one, since secrets were left out of the input",
                Counter::default(),
            ),
            bytes: register_metric(registry, "records_bytes", "Bytes of all records kept", Gauge::default()),
            dropped: register_metric(
                registry,
                "records_dropped",
                "Decisions that were not recorded, by reason",
                Family::default(),
            ),
        }
    }

    pub(super) fn dropped(&self, why: Dropped) {
        let reason = match why {
            Dropped::Busy => "busy",
            Dropped::Unreadable => "unreadable",
            Dropped::TooLarge => "too-large",
            Dropped::Failed => "failed",
        };
        self.dropped.get_or_create(&DroppedLabels { reason }).inc();
    }
}
