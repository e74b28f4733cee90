//! Metrics under the names of controller-runtime (its `pkg/webhook/internal/metrics` and
//! `pkg/certwatcher/metrics`), so that dashboards that exist work.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WebhookLabels {
    webhook: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    webhook: &'static str,
    code: u16,
}

/// Seconds: a review takes tens of microseconds, one that reads from the API milliseconds.
fn buckets() -> Histogram {
    Histogram::new([0.000_05, 0.000_1, 0.000_25, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0])
}

/// What is counted about requests.
pub(crate) struct RequestMetrics {
    requests: Family<RequestLabels, Counter>,
    in_flight: Family<WebhookLabels, Gauge>,
    latency: Family<WebhookLabels, Histogram, fn() -> Histogram>,
    panics: Family<WebhookLabels, Counter>,
}

impl RequestMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            in_flight: Family::default(),
            latency: Family::new_with_constructor(buckets),
            panics: Family::default(),
        };
        registry.register(
            "controller_runtime_webhook_requests",
            "Total number of admission requests by HTTP status code",
            metrics.requests.clone(),
        );
        registry.register(
            "controller_runtime_webhook_requests_in_flight",
            "Current number of admission requests being served",
            metrics.in_flight.clone(),
        );
        registry.register(
            "controller_runtime_webhook_latency_seconds",
            "Latency of processing admission requests, from the headers to the answer",
            metrics.latency.clone(),
        );
        registry.register(
            "controller_runtime_webhook_panics",
            "Total number of admission requests whose review panicked",
            metrics.panics.clone(),
        );
        metrics
    }

    /// The metrics of one path, looked up once.
    pub(crate) fn of(&self, webhook: &'static str) -> PathMetrics {
        let labels = WebhookLabels { webhook };
        PathMetrics {
            webhook,
            answered: self.requests.get_or_create_owned(&RequestLabels { webhook, code: 200 }),
            requests: self.requests.clone(),
            in_flight: self.in_flight.get_or_create_owned(&labels),
            latency: self.latency.get_or_create_owned(&labels),
            panics: self.panics.get_or_create_owned(&labels),
        }
    }
}

/// What is counted about the requests to one path.
pub(crate) struct PathMetrics {
    pub(crate) webhook: &'static str,
    /// Requests with status 200: nearly all.
    answered: Counter,
    requests: Family<RequestLabels, Counter>,
    in_flight: Gauge,
    latency: Histogram,
    pub(crate) panics: Counter,
}

impl PathMetrics {
    /// Counts a request as in flight until what is returned is dropped.
    pub(crate) fn begin(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// Counts an answered request.
    pub(crate) fn end(&self, code: u16, took: Duration) {
        if code == 200 {
            self.answered.inc();
        } else {
            self.requests.get_or_create(&RequestLabels { webhook: self.webhook, code }).inc();
        }
        self.latency.observe(took.as_secs_f64());
    }
}

/// One request in flight. Requests whose client goes away are dropped without an answer.
pub(crate) struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What is counted about certificates. Made once per registry, handed to the source of the certificate.
#[derive(Clone, Debug, Default)]
pub struct CertificateMetrics {
    pub(crate) reads: Counter,
    pub(crate) errors: Counter,
    pub(crate) expires: Gauge,
}

impl CertificateMetrics {
    /// Adds the metrics to a registry.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "certwatcher_read_certificate",
            "Total number of certificate reads",
            metrics.reads.clone(),
        );
        registry.register(
            "certwatcher_read_certificate_errors",
            "Total number of certificate read errors",
            metrics.errors.clone(),
        );
        registry.register(
            "webhook_certificate_expiration_timestamp_seconds",
            "When the certificate that is served expires, seconds since 1970; 0 before there is one",
            metrics.expires.clone(),
        );
        metrics
    }
}
