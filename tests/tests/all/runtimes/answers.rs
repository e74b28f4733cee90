//! Answers as JSON in one notation for all languages. Names are as in the WIT package. A variant is
//! an object with its case and payload, or only the name of its case. An absent value has no member.

use orascache_contract::GuestError;
use serde_json::{Map, Value, json};

/// Reads what a program printed, and converts it to this notation.
pub fn parsed(text: &str) -> Value {
    let value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    uniform(value)
}

/// Converts an answer of our host to this notation: `{"ok": ...}` or `{"err": ...}`.
pub fn answered(answer: Result<Value, GuestError>) -> Value {
    uniform(match answer {
        Ok(value) => json!({"ok": value}),
        Err(error) => json!({"err": error}),
    })
}

/// Converts a value to this notation. It may come from the contract's types, from bindings for
/// JavaScript or Python, or from [WAVE](super::wave).
pub fn uniform(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(uniform).collect(),
        Value::Object(mut members) => {
            // No record of the contract has a field `tag`.
            if let Some(Value::String(case)) = members.remove("tag") {
                // The JavaScript bindings call the payload `val`, the Python bindings `payload`.
                let payload = members.remove("val").or_else(|| members.remove("payload"));
                members = Map::from_iter([(case, payload.unwrap_or_default())]);
            }
            // A case without payload, or with an absent one: no record of the contract has a single
            // field.
            if members.len() == 1
                && let Some((case, Value::Null)) = members.iter().next()
            {
                return kebab(case).into();
            }
            let present = members.into_iter().filter(|(_, value)| !value.is_null());
            present.map(|(name, value)| (kebab(&name), member(&name, value))).collect::<Map<_, _>>().into()
        }
        other => other,
    }
}

/// The value of a member. All strings are kept, except for one that names a case.
fn member(name: &str, value: Value) -> Value {
    match value {
        Value::String(case) if name == "aspect" => kebab(&case).into(),
        other => uniform(other),
    }
}

/// Converts `requeueAfter` and `requeue_after` to the form in WIT, `requeue-after`.
pub fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for character in name.chars() {
        if character == '_' {
            kebab.push('-');
        } else if character.is_ascii_uppercase() {
            kebab.push('-');
            kebab.push(character.to_ascii_lowercase());
        } else {
            kebab.push(character);
        }
    }
    kebab
}
