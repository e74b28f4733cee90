//! Events about changes of the component, regarding the operator's Lease.
//!
//! The component writes the status of primaries, and a change concerns none of them in particular.
//! The Lease exists once for each installation, has a name that is known, and the operator may read
//! it already.

use deploy_manifests::names;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Api, Client, Resource};
use orascache_controller::event_note;
use orascache_runtime::hot_swap::{Change, ChangeKind};
use std::time::Duration;

/// How long an API server that does not answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Publishes changes of the component as Events.
pub(crate) struct VersionEvents {
    client: Client,
    lease: Option<Api<Lease>>,
    reporter: Reporter,
}

impl VersionEvents {
    /// Without a namespace of the Lease no object stands for the operator, and there are no Events.
    pub(crate) fn new(client: Client, lease_namespace: Option<&str>, reporter: Reporter) -> Self {
        let lease = lease_namespace.map(|namespace| Api::namespaced(client.clone(), namespace));
        Self { client, lease, reporter }
    }

    /// Publishes a change. When that fails, the log says so.
    pub(crate) async fn publish(&self, change: Change) {
        let (type_, reason) = match change.kind {
            ChangeKind::Switched => (EventType::Normal, "ComponentSwitched"),
            ChangeKind::Refused => (EventType::Warning, "ComponentRefused"),
            ChangeKind::RolledBack => (EventType::Warning, "ComponentRolledBack"),
        };
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(event_note(&change.note)),
            action: "Switch".to_owned(),
            secondary: None,
        };
        match tokio::time::timeout(PATIENCE, self.record(&event)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, reason, "an event could not be recorded"),
            Err(_) => tracing::warn!(reason, "an event was not recorded within {PATIENCE:?}"),
        }
    }

    async fn record(&self, event: &Event) -> Result<(), kube::Error> {
        let Some(api) = &self.lease else { return Ok(()) };
        // `kubectl describe` looks for events by UID too.
        let Some(lease) = api.get_opt(names::LEASE).await? else { return Ok(()) };
        let regarding = ObjectReference { resource_version: None, ..lease.object_ref(&()) };
        // A recorder that is kept would count a second change as a repetition of the first one, and
        // keep the first note.
        Recorder::new(self.client.clone(), self.reporter.clone()).publish(event, &regarding).await
    }
}
