//! Replaces what differs between two servers that behave alike: UIDs, times, revisions, cluster
//! IPs.

use std::collections::BTreeMap;

use serde_json::Value;

use super::step::Answer;

/// Normalises the answers of one server to one sequence.
#[derive(Default)]
pub struct Normaliser {
    /// Names of resourceVersions, in the order in which they were seen.
    revisions: BTreeMap<String, String>,
}

impl Normaliser {
    pub fn normalise(&mut self, answer: &Answer) -> Answer {
        let mut body = answer.body.clone();
        if body["items"].is_array() {
            // A real server also counts writes of its own.
            body["metadata"]["resourceVersion"] = "LIST".into();
        }
        self.visit(&mut body, "");
        Answer { status: answer.status, body }
    }

    fn visit(&mut self, value: &mut Value, key: &str) {
        match value {
            Value::Object(members) => members.iter_mut().for_each(|(key, member)| self.visit(member, key)),
            Value::Array(items) => {
                items.iter_mut().for_each(|item| self.visit(item, key));
                if key == "managedFields" {
                    // Their order depends on times.
                    items.sort_by_key(|entry| {
                        [&entry["manager"], &entry["operation"], &entry["subresource"]].map(Value::to_string)
                    });
                }
            }
            Value::String(text) => *text = self.text(text, key),
            _ => {}
        }
    }

    fn text(&mut self, text: &str, key: &str) -> String {
        match key {
            "resourceVersion" if !matches!(text, "" | "LIST") => {
                let next = format!("R{}", self.revisions.len() + 1);
                self.revisions.entry(text.to_owned()).or_insert(next).clone()
            }
            "creationTimestamp" | "deletionTimestamp" | "time" | "lastTransitionTime" => "TIME".to_owned(),
            "clusterIP" | "clusterIPs" if text != "None" => "IP".to_owned(),
            // The fake leaves out the difference that follows in the next lines.
            "message" if text.contains("pod updates may not change fields") => {
                without_identity(text.lines().next().unwrap_or_default())
            }
            _ => without_identity(text),
        }
    }
}

/// Replaces UIDs, and the times of conflicts (`using v1 at 2026-01-01T00:00:00Z`).
fn without_identity(text: &str) -> String {
    let mut parts = without_uids(text).split(" at ").map(str::to_owned).collect::<Vec<_>>();
    for part in parts.iter_mut().skip(1) {
        if part.as_bytes().get(10) == Some(&b'T') && part.as_bytes().get(19) == Some(&b'Z') {
            part.replace_range(..20, "TIME");
        }
    }
    parts.join(" at ")
}

fn without_uids(text: &str) -> String {
    let is_uid = |word: &str| {
        word.len() == 36
            && word.bytes().enumerate().all(|(position, byte)| match position {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            })
    };
    let mut out = String::new();
    let mut word = String::new();
    for character in text.chars() {
        if character.is_ascii_alphanumeric() || character == '-' {
            word.push(character);
            continue;
        }
        out.push_str(if is_uid(&word) { "UID" } else { &word });
        word.clear();
        out.push(character);
    }
    out.push_str(if is_uid(&word) { "UID" } else { &word });
    out
}

/// Where two documents differ, one line a place.
pub fn differences(wanted: &Value, given: &Value, path: &str, out: &mut Vec<String>) {
    match (wanted, given) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                let (a, b) = (a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null));
                differences(a, b, &format!("{path}/{key}"), out);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differences(a, b, &format!("{path}/{index}"), out);
            }
        }
        _ if wanted != given => out.push(format!("{path}: {given} instead of {wanted}")),
        _ => {}
    }
}

#[test]
fn revisions_and_uids_are_replaced_consistently() {
    use serde_json::json;
    let answer = |version: &str, uid: &str| Answer {
        status: 200,
        body: json!({"metadata": {"resourceVersion": version, "uid": uid, "creationTimestamp": "2026"},
            "message": format!("the UID ({uid}) was set by m using v1 at 2026-01-01T00:00:{version:0>2}Z: .spec")}),
    };
    let (one, two) = ("01234567-89ab-cdef-0123-456789abcdef", "11234567-89ab-cdef-0123-456789abcdef");
    let (mut first, mut second) = (Normaliser::default(), Normaliser::default());
    assert_eq!(first.normalise(&answer("7", one)), second.normalise(&answer("9", two)));
    assert_eq!(first.normalise(&answer("8", one)), second.normalise(&answer("12", two)));
    assert_ne!(first.normalise(&answer("7", one)), second.normalise(&answer("12", two)));
}
