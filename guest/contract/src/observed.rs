//! What a plan may depend on.

use crate::{ArtifactAnswer, Failure, Kind};
use std::sync::Arc;

/// Everything that a plan may depend on. `T` is the type of JSON text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct Observed<T = Arc<str>> {
    /// The primary, JSON text without managedFields.
    pub primary: T,
    /// Objects of the owned kinds, in the primary's namespace, whose controller is the primary. Their
    /// `metadata.managedFields` has the entries of other field managers alone, without those about
    /// the status; it is absent where there are none.
    pub owned: Vec<T>,
    /// Objects of the related kinds in the primary's namespace, but for those whose controller is
    /// the primary. Besides, strays: objects of owned kinds there that the field manager of the
    /// description wrote and that nothing controls, since somebody removed their owner reference.
    /// A plan may delete them.
    pub related: Vec<T>,
    /// Optional kinds that cannot be watched now.
    pub absent: Vec<Kind>,
    /// Kinds that were left out, since there are more objects of them than the host hands over:
    /// related objects of the namespace, or children of the primary.
    pub omitted: Vec<Kind>,
    /// Writes of the last plan that failed.
    pub failures: Vec<Failure>,
    /// Answers to the questions of the last plan.
    pub answers: Vec<ArtifactAnswer>,
    /// The administrator's settings, JSON text; empty for the guest's defaults.
    pub settings: T,
    /// Seconds since the Unix epoch.
    pub now: u64,
}
