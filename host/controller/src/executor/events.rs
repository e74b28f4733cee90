//! Events about primaries (events.k8s.io/v1). They are recorded beside the plans: nobody waits for
//! them, and the children of other primaries come first.

use super::Context;
use crate::activity::{Activity, Work};
use crate::may_write::MayWrite;
use crate::note::event_note;
use crate::object::Key;
use crate::requests::is_namespace_terminating;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{self, Recorder, Reporter};
use orascache_contract::{Event, Severity};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{mpsc, watch};

/// How many events are recorded at the same time.
const LANES: usize = 4;

/// Among how many recorders the primaries of a lane are spread: a recorder goes through all events
/// that it remembers whenever it records one.
const RECORDERS_PER_LANE: usize = 64;

/// How many events of a lane wait. A plan with an event beyond that waits itself.
const WAITING: usize = 1_000;

pub(super) struct Events {
    lanes: Vec<mpsc::Sender<Recording>>,
    /// Events that wait, or are being recorded.
    pending: Activity,
    /// The controller is not quiescent before they are recorded.
    activity: Activity,
}

/// An event that waits.
struct Recording {
    primary: Key,
    recorder: usize,
    event: events::Event,
    regarding: ObjectReference,
    _work: [Work; 2],
}

impl Events {
    /// Starts to record, until this is dropped.
    pub(super) fn new(
        client: &Client,
        field_manager: &str,
        instance: String,
        may_write: watch::Receiver<MayWrite>,
        activity: Activity,
    ) -> Self {
        let reporter = Reporter { controller: field_manager.to_owned(), instance: Some(instance) };
        let is_failing = Arc::new(AtomicBool::new(false));
        let lanes = (0..LANES).map(|_| {
            let recorder = |_| Recorder::new(client.clone(), reporter.clone());
            let lane = Lane {
                recorders: (0..RECORDERS_PER_LANE).map(recorder).collect(),
                may_write: may_write.clone(),
                is_failing: is_failing.clone(),
            };
            let (sender, receiver) = mpsc::channel(WAITING);
            tokio::spawn(lane.run(receiver));
            sender
        });
        Self { lanes: lanes.collect(), pending: Activity::default(), activity }
    }

    /// Has an event recorded. Events about one primary are recorded in their order.
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
        let (lane, recorder) = place(key);
        let Some(lane) = self.lanes.get(lane) else { return };
        let work = [self.activity.begin(), self.pending.begin()];
        let recording = Recording { primary: key.clone(), recorder, event, regarding, _work: work };
        // A lane ends with its sender alone.
        let _ = lane.send(recording).await;
    }

    /// Waits until no event waits or is being recorded.
    pub(super) async fn recorded(&self) {
        self.pending.idle().await;
    }
}

/// Records events one after another.
struct Lane {
    recorders: Vec<Recorder>,
    may_write: watch::Receiver<MayWrite>,
    /// Whether the last event could not be recorded, which was logged then.
    is_failing: Arc<AtomicBool>,
}

impl Lane {
    async fn run(self, mut recordings: mpsc::Receiver<Recording>) {
        while let Some(recording) = recordings.recv().await {
            if self.may_write.borrow().is_in_force() {
                self.record(&recording).await;
            }
        }
    }

    /// Records an event. The first of several that cannot be recorded is logged.
    async fn record(&self, recording: &Recording) {
        let Recording { primary, event, regarding, .. } = recording;
        let Some(recorder) = self.recorders.get(recording.recorder) else { return };
        let reason = &event.reason;
        match recorder.publish(event, regarding).await {
            Ok(()) => {
                if self.is_failing.swap(false, Ordering::Relaxed) {
                    tracing::info!("events are recorded again");
                }
            }
            Err(error) if is_namespace_terminating(&error) => {}
            Err(error) if !self.is_failing.swap(true, Ordering::Relaxed) => {
                tracing::warn!(%primary, reason, %error, "events cannot be recorded");
            }
            Err(error) => tracing::debug!(%primary, reason, %error, "an event was not recorded"),
        }
    }
}

/// The lane and the recorder of a primary. They are always the same, so that repeated events become
/// a series.
fn place(primary: &Key) -> (usize, usize) {
    let mut hasher = DefaultHasher::new();
    primary.hash(&mut hasher);
    let hash = usize::try_from(hasher.finish() % (LANES * RECORDERS_PER_LANE) as u64).unwrap_or_default();
    (hash % LANES, hash / LANES)
}
