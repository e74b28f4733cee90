//! Metrics, named as controller-runtime names them, so that existing dashboards work.

use crate::inquiries::registry::Look;
use orascache_contract::{ArtifactFinding, Verb};
use orascache_telemetry::register_metric;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ControllerLabels {
    controller: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    controller: String,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    controller: String,
    verb: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueueLabels {
    name: String,
}

type Durations = Family<ControllerLabels, Histogram, fn() -> Histogram>;

/// The metrics of one controller.
pub(crate) struct Metrics {
    controller: String,
    reconciles: Family<ResultLabels, Counter>,
    errors: Family<ControllerLabels, Counter>,
    durations: Durations,
    refusals: Family<RefusalLabels, Counter>,
    write_limit: Family<ControllerLabels, Gauge>,
    depth: Family<QueueLabels, Gauge>,
    adds: Family<QueueLabels, Counter>,
    retries: Family<QueueLabels, Counter>,
}

/// Upper bounds in seconds: a plan takes microseconds, its writes milliseconds.
fn buckets() -> Histogram {
    Histogram::new([0.000_05, 0.000_2, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0])
}

/// How a reconciliation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReconcileResult {
    Success,
    Requeue,
    Error,
}

impl Metrics {
    pub(crate) fn new(controller: &str, registry: &mut Registry) -> Self {
        let durations: Durations = Family::new_with_constructor(buckets);
        Metrics {
            controller: controller.to_owned(),
            reconciles: register_metric(
                registry,
                "controller_runtime_reconcile",
                "Reconciliations by result",
                Family::default(),
            ),
            errors: register_metric(
                registry,
                "controller_runtime_reconcile_errors",
                "Reconciliations that failed",
                Family::default(),
            ),
            durations: register_metric(
                registry,
                "controller_runtime_reconcile_time_seconds",
                "Time from taking a key to having carried out its plan",
                durations,
            ),
            refusals: register_metric(
                registry,
                "controller_refused_writes",
                "Writes of plans that reach beyond what a guest may do, by verb",
                Family::default(),
            ),
            write_limit: register_metric(
                registry,
                "controller_write_limit",
                "Writes that may be under way at the same time, which follows the API server's answers",
                Family::default(),
            ),
            depth: register_metric(
                registry,
                "workqueue_depth",
                "Keys that wait for a worker",
                Family::default(),
            ),
            adds: register_metric(registry, "workqueue_adds", "Keys added", Family::default()),
            retries: register_metric(
                registry,
                "workqueue_retries",
                "Keys added after a failure",
                Family::default(),
            ),
        }
    }

    pub(crate) fn reconciled(&self, result: ReconcileResult, took: Duration) {
        let name = match result {
            ReconcileResult::Success => "success",
            ReconcileResult::Requeue => "requeue",
            ReconcileResult::Error => "error",
        };
        let controller = ControllerLabels { controller: self.controller.clone() };
        let labels = ResultLabels { controller: self.controller.clone(), result: name };
        self.reconciles.get_or_create(&labels).inc();
        if result == ReconcileResult::Error {
            self.errors.get_or_create(&controller).inc();
        }
        self.durations.get_or_create(&controller).observe(took.as_secs_f64());
    }

    /// Shows how many writes may be under way.
    pub(crate) fn write_limit(&self) -> Gauge {
        let labels = ControllerLabels { controller: self.controller.clone() };
        self.write_limit.get_or_create(&labels).clone()
    }

    /// Counts a write that was refused.
    pub(crate) fn refused(&self, verb: Verb) {
        let labels = RefusalLabels { controller: self.controller.clone(), verb: verb.to_string() };
        self.refusals.get_or_create(&labels).inc();
    }

    pub(crate) fn added(&self, keys: usize, depth: usize) {
        self.adds.get_or_create(&self.queue()).inc_by(keys as u64);
        self.depth(depth);
    }

    pub(crate) fn retried(&self) {
        self.retries.get_or_create(&self.queue()).inc();
    }

    pub(crate) fn depth(&self, depth: usize) {
        self.depth.get_or_create(&self.queue()).set(i64::try_from(depth).unwrap_or(i64::MAX));
    }

    fn queue(&self) -> QueueLabels {
        QueueLabels { name: self.controller.clone() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LookLabels {
    result: &'static str,
}

/// The metrics of questions to registries.
#[derive(Clone)]
pub(crate) struct QuestionMetrics {
    questions: Gauge,
    looks: Family<LookLabels, Counter>,
}

impl QuestionMetrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        Self {
            questions: register_metric(
                registry,
                "artifact_questions",
                "Artifacts that objects wait for, each counted once",
                Gauge::default(),
            ),
            looks: register_metric(
                registry,
                "artifact_looks",
                "Requests to registries for artifacts that objects wait for, by result",
                Family::default(),
            ),
        }
    }

    pub(crate) fn questions(&self, number: usize) {
        self.questions.set(i64::try_from(number).unwrap_or(i64::MAX));
    }

    pub(crate) fn looked(&self, look: &Look) {
        let result = match look {
            Look::Answer(ArtifactFinding::Digest(_) | ArtifactFinding::ImageConfig(_)) => "found",
            Look::Answer(ArtifactFinding::Missing) => "missing",
            Look::Answer(ArtifactFinding::Unknown(_)) => "unknown",
            Look::NotNow { .. } => "not_now",
        };
        self.looks.get_or_create(&LookLabels { result }).inc();
    }
}
