//! The host's side of a hot swap: it provides primaries for the check, and announces changes.

use crate::version::Version;
use futures::future::BoxFuture;
use orascache_contract::{Description, Observed};
use std::error::Error;
use std::sync::Arc;

/// Outcome for a new version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// The new version took over.
    Switched,
    /// The new version may not take over. The active version stays.
    Refused,
    /// The new version took over and failed too often. The version before it decides again.
    RolledBack,
}

/// Something that happened to the version that decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub kind: ChangeKind,
    /// Sentences for people: which component, and why.
    pub note: String,
}

/// Why a host does not take a version. The text is a sentence for people.
pub type HostError = Box<dyn Error + Send + Sync>;

/// Gives the runtime access to the cluster during a hot swap. The runtime itself knows no API
/// server.
pub trait SwapHost: Send + Sync + 'static {
    /// Returns what a guest of that description would be shown now, for at most `at_most`
    /// primaries.
    ///
    /// # Errors
    /// When a guest of that description cannot work here, for example since it needs kinds that are
    /// not watched.
    fn observations(&self, description: &Description, at_most: usize) -> Result<Vec<Observed>, HostError>;

    /// Lets this version decide about primaries from now on, and has all of them reconciled once.
    /// The number is how many there are.
    ///
    /// # Errors
    /// As [`Self::observations`].
    fn activate(&self, version: Arc<Version>) -> Result<usize, HostError>;

    /// Tells people of a change. It is in the log and the metrics already.
    fn announce(&self, change: Change) -> BoxFuture<'_, ()>;
}
