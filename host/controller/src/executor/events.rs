//! Events about primaries (events.k8s.io/v1). They are recorded beside the plans: nobody waits for
//! them, and the children of other primaries come first.

mod series;

use super::Context;
use crate::activity::{Activity, Work};
use crate::may_write::MayWrite;
use crate::note::event_note;
use crate::object::Key;
use crate::requests::{Writer, create, has_code, is_namespace_terminating, merge_patch};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use orascache_contract::{Event, Kind, Severity};
use serde::Serialize;
use serde_json::json;
use series::Series;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tokio::sync::{mpsc, watch};

/// How many events are recorded at the same time.
const LANES: usize = 4;

/// How many events of a lane wait. A plan with an event beyond that waits itself.
const WAITING: usize = 1_000;

const EVENT: Kind = Kind::namespaced("events.k8s.io/v1", "Event", "events");

/// Where events about primaries without a namespace are.
const DEFAULT_NAMESPACE: &str = "default";

/// Most characters of a primary's name in the name of an event, so that the API server takes it.
const MAX_NAME: usize = 220;

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
    uid: Box<str>,
    event: Event,
    _work: [Work; 2],
}

/// What all events of a controller say of it.
#[derive(Clone)]
struct Reporter {
    /// The kind of the primaries.
    kind: Kind,
    controller: String,
    instance: String,
}

impl Events {
    /// Starts to record, until this is dropped.
    pub(super) fn new(
        client: &Writer,
        primary: Kind,
        field_manager: &str,
        instance: String,
        may_write: watch::Receiver<MayWrite>,
        activity: Activity,
    ) -> Self {
        let reporter = Reporter { kind: primary, controller: field_manager.to_owned(), instance };
        let is_failing = Arc::new(AtomicBool::new(false));
        let lanes = (0..LANES).map(|_| {
            let lane = Lane {
                client: client.clone(),
                reporter: reporter.clone(),
                series: Series::default(),
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
        let Some(lane) = self.lanes.get(lane_of(context.key)) else { return };
        let event = Event { note: event_note(&event.note), ..event.clone() };
        let work = [self.activity.begin(), self.pending.begin()];
        let (primary, uid) = (context.key.clone(), context.view.uid.clone());
        // A lane ends with its sender alone.
        let _ = lane.send(Recording { primary, uid, event, _work: work }).await;
    }

    /// Waits until no event waits or is being recorded.
    pub(super) async fn recorded(&self) {
        self.pending.idle().await;
    }
}

/// Records events one after another.
struct Lane {
    client: Writer,
    reporter: Reporter,
    series: Series,
    may_write: watch::Receiver<MayWrite>,
    /// Whether the last event could not be recorded, which was logged then.
    is_failing: Arc<AtomicBool>,
}

impl Lane {
    async fn run(mut self, mut recordings: mpsc::Receiver<Recording>) {
        while let Some(recording) = recordings.recv().await {
            if self.may_write.borrow().is_in_force() {
                self.record(&recording).await;
            }
        }
    }

    /// Records an event. The first of several that cannot be recorded is logged.
    async fn record(&mut self, recording: &Recording) {
        let (primary, reason) = (&recording.primary, &recording.event.reason);
        match self.send(recording).await {
            Ok(()) => {
                if self.is_failing.swap(false, Ordering::Relaxed) {
                    tracing::info!("events are recorded again");
                }
            }
            Err(error) if is_namespace_terminating(&error) => {}
            Err(error) if !self.is_failing.swap(true, Ordering::Relaxed) => {
                tracing::warn!(%primary, %reason, %error, "events cannot be recorded");
            }
            Err(error) => tracing::debug!(%primary, %reason, %error, "an event was not recorded"),
        }
    }

    /// Counts the event as a repetition of one like it, or creates it.
    async fn send(&mut self, recording: &Recording) -> Result<(), kube::Error> {
        let digest = digest(recording);
        let (now, time) = (Instant::now(), MicroTime(Timestamp::now()));
        let namespace = match &*recording.primary.namespace {
            "" => DEFAULT_NAMESPACE,
            namespace => namespace,
        };
        let repeated = self.series.repeated(digest, now).map(|(name, count)| (name.to_owned(), count));
        if let Some((name, count)) = repeated {
            let patch = json!({"series": {"count": count, "lastObservedTime": time}});
            let key = Key::new(namespace, &name);
            let manager = &self.reporter.controller;
            match merge_patch(&self.client, &EVENT, &key, manager, patch.to_string()).await {
                Ok(_) => {
                    self.series.remember(digest, &name, count, now);
                    return Ok(());
                }
                // It was deleted.
                Err(error) if has_code(&error, &[404]) => self.series.forget(digest),
                Err(error) => return Err(error),
            }
        }
        let name = self.reporter.name(recording, &time);
        let body = self.reporter.body(recording, namespace, &name, &time)?;
        create(&self.client, &EVENT, namespace, &self.reporter.controller, body).await?;
        self.series.remember(digest, &name, 1, now);
        Ok(())
    }
}

impl Reporter {
    /// The name of a new event: as client-go makes it, of the primary and the time.
    fn name(&self, recording: &Recording, time: &MicroTime) -> String {
        let primary = &recording.primary.name;
        let start = primary.get(..primary.floor_char_boundary(MAX_NAME)).unwrap_or_default();
        format!("{}.{:x}", start.trim_end_matches(['.', '-']), time.0.as_nanosecond())
    }

    /// A new event, JSON text.
    fn body(
        &self,
        recording: &Recording,
        namespace: &str,
        name: &str,
        time: &MicroTime,
    ) -> Result<String, kube::Error> {
        let Recording { primary, uid, event, .. } = recording;
        let body = NewEvent {
            api_version: &EVENT.api_version,
            kind: &EVENT.kind,
            metadata: Metadata { namespace, name },
            event_time: time,
            r#type: match event.severity {
                Severity::Normal => "Normal",
                Severity::Warning => "Warning",
            },
            reason: &event.reason,
            action: &event.action,
            note: &event.note,
            regarding: Regarding {
                api_version: &self.kind.api_version,
                kind: &self.kind.kind,
                namespace: Some(&*primary.namespace).filter(|namespace| !namespace.is_empty()),
                name: &primary.name,
                uid,
            },
            reporting_controller: &self.controller,
            reporting_instance: &self.instance,
        };
        serde_json::to_string(&body).map_err(kube::Error::SerdeError)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewEvent<'a> {
    api_version: &'a str,
    kind: &'a str,
    metadata: Metadata<'a>,
    event_time: &'a MicroTime,
    r#type: &'a str,
    reason: &'a str,
    action: &'a str,
    note: &'a str,
    regarding: Regarding<'a>,
    reporting_controller: &'a str,
    reporting_instance: &'a str,
}

#[derive(Serialize)]
struct Metadata<'a> {
    namespace: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Regarding<'a> {
    api_version: &'a str,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    name: &'a str,
    uid: &'a str,
}

/// The lane of a primary. It is always the same, so that repeated events become a series.
fn lane_of(primary: &Key) -> usize {
    let mut hasher = DefaultHasher::new();
    primary.hash(&mut hasher);
    usize::try_from(hasher.finish() % LANES as u64).unwrap_or_default()
}

/// A digest of what an event has in common with its repetitions: everything but its note.
fn digest(recording: &Recording) -> u64 {
    let Recording { primary, uid, event, .. } = recording;
    let mut hasher = DefaultHasher::new();
    (primary, uid, event.severity == Severity::Warning, &event.reason, &event.action).hash(&mut hasher);
    hasher.finish()
}
