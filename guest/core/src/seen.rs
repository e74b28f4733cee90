//! What the host hands over about one primary, with all texts as slices. So the decisions are not
//! generic, and are compiled once, with this crate, whatever type of text a host has.

use orascache_contract::{Failure, Kind, Observed};

/// The parts of [`Observed`] that plans for a cache depend on.
pub(crate) struct Seen<'o> {
    pub(crate) primary: &'o str,
    pub(crate) owned: Vec<&'o str>,
    pub(crate) related: Vec<&'o str>,
    pub(crate) absent: &'o [Kind],
    pub(crate) omitted: &'o [Kind],
    pub(crate) failures: &'o [Failure],
    pub(crate) settings: &'o str,
    /// Seconds since the Unix epoch.
    pub(crate) now: u64,
}

impl<'o, T: AsRef<str>> From<&'o Observed<T>> for Seen<'o> {
    fn from(observed: &'o Observed<T>) -> Self {
        Seen {
            primary: observed.primary.as_ref(),
            owned: observed.owned.iter().map(AsRef::as_ref).collect(),
            related: observed.related.iter().map(AsRef::as_ref).collect(),
            absent: &observed.absent,
            omitted: &observed.omitted,
            failures: &observed.failures,
            settings: observed.settings.as_ref(),
            now: observed.now,
        }
    }
}
