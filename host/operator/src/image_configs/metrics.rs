//! Metrics about images.

use orascache_contract::ArtifactFinding;
use orascache_telemetry::register_metric;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    result: &'static str,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Metrics {
    reads: Family<Labels, Counter>,
    remembered: Counter,
}

impl Metrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self {
            reads: register_metric(
                registry,
                "orascache_image_config_reads",
                "Total number of images whose configuration was read for a review, by result",
                Family::default(),
            ),
            remembered: register_metric(
                registry,
                "orascache_image_config_remembered",
                "Total number of questions of reviews about images that were answered without a request",
                Counter::default(),
            ),
        }
    }

    pub(super) fn read(&self, finding: &ArtifactFinding) {
        let result = match finding {
            ArtifactFinding::ImageConfig(_) | ArtifactFinding::Digest(_) => "found",
            ArtifactFinding::Missing => "missing",
            ArtifactFinding::Unknown(_) => "unknown",
        };
        self.reads.get_or_create(&Labels { result }).inc();
    }

    pub(super) fn remembered(&self) {
        self.remembered.inc();
    }
}
