//! How a controller runs.

use crate::artifacts::{Artifacts, NoArtifacts};
use crate::backoff::Backoff;
use crate::may_write::MayWrite;
use std::sync::Arc;
use tokio::sync::watch;

/// How a controller runs.
pub struct Options {
    /// Objects outside of these namespaces are not watched. Empty by default, which means all
    /// namespaces. Kinds without namespaces are watched either way.
    pub namespaces: Vec<String>,
    /// How many primaries are worked on at the same time.
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
}

impl Default for Options {
    fn default() -> Self {
        Self {
            namespaces: Vec::new(),
            workers: 4,
            backoff: Backoff::default(),
            instance: String::new(),
            may_write: watch::channel(MayWrite::Always).1,
            artifacts: Arc::new(NoArtifacts),
            settings: watch::channel(Arc::from("")).1,
        }
    }
}
