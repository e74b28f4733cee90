//! A JSON document that is parsed only where it is changed. Everything else stays as it was written, byte for byte.
//!
//! So numbers of any size and fields of any version survive. The tree of serde_json keeps them only with features that
//! change how every other crate of a build reads numbers.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// A value: untouched text, or its parts.
#[derive(Debug)]
pub(crate) enum Node<'a> {
    /// JSON text.
    Raw(&'a str),
    /// Members in their order.
    Object(Vec<(String, Node<'a>)>),
    /// Items.
    Array(Vec<Node<'a>>),
}

impl<'a> Node<'a> {
    /// Parses one level of the text. Strings, numbers, true, false and null have no levels.
    fn open(&mut self) {
        let Node::Raw(text) = self else { return };
        if !text.trim_start().starts_with(['{', '[']) {
            return;
        }
        if let Ok(Parts(node)) = serde_json::from_str(text) {
            *self = node;
        }
    }

    /// The same value, parsed by one level.
    pub(crate) fn opened(&mut self) -> &mut Self {
        self.open();
        self
    }

    /// The member or item that a reference token of a JSON pointer names (RFC 6901, section 4).
    pub(crate) fn child(&mut self, token: &str) -> Option<&mut Node<'a>> {
        match self.opened() {
            Node::Raw(_) => None,
            Node::Object(members) => {
                members.iter_mut().find(|(name, _)| name == token).map(|(_, value)| value)
            }
            Node::Array(items) => items.get_mut(index(token)?),
        }
    }

    /// Writes the document.
    pub(crate) fn write(&self, text: &mut String) {
        match self {
            Node::Raw(raw) => text.push_str(raw),
            Node::Object(members) => {
                text.push('{');
                for (number, (name, value)) in members.iter().enumerate() {
                    if number > 0 {
                        text.push(',');
                    }
                    text.push_str(&serde_json::Value::from(name.as_str()).to_string());
                    text.push(':');
                    value.write(text);
                }
                text.push('}');
            }
            Node::Array(items) => {
                text.push('[');
                for (number, item) in items.iter().enumerate() {
                    if number > 0 {
                        text.push(',');
                    }
                    item.write(text);
                }
                text.push(']');
            }
        }
    }
}

/// An index of a list: digits without leading zeros (RFC 6901, section 4).
pub(crate) fn index(token: &str) -> Option<usize> {
    let is_canonical = token == "0" || !token.starts_with('0');
    (is_canonical && token.bytes().all(|byte| byte.is_ascii_digit())).then(|| token.parse().ok()).flatten()
}

/// One level of a document.
struct Parts<'a>(Node<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Parts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PartsVisitor;
        impl<'de> Visitor<'de> for PartsVisitor {
            type Value = Parts<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object or a list")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = access.next_entry::<String, &'de RawValue>()? {
                    members.push((name, Node::Raw(value.get())));
                }
                Ok(Parts(Node::Object(members)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = access.next_element::<&'de RawValue>()? {
                    items.push(Node::Raw(item.get()));
                }
                Ok(Parts(Node::Array(items)))
            }
        }
        deserializer.deserialize_any(PartsVisitor)
    }
}
