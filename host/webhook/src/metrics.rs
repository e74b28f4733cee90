//! Metrics. Those that controller-runtime has too bear its names (`pkg/webhook/internal/metrics`
//! and `pkg/certwatcher/metrics`), so that existing dashboards work.

use orascache_telemetry::register_metric;
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

/// Buckets in seconds: a review takes tens of microseconds; one that reads from the API server
/// takes milliseconds.
fn buckets() -> Histogram {
    Histogram::new([0.000_05, 0.000_1, 0.000_25, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0])
}

/// Metrics of requests.
pub(crate) struct RequestMetrics {
    requests: Family<RequestLabels, Counter>,
    in_flight: Family<WebhookLabels, Gauge>,
    latency: Family<WebhookLabels, Histogram, fn() -> Histogram>,
    panics: Family<WebhookLabels, Counter>,
}

impl RequestMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        Self {
            requests: register_metric(
                registry,
                "controller_runtime_webhook_requests",
                "Total number of admission requests by HTTP status code",
                Family::default(),
            ),
            in_flight: register_metric(
                registry,
                "controller_runtime_webhook_requests_in_flight",
                "Current number of admission requests being served",
                Family::default(),
            ),
            latency: register_metric(
                registry,
                "controller_runtime_webhook_latency_seconds",
                "Latency of processing admission requests, from the headers to the answer",
                Family::new_with_constructor(buckets as fn() -> Histogram),
            ),
            panics: register_metric(
                registry,
                "controller_runtime_webhook_panics",
                "Total number of admission requests whose review panicked",
                Family::default(),
            ),
        }
    }

    /// The metrics of one path, which are looked up once.
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

/// Metrics of the requests to one path.
pub(crate) struct PathMetrics {
    pub(crate) webhook: &'static str,
    /// Requests with status 200. They are nearly all requests, so that looking them up once saves
    /// time.
    answered: Counter,
    requests: Family<RequestLabels, Counter>,
    in_flight: Gauge,
    latency: Histogram,
    pub(crate) panics: Counter,
}

impl PathMetrics {
    /// Counts a request as in flight until the returned value is dropped.
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

/// One request in flight. If the client disconnects, it is dropped without an answer.
pub(crate) struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Metrics of connections and of bodies that are arriving.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionMetrics {
    pub(crate) open: Gauge,
    pub(crate) evicted: Counter,
    pub(crate) bodies_evicted: Counter,
}

impl ConnectionMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        Self {
            open: register_metric(
                registry,
                "webhook_connections",
                "Current number of open connections, handshakes included",
                Gauge::default(),
            ),
            evicted: register_metric(
                registry,
                "webhook_connections_evicted",
                "Total number of idle connections that were closed to make room for new ones",
                Counter::default(),
            ),
            bodies_evicted: register_metric(
                registry,
                "webhook_bodies_evicted",
                "Total number of unfinished request bodies that were given up to make room for new ones",
                Counter::default(),
            ),
        }
    }
}

/// Metrics of certificates. Register them once, and pass them to the source of the certificate.
#[derive(Clone, Debug, Default)]
pub struct CertificateMetrics {
    pub(crate) reads: Counter,
    pub(crate) errors: Counter,
    pub(crate) expires: Gauge,
}

impl CertificateMetrics {
    /// Adds the metrics to a registry.
    pub fn register(registry: &mut Registry) -> Self {
        Self {
            reads: register_metric(
                registry,
                "certwatcher_read_certificate",
                "Total number of certificate reads",
                Counter::default(),
            ),
            errors: register_metric(
                registry,
                "certwatcher_read_certificate_errors",
                "Total number of certificate read errors",
                Counter::default(),
            ),
            expires: register_metric(
                registry,
                "webhook_certificate_expiration_timestamp_seconds",
                "When the certificate in use expires, in seconds since the Unix epoch; 0 before there is one",
                Gauge::default(),
            ),
        }
    }
}
