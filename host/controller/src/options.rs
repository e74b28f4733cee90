//! How a controller runs.

use crate::artifacts::{Artifacts, NoArtifacts};
use crate::backoff::Backoff;
use crate::inquiries::{Pace, Registries};
use crate::may_write::MayWrite;
use std::sync::Arc;
use tokio::sync::watch;

/// How a controller runs.
pub struct Options {
    /// Objects outside of these namespaces are not watched. Empty by default, which means all
    /// namespaces. Kinds without namespaces are watched either way.
    pub namespaces: Vec<String>,
    /// How many primaries are worked on at the same time, and how many writes are under way at most.
    /// Of writes, 16 are at first; then as many as the API server answers well.
    pub workers: usize,
    /// Backoff of a primary that fails, and of attempts to watch an absent kind.
    pub backoff: Backoff,
    /// Names this process in events.
    pub instance: String,
    /// Whether this process may write: with several replicas only the leader may. Always by
    /// default. Primaries whose turn comes while it may not are held back, and queued at once when
    /// it may.
    pub may_write: watch::Receiver<MayWrite>,
    /// Answers the questions of plans. By default every answer is unknown.
    pub artifacts: Arc<dyn Artifacts>,
    /// The administrator's settings, JSON text; empty, and never changing, by default. A change
    /// queues every primary.
    pub settings: watch::Receiver<Arc<str>>,
    /// Whether the primaries are objects of others that the reconciler looks after. They are its
    /// own by default.
    pub attending: Option<Attending>,
}

/// How a controller looks after objects of others, which are its primaries. A plan may patch the
/// primary that it is for, and the events of the plan before are not recorded again. Questions are
/// asked until an answer changes, and not only after a plan.
pub struct Attending {
    /// Label selector of the API (`key=value,other`) for the primaries; empty for all.
    pub label_selector: String,
    /// JSON pointers of what is kept of a primary beside its identity; `None` keeps all of it.
    pub fields: Option<Vec<String>>,
    /// Whether a plan may patch its primary.
    pub patchable: bool,
    /// Answers the questions of plans, in place of [`Options::artifacts`].
    pub registries: Arc<dyn Registries>,
    /// How often they are asked.
    pub pace: Pace,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            namespaces: Vec::new(),
            workers: 64,
            backoff: Backoff::default(),
            instance: String::new(),
            may_write: watch::channel(MayWrite::Always).1,
            artifacts: Arc::new(NoArtifacts),
            settings: watch::channel(Arc::from("")).1,
            attending: None,
        }
    }
}
