//! What is counted about recording.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DroppedLabels {
    reason: &'static str,
}

/// Why a decision is not in the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dropped {
    /// The writer is behind.
    Busy,
    /// Its input is no JSON, so that nothing could be left out of it.
    Unreadable,
    /// It is larger than a file may be.
    TooLarge,
    /// The file system did not take it.
    Failed,
}

/// What is counted about recording.
#[derive(Clone, Default)]
pub(super) struct Metrics {
    pub(super) written: Counter,
    pub(super) altered: Counter,
    pub(super) bytes: Gauge,
    dropped: Family<DroppedLabels, Counter>,
}

impl Metrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("orascache_records_written", "Decisions recorded", metrics.written.clone());
        registry.register(
            "orascache_records_altered",
            "Recorded decisions whose output is another one without what was left out of the input",
            metrics.altered.clone(),
        );
        registry.register("orascache_records_bytes", "Bytes of all records kept", metrics.bytes.clone());
        registry.register(
            "orascache_records_dropped",
            "Decisions that were not recorded, by reason",
            metrics.dropped.clone(),
        );
        metrics
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
