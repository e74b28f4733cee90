//! Writes the tree as text.

use super::Json;
use super::plain;
use std::fmt::Write;

impl Json<'_> {
    /// Writes the value as JSON text, without spaces.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        value(self, &mut text);
        text
    }
}

fn value(json: &Json<'_>, text: &mut String) {
    match json {
        Json::Null => text.push_str("null"),
        Json::Bool(true) => text.push_str("true"),
        Json::Bool(false) => text.push_str("false"),
        Json::Int(number) => {
            // Writing into a String does not fail.
            let _ = write!(text, "{number}");
        }
        Json::OtherNumber(number) => text.push_str(number.text()),
        Json::Str(content) => string(content, text),
        Json::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                value(item, text);
            }
            text.push(']');
        }
        Json::Object(members) => {
            text.push('{');
            for (index, (name, member)) in members.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                string(name, text);
                text.push(':');
                value(member, text);
            }
            text.push('}');
        }
    }
}

#[inline(never)]
fn string(content: &str, text: &mut String) {
    text.push('"');
    let mut rest = content;
    // What has to be escaped is one byte long.
    while let Some((plain, behind)) = rest.split_at_checked(plain::length(rest.as_bytes())) {
        text.push_str(plain);
        let mut characters = behind.chars();
        let Some(special) = characters.next() else { break };
        escape(special, text);
        rest = characters.as_str();
    }
    text.push('"');
}

#[cold]
fn escape(special: char, text: &mut String) {
    match special {
        '"' => text.push_str("\\\""),
        '\\' => text.push_str("\\\\"),
        '\u{8}' => text.push_str("\\b"),
        '\u{c}' => text.push_str("\\f"),
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        other => {
            let _ = write!(text, "\\u{:04x}", u32::from(other));
        }
    }
}
