//! Events that the simulators record.

use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Error, Resource};

/// events.k8s.io/v1 refuses longer notes.
const LONGEST_NOTE: usize = 1024;

/// A recorder of one simulator, which folds repetitions into a series as long as it lives.
pub(crate) fn recorder(client: Client, controller: &str) -> Recorder {
    let reporter = Reporter { controller: controller.to_owned(), instance: Some("dev".to_owned()) };
    Recorder::new(client, reporter)
}

/// Records one event; it is a courtesy, so that failing is only logged.
pub(crate) async fn record<K>(recorder: &Recorder, about: &K, type_: EventType, reason: &str, note: String)
where
    K: Resource<DynamicType = ()>,
{
    let event = Event {
        type_,
        reason: reason.to_owned(),
        note: Some(shortened(note)),
        action: "Simulate".to_owned(),
        secondary: None,
    };
    if let Err(error) = recorder.publish(&event, &about.object_ref(&())).await {
        tracing::debug!(%error, reason, "an event could not be recorded");
    }
}

/// What the API says about a failure, without the frame of the client library.
pub(crate) fn reason_of(error: &Error) -> String {
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
