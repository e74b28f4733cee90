//! Events, in both of their versions.

use std::borrow::Cow;

use serde_json::Value;

use super::{NAME, Row, Table, integer, text};
use crate::events::event_to_core;
use crate::json::Fields;

pub(super) const EVENTS: Table = Table {
    columns: &[
        text("Last Seen", "The time at which the most recent occurrence of this event was recorded."),
        text("Type", "Type of this event (Normal, Warning), new types could be added in the future"),
        text("Reason", "The reason for the transition into the object's current status."),
        text("Object", "The object that this event is about."),
        text("Subobject", "A part of the object, for example one container.").wide(),
        text("Source", "The component reporting this event.").wide(),
        text("Message", "A human-readable description of the status of this operation."),
        text("First Seen", "The time at which the event was first recorded.").wide(),
        integer("Count", "The number of times this event has occurred.").wide(),
        NAME.wide(),
    ],
    cells: event,
};

fn event(row: &Row<'_>) -> Vec<Value> {
    let event = if row.object.has("regarding") {
        Cow::Owned(event_to_core(row.object))
    } else {
        Cow::Borrowed(row.object)
    };
    let first_of = |fields: &[&str]| -> String {
        fields
            .iter()
            .map(|field| event.text(field))
            .find(|time| !time.is_empty())
            .unwrap_or_default()
            .to_owned()
    };
    let first = first_of(&["firstTimestamp", "eventTime"]);
    let series = event.at("series");
    let (last, count) = if series.is_null() {
        let count = event.integer("count").filter(|count| *count != 0).unwrap_or(1);
        (first_of(&["lastTimestamp", "firstTimestamp", "eventTime"]), count)
    } else {
        (series.text("lastObservedTime").to_owned(), series.integer("count").unwrap_or(0))
    };
    let involved = event.at("involvedObject");
    let kind = involved.text("kind").to_lowercase();
    let target = match involved.text("name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    vec![
        row.since(&last).into(),
        event.text("type").into(),
        event.text("reason").into(),
        target.into(),
        involved.text("fieldPath").into(),
        source(&event).into(),
        event.text("message").trim().into(),
        row.since(&first).into(),
        count.into(),
        row.name(),
    ]
}

fn source(event: &Value) -> String {
    let part = |old: &str, new: &str| {
        let old = event.at("source").text(old);
        if old.is_empty() { event.text(new).to_owned() } else { old.to_owned() }
    };
    let (component, host) = (part("component", "reportingComponent"), part("host", "reportingInstance"));
    if host.is_empty() { component } else { format!("{component}, {host}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn both_versions_show_the_same() {
        let new = json!({
            "metadata": {"name": "e"}, "regarding": {"kind": "Cache", "name": "a"}, "note": "n", "type": "Normal",
            "reason": "Applied", "eventTime": "2026-11-23T20:10:09.000000Z", "reportingController": "lab",
        });
        let now = "2026-11-23T20:10:19Z";
        let show = |group, object| crate::cells(crate::find(group, "v1", "events").unwrap(), object, now);
        let cells = show("events.k8s.io", &new);
        assert_eq!(cells, show("", &crate::event_to_core(&new)));
        assert_eq!(
            json!(cells),
            json!(["10s", "Normal", "Applied", "cache/a", "", "lab", "n", "10s", 1, "e"])
        );
    }
}
