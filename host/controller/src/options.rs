//! How a controller runs.

use crate::artifacts::{Artifacts, NoArtifacts};
use crate::backoff::Backoff;
use std::sync::Arc;
use tokio::sync::watch;

/// How a controller runs.
pub struct Options {
    /// Only this namespace; all by default.
    pub namespace: Option<String>,
    /// How many primaries are worked on at the same time.
    pub workers: usize,
    /// Backoff of a primary that fails, and of attempts to watch an absent kind.
    pub backoff: Backoff,
    /// Names this process in events.
    pub instance: String,
    /// Called before every write: whether this process may write just now (it is the leader).
    pub may_write: Box<dyn Fn() -> bool + Send + Sync>,
    /// Answers the questions of plans. By default every answer is unknown.
    pub artifacts: Arc<dyn Artifacts>,
    /// The administrator's settings, JSON text; empty, and never changing, by default. A change
    /// queues every primary.
    pub settings: watch::Receiver<Arc<str>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            namespace: None,
            workers: 4,
            backoff: Backoff::default(),
            instance: String::new(),
            may_write: Box::new(always_allowed),
            artifacts: Arc::new(NoArtifacts),
            settings: watch::channel(Arc::from("")).1,
        }
    }
}

/// For a controller that is the only one.
pub fn always_allowed() -> bool {
    true
}
