//! On which line the parts of a document stand.

use super::yaml::yaml;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use std::collections::BTreeMap;
use std::fmt;

/// The lines of a document and of everything in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    root: Node,
    /// How many lines are in front of the text that was read.
    before: usize,
}

/// A value, without what it says. Items of a list have their positions as names.
#[derive(Clone, Debug, Default)]
struct Node(BTreeMap<String, (usize, Node)>);

impl Lines {
    /// The lines of a text that was read as a document before. Without them, everything stands
    /// where the document begins.
    pub(super) fn of(text: &str, before: usize) -> Self {
        Self { root: yaml(text).unwrap_or_default(), before }
    }

    /// The line of what a JSON pointer names.
    pub(super) fn line(&self, pointer: &str) -> Option<usize> {
        let mut node = &self.root;
        let mut line = None;
        for name in pointer.split('/').skip(1) {
            let (found, below) = node.0.get(&name.replace("~1", "/").replace("~0", "~"))?;
            (line, node) = (Some(*found), below);
        }
        line.map(|line| line + self.before)
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut members = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            members.insert(name, entry(map.next_value()?));
        }
        Ok(Node(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut members = BTreeMap::new();
        while let Some(item) = items.next_element()? {
            members.insert(members.len().to_string(), entry(item));
        }
        Ok(Node(members))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::default())
    }

    fn visit_i128<E>(self, _: i128) -> Result<Node, E> {
        Ok(Node::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::default())
    }

    fn visit_u128<E>(self, _: u128) -> Result<Node, E> {
        Ok(Node::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(Node::default())
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Node, E> {
        Ok(Node::default())
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::default())
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Node::default())
    }
}

fn entry(spanned: Spanned<Node>) -> (usize, Node) {
    let line = usize::try_from(spanned.referenced.line()).unwrap_or(1);
    (line, spanned.value)
}
