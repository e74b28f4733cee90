//! Events about primaries (events.k8s.io/v1).

use super::Context;
use crate::note::event_note;
use crate::object::Key;
use crate::requests::is_namespace_terminating;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{self, Recorder, Reporter};
use orascache_contract::{Event, Severity};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};

/// Among how many recorders the primaries are spread: a recorder goes through all events that it
/// remembers whenever it records one.
const RECORDERS: u64 = 256;

pub(super) struct Events {
    recorders: Vec<Recorder>,
    /// Whether the last event could not be recorded, which was logged then.
    is_failing: AtomicBool,
}

impl Events {
    pub(super) fn new(client: &Client, field_manager: &str, instance: String) -> Self {
        let reporter = Reporter { controller: field_manager.to_owned(), instance: Some(instance) };
        let recorders = (0..RECORDERS).map(|_| Recorder::new(client.clone(), reporter.clone())).collect();
        Self { recorders, is_failing: AtomicBool::new(false) }
    }

    /// Records an event. The first of several that cannot be recorded is logged.
    pub(super) async fn record(&self, context: &Context<'_>, event: &Event) {
        let (kind, key) = (context.cache.primary_kind(), context.key);
        let regarding = ObjectReference {
            api_version: Some(kind.api_version.to_string()),
            kind: Some(kind.kind.to_string()),
            name: Some(key.name.to_string()),
            namespace: (!key.namespace.is_empty()).then(|| key.namespace.to_string()),
            uid: Some(context.view.uid.to_string()),
            ..ObjectReference::default()
        };
        let event = events::Event {
            type_: match event.severity {
                Severity::Normal => events::EventType::Normal,
                Severity::Warning => events::EventType::Warning,
            },
            reason: event.reason.to_string(),
            note: Some(event_note(&event.note)),
            action: event.action.to_string(),
            secondary: None,
        };
        let Some(recorder) = self.recorder(key) else { return };
        match recorder.publish(&event, &regarding).await {
            Ok(()) => {
                if self.is_failing.swap(false, Ordering::Relaxed) {
                    tracing::info!("events are recorded again");
                }
            }
            Err(error) if is_namespace_terminating(&error) => {}
            Err(error) if !self.is_failing.swap(true, Ordering::Relaxed) => {
                tracing::warn!(primary = %key, reason = event.reason, %error, "events cannot be recorded");
            }
            Err(error) => {
                tracing::debug!(primary = %key, reason = event.reason, %error, "an event was not recorded");
            }
        }
    }

    /// The recorder of a primary is always the same, so that repeated events become a series.
    fn recorder(&self, key: &Key) -> Option<&Recorder> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        self.recorders.get(usize::try_from(hasher.finish() % RECORDERS).unwrap_or_default())
    }
}
