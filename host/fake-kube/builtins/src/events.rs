//! The two versions of an Event: `v1` and `events.k8s.io/v1` show the same stored object with other
//! field names.

use serde_json::{Map, Value};

// Field names in `v1` and in `events.k8s.io/v1`.
const RENAMED: [(&str, &str); 7] = [
    ("message", "note"),
    ("involvedObject", "regarding"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
];

/// An `events.k8s.io/v1` event as a `v1` event.
pub fn event_to_core(event: &Value) -> Value {
    convert(event, "v1", |name| RENAMED.iter().find(|(_, new)| *new == name).map(|(core, _)| *core))
}

/// A `v1` event as an `events.k8s.io/v1` event.
pub fn event_from_core(event: &Value) -> Value {
    convert(event, "events.k8s.io/v1", |name| {
        RENAMED.iter().find(|(core, _)| *core == name).map(|(_, new)| *new)
    })
}

fn convert(event: &Value, api_version: &str, rename: impl Fn(&str) -> Option<&'static str>) -> Value {
    let Some(fields) = event.as_object() else { return event.clone() };
    let renamed: Map<String, Value> = fields
        .iter()
        .map(|(name, value)| match name.as_str() {
            "apiVersion" => (name.clone(), api_version.into()),
            _ => (rename(name).unwrap_or(name).to_owned(), value.clone()),
        })
        .collect();
    Value::Object(renamed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_versions_hold_the_same() {
        let event = json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "a"},
            "note": "n", "reason": "Applied", "action": "Apply", "reportingController": "lab",
            "reportingInstance": "lab-0", "regarding": {"kind": "Cache"}, "deprecatedCount": 2,
        });
        let core = event_to_core(&event);
        assert_eq!(core["apiVersion"], "v1");
        assert_eq!(core["message"], "n");
        assert_eq!(core["involvedObject"], json!({"kind": "Cache"}));
        assert_eq!(core["count"], 2);
        assert_eq!(core["reportingInstance"], "lab-0");
        assert_eq!(event_from_core(&core), event);
    }
}
