//! Metrics under the names of controller-runtime, so that dashboards that exist work.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::time::Duration;

/// Labels of a controller's metrics.
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
struct QueueLabels {
    name: String,
}

type Durations = Family<ControllerLabels, Histogram, fn() -> Histogram>;

/// What is counted.
pub(crate) struct Metrics {
    controller: String,
    reconciles: Family<ResultLabels, Counter>,
    errors: Family<ControllerLabels, Counter>,
    durations: Durations,
    depth: Family<QueueLabels, Gauge>,
    adds: Family<QueueLabels, Counter>,
    retries: Family<QueueLabels, Counter>,
}

/// Seconds: a decision takes microseconds, its writes milliseconds.
fn buckets() -> Histogram {
    Histogram::new([0.000_05, 0.000_2, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0])
}

/// How a reconciliation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Success,
    Requeue,
    Error,
}

impl Metrics {
    pub(crate) fn new(controller: &str, registry: &mut Registry) -> Self {
        let metrics = Metrics {
            controller: controller.to_owned(),
            reconciles: Family::default(),
            errors: Family::default(),
            durations: Family::new_with_constructor(buckets),
            depth: Family::default(),
            adds: Family::default(),
            retries: Family::default(),
        };
        registry.register(
            "controller_runtime_reconcile",
            "Reconciliations by result",
            metrics.reconciles.clone(),
        );
        registry.register(
            "controller_runtime_reconcile_errors",
            "Reconciliations that failed",
            metrics.errors.clone(),
        );
        registry.register(
            "controller_runtime_reconcile_time_seconds",
            "Time from taking a key to having carried out its plan",
            metrics.durations.clone(),
        );
        registry.register("workqueue_depth", "Keys that wait for a worker", metrics.depth.clone());
        registry.register("workqueue_adds", "Keys added", metrics.adds.clone());
        registry.register("workqueue_retries", "Keys added after a failure", metrics.retries.clone());
        metrics
    }

    pub(crate) fn reconciled(&self, ended: Ended, took: Duration) {
        let result = match ended {
            Ended::Success => "success",
            Ended::Requeue => "requeue",
            Ended::Error => "error",
        };
        let controller = ControllerLabels { controller: self.controller.clone() };
        self.reconciles.get_or_create(&ResultLabels { controller: self.controller.clone(), result }).inc();
        if ended == Ended::Error {
            self.errors.get_or_create(&controller).inc();
        }
        self.durations.get_or_create(&controller).observe(took.as_secs_f64());
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
