//! The status of a primary, and its conditions (KEP-1623).

use crate::object::Object;
use orascache_contract::time;
use serde_json::{Value, json};

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition<'a> {
    /// Its type, as in `Ready`.
    pub kind: &'a str,
    /// Whether it is true.
    pub status: bool,
    /// Why, as one word in PascalCase.
    pub reason: &'a str,
    /// A sentence.
    pub message: &'a str,
}

impl Object {
    /// Returns the value for [`Plan::status`](crate::Plan::status): the object with its whole new
    /// status. `None` when it has that status already.
    ///
    /// Conditions are compared by their types, so that those of other writers do not count.
    pub fn with_status(&self, status: &Value) -> Option<String> {
        if is_same_status(&self["status"], status) {
            return None;
        }
        let document = json!({
            "apiVersion": self["apiVersion"],
            "kind": self["kind"],
            // The UID keeps the status off an object that was recreated meanwhile.
            "metadata": {"name": self.name(), "namespace": self.namespace(), "uid": self.uid()},
            "status": status,
        });
        Some(document.to_string())
    }

    /// `status.conditions` as it should be. `now` is in seconds since the Unix epoch, as in
    /// [`Observed::now`](crate::Observed::now).
    ///
    /// `lastTransitionTime` moves when a condition becomes true or false, and not when its reason
    /// or message changes.
    ///
    /// ```
    /// use orascache_guest_sdk::{Condition, Object};
    ///
    /// let note = Object::parse("the Note", r#"{"metadata":{"name":"a","generation":2}}"#)?;
    /// let ready = Condition { kind: "Ready", status: true, reason: "Written", message: "" };
    /// let conditions = note.conditions(0, &[ready]);
    /// assert_eq!(conditions[0]["lastTransitionTime"], "1970-01-01T00:00:00Z");
    /// assert_eq!(conditions[0]["observedGeneration"], 2);
    /// # Ok::<(), orascache_guest_sdk::Error>(())
    /// ```
    pub fn conditions(&self, now: u64, conditions: &[Condition<'_>]) -> Value {
        let written = |condition: &Condition<'_>| {
            let status = if condition.status { "True" } else { "False" };
            let since = of_type(&self["status"]["conditions"], condition.kind)
                .filter(|before| before["status"] == status)
                .and_then(|before| before["lastTransitionTime"].as_str())
                .map_or_else(|| time::rfc3339(now), str::to_owned);
            json!({
                "type": condition.kind, "status": status, "reason": condition.reason, "message": condition.message,
                "lastTransitionTime": since, "observedGeneration": self["metadata"]["generation"],
            })
        };
        conditions.iter().map(written).collect()
    }
}

fn of_type<'a>(conditions: &'a Value, kind: &str) -> Option<&'a Value> {
    conditions.as_array()?.iter().find(|condition| condition["type"] == kind)
}

/// Whether an observed status is the wanted one. Members of the observed status that are not wanted
/// are facts that no longer hold; conditions that are not wanted are other writers'.
fn is_same_status(observed: &Value, wanted: &Value) -> bool {
    let (Some(before), Some(after)) = (observed.as_object(), wanted.as_object()) else {
        return observed == wanted;
    };
    let is_same = |(name, value): (&String, &Value)| match value.as_array() {
        Some(conditions) if name == "conditions" => conditions.iter().all(|condition| {
            let kind = condition["type"].as_str().unwrap_or_default();
            of_type(&observed["conditions"], kind) == Some(condition)
        }),
        _ => observed[name] == *value,
    };
    after.iter().all(is_same) && before.keys().all(|name| !wanted[name].is_null() || observed[name].is_null())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note() -> Object {
        let text = r#"{"apiVersion":"lab.example.com/v1","kind":"Note",
            "metadata":{"name":"a","namespace":"n","uid":"u"},
            "status":{"seen":1,"conditions":[
                {"type":"Ready","status":"True"},{"type":"Theirs","status":"True"}]}}"#;
        Object::parse("the Note", text).expect("a Note")
    }

    #[test]
    fn a_status_is_written_when_it_differs() {
        let ready = json!([{"type": "Ready", "status": "True"}]);
        assert_eq!(note().with_status(&json!({"seen": 1, "conditions": ready})), None);
        for different in [
            json!({"seen": 2, "conditions": ready}),
            json!({"conditions": ready}),
            json!({"seen": 1, "conditions": [{"type": "Ready", "status": "False"}]}),
            json!({"seen": 1, "more": 2, "conditions": ready}),
        ] {
            let text = note().with_status(&different).expect("a difference");
            let written: Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(written["status"], different);
            assert_eq!(written["metadata"], json!({"name": "a", "namespace": "n", "uid": "u"}));
        }
    }

    #[test]
    fn transition_times_move_only_on_transitions() {
        let note = Object::parse(
            "the Note",
            r#"{"metadata":{"name":"a"},"status":{"conditions":[
                {"type":"Ready","status":"True","reason":"Old","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}"#,
        )
        .expect("a Note");
        let ready = |status| {
            let condition = Condition { kind: "Ready", status, reason: "New", message: "It is new." };
            note.conditions(1, &[condition])[0].clone()
        };
        assert_eq!(ready(true)["lastTransitionTime"], "2026-01-01T00:00:00Z");
        assert_eq!(ready(true)["reason"], "New");
        assert_eq!(ready(false)["lastTransitionTime"], "1970-01-01T00:00:01Z");
    }
}
