//! Tells of switches: in the log, in metrics, and as Events about the operator's Lease.
//!
//! The status of primaries is the component's to write, and a switch concerns none of them in particular. The Lease is
//! there once an installation, under a name that is known, and the operator may read it already.

use deploy_manifests::names;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Api, Client, Resource};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::time::Duration;

/// The API server refuses notes of more than 1,024 bytes.
const NOTE_BYTES: usize = 1_000;
/// How long an API that does not answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DigestLabels {
    digest: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

/// What is counted about versions.
#[derive(Clone, Default)]
pub(super) struct Metrics {
    at_work: Family<DigestLabels, Gauge>,
    results: Family<ResultLabels, Counter>,
    /// Failures of new versions where the old one did not fail.
    pub(super) faults: Counter,
}

impl Metrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "orascache_component_info",
            "The component that decides, by its digest",
            metrics.at_work.clone(),
        );
        registry.register(
            "orascache_component_changes",
            "New versions of the component by what became of them: switched, refused, rolled-back",
            metrics.results.clone(),
        );
        registry.register(
            "orascache_component_faults",
            "Decisions at which a new version failed and the one before it did not",
            metrics.faults.clone(),
        );
        metrics
    }

    pub(super) fn at_work(&self, digest: &str) {
        self.at_work.clear();
        self.at_work.get_or_create(&DigestLabels { digest: digest.to_owned() }).set(1);
    }
}

/// What became of a new version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Switched,
    Refused,
    RolledBack,
}

pub(super) struct Notices {
    metrics: Metrics,
    client: Client,
    lease: Option<Api<Lease>>,
    reporter: Reporter,
}

impl Notices {
    /// Without a namespace of the Lease there is nothing in the cluster that stands for the operator: no Events then.
    pub(super) fn new(client: Client, namespace: Option<&str>, reporter: Reporter, metrics: Metrics) -> Self {
        let lease = namespace.map(|namespace| Api::namespaced(client.clone(), namespace));
        Self { metrics, client, lease, reporter }
    }

    /// `note` is a sentence for people.
    pub(super) async fn tell(&self, change: Change, note: &str) {
        let (result, reason) = match change {
            Change::Switched => ("switched", "ComponentSwitched"),
            Change::Refused => ("refused", "ComponentRefused"),
            Change::RolledBack => ("rolled-back", "ComponentRolledBack"),
        };
        self.metrics.results.get_or_create(&ResultLabels { result }).inc();
        let type_ = if change == Change::Switched {
            tracing::info!("{note}");
            EventType::Normal
        } else {
            tracing::error!("{note}");
            EventType::Warning
        };
        let mut note = note.to_owned();
        if note.len() > NOTE_BYTES {
            note.truncate(note.floor_char_boundary(NOTE_BYTES));
            note.push_str("...");
        }
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(note),
            action: "Switch".to_owned(),
            secondary: None,
        };
        match tokio::time::timeout(PATIENCE, self.record(&event)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, reason, "an event could not be recorded"),
            Err(_) => tracing::warn!(reason, "an event was not recorded within {PATIENCE:?}"),
        }
    }

    /// Events are a courtesy.
    async fn record(&self, event: &Event) -> Result<(), kube::Error> {
        let Some(api) = &self.lease else { return Ok(()) };
        // `kubectl describe` looks for events by UID too.
        let Some(lease) = api.get_opt(names::LEASE).await? else { return Ok(()) };
        let regarding = ObjectReference { resource_version: None, ..lease.object_ref(&()) };
        // A recorder that lasts would count a second switch as a repetition of the first, and keep the first note.
        Recorder::new(self.client.clone(), self.reporter.clone()).publish(event, &regarding).await
    }
}
