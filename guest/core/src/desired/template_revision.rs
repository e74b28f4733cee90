//! Revisions of the defaults of the pod template.

use crate::json::Json;

/// A revision of everything in the pod template that the spec does not say.
///
/// Whoever changes a default of the template (a constant, a probe, the default image) adds a
/// revision and keeps what the older ones rendered: an upgrade of the operator would otherwise
/// restart every registry without storage and empty it. `tests/all/security_upgrade.rs` has the
/// StatefulSets of each revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TemplateRevision {
    /// The registry lets clients delete. StatefulSets of this revision may have no stamp.
    DeletionOn,
    /// The registry lets clients delete only where the spec says so.
    DeletionOff,
    /// Where retention deletes, the garbage of the registry is collected.
    Collection,
}

impl TemplateRevision {
    /// What new registries get.
    pub(crate) const CURRENT: Self = Self::Collection;
    /// All others, the newest first.
    pub(crate) const OLDER: [Self; 2] = [Self::DeletionOff, Self::DeletionOn];

    /// The number in the annotation of the StatefulSet.
    pub(crate) fn number(self) -> &'static str {
        match self {
            Self::DeletionOn => "1",
            Self::DeletionOff => "2",
            Self::Collection => "3",
        }
    }

    /// The revision with a number, where this version knows it.
    pub(crate) fn of_number(number: &Json<'_>) -> Option<Self> {
        let mut known = Self::OLDER.into_iter().chain([Self::CURRENT]);
        known.find(|revision| number.as_str() == Some(revision.number()))
    }
}
