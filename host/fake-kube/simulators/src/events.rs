//! Events that the simulators record.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Error};

/// events.k8s.io/v1 `Event.note`: at most 1 kB, which the API server enforces as 1024 bytes.
const LONGEST_NOTE: usize = 1024;

/// Records the Events of one simulator, or nothing when Events are switched off. Repetitions become
/// a series.
pub(crate) struct EventRecorder(Option<Recorder>);

impl EventRecorder {
    pub(crate) fn new(client: Client, controller: &str, enabled: bool) -> Self {
        let reporter =
            || Reporter { controller: controller.to_owned(), instance: Some("fake-kube".to_owned()) };
        Self(enabled.then(|| Recorder::new(client, reporter())))
    }

    /// Records nothing.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Records one Event. Nothing depends on it, so a failure is only logged.
    pub(crate) async fn record(&self, about: &ObjectReference, type_: EventType, reason: &str, note: String) {
        let Some(recorder) = &self.0 else { return };
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(shortened(note)),
            action: "Simulate".to_owned(),
            secondary: None,
        };
        if let Err(error) = recorder.publish(&event, about).await {
            tracing::debug!(%error, reason, "an Event could not be recorded");
        }
    }
}

/// The API server's own message, without what the client library adds.
pub(crate) fn api_message(error: &Error) -> String {
    match error {
        Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

fn shortened(mut note: String) -> String {
    if note.len() > LONGEST_NOTE {
        note.truncate(note.floor_char_boundary(LONGEST_NOTE - '…'.len_utf8()));
        note.push('…');
    }
    note
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_NOTE, shortened};

    #[test]
    fn notes_are_cut_between_characters() {
        assert_eq!(shortened("short".into()), "short");
        let long = shortened("ä".repeat(LONGEST_NOTE));
        assert!(long.len() <= LONGEST_NOTE && long.ends_with("ä…"));
    }
}
