//! Objects as the cache stores them: JSON text, and beside it the few facts that the controller
//! needs.

use crate::compressed::Compressed;
use orascache_contract::Kind;
use std::sync::Arc;

/// Whether this is the kind of Secrets.
pub(crate) fn is_secret(kind: &Kind) -> bool {
    kind.api_version == "v1" && kind.kind == "Secret"
}

/// Namespace (empty for objects that live in none) and name. The queue, the cache and its indexes
/// share the texts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) namespace: Arc<str>,
    pub(crate) name: Arc<str>,
}

impl Key {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Key { namespace: namespace.into(), name: name.into() }
    }

    /// Whether an object of this key may be the controller of another one: owner references do not
    /// cross namespaces, but objects without a namespace may own objects in any.
    pub(crate) fn may_control(&self, child: &Key) -> bool {
        self.namespace.is_empty() || self.namespace == child.namespace
    }
}

/// As in `lab/shared`.
impl std::fmt::Display for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.namespace.is_empty() {
            write!(formatter, "{}", self.name)
        } else {
            write!(formatter, "{}/{}", self.namespace, self.name)
        }
    }
}

/// One object as the cache stores it.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) key: Key,
    pub(crate) uid: Box<str>,
    /// As the API server wrote it.
    pub(crate) resource_version: Box<str>,
    /// UID of the controller, when its owner reference names the primary's kind. Whether there is
    /// such a primary, and in the same namespace, is for the reader to check.
    pub(crate) controller: Option<Arc<str>>,
    /// JSON text without what the watch does not retain, and without the resourceVersion between its
    /// quotes. Of managedFields it has the entries of other managers, and those only where the
    /// object is stored whole.
    pub(crate) compressed: Compressed,
    /// Where the resourceVersion belongs in the text; `None` when it is not retained.
    pub(crate) revision_at: Option<usize>,
    /// Digest of the text without the status and the resourceVersion.
    pub(crate) content: u64,
    /// managedFields entries of all managers, but for those of the status subresource, as JSON
    /// text. `None` for most objects: nobody but us set fields of them.
    pub(crate) managers: Option<Box<Compressed>>,
    /// Whether our field manager set fields of it, and nothing controls it: somebody removed its
    /// owner reference.
    pub(crate) is_stray: bool,
    /// Whether our field manager owns fields of it that it did not apply: those of the creation.
    /// The next apply takes them over.
    pub(crate) has_created_fields: bool,
}

impl Stored {
    /// The resourceVersion as a number: newer states have a higher one (KEP-5504). A text that is
    /// no number counts as newer than all.
    pub(crate) fn revision(&self) -> u64 {
        revision(&self.resource_version)
    }

    /// The object as JSON text without what the watch does not retain. Guests get this text.
    pub(crate) fn text(&self) -> Arc<str> {
        let text = self.compressed.open();
        match self.revision_at.and_then(|at| text.split_at_checked(at)) {
            Some((before, after)) => [before, &self.resource_version, after].concat().into(),
            None => text.into(),
        }
    }

    /// Bytes of the text.
    pub(crate) fn length(&self) -> usize {
        self.compressed.length() + self.revision_at.map_or(0, |_| self.resource_version.len())
    }

    /// Whether two states of an object are equal but for their resourceVersion.
    pub(crate) fn looks_like(&self, other: &Stored) -> bool {
        self.uid == other.uid
            && self.is_stray == other.is_stray
            && self.has_created_fields == other.has_created_fields
            && self.content == other.content
            && self.revision_at == other.revision_at
            && self.managers == other.managers
            && self.compressed == other.compressed
    }
}

/// A resourceVersion as a number; `u64::MAX` for a text that is none.
pub(crate) fn revision(resource_version: &str) -> u64 {
    resource_version.parse().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Key, Stored};
    use crate::testing::object;

    /// A state whose text is without its resourceVersion.
    fn state(revision: &str, data: &str) -> Stored {
        let text = format!(r#"{{"metadata":{{"resourceVersion":""}},"data":"{data}"}}"#);
        Stored {
            revision_at: text.find("\"}"),
            compressed: text.as_str().into(),
            resource_version: revision.into(),
            ..object("n", "u", 1, None)
        }
    }

    #[test]
    fn states_that_differ_in_their_revision_alone_look_alike() {
        assert!(state("9", "x").looks_like(&state("10", "x")));
        assert!(!state("9", "x").looks_like(&state("10", "y")));
    }

    #[test]
    fn the_text_has_the_revision_where_it_was() {
        let stored = state("10", "x");
        assert_eq!(&*stored.text(), r#"{"metadata":{"resourceVersion":"10"},"data":"x"}"#);
        assert_eq!(stored.length(), stored.text().len());
        let without = Stored { revision_at: None, ..stored };
        assert_eq!(&*without.text(), r#"{"metadata":{"resourceVersion":""},"data":"x"}"#);
        assert_eq!(without.length(), without.text().len());
    }

    #[test]
    fn owners_control_objects_of_their_namespace_alone() {
        assert!(Key::new("a", "p").may_control(&Key::new("a", "c")));
        assert!(!Key::new("a", "p").may_control(&Key::new("b", "c")));
        assert!(Key::new("", "p").may_control(&Key::new("b", "c")));
    }
}
