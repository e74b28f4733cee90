//! Who looks into registries, and what is remembered about one of them.

use futures::future::BoxFuture;
use orascache_contract::{ArtifactFinding, ArtifactQuestion};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

/// Longest time for which a registry can ask to be left alone.
const LONGEST_REST: Duration = Duration::from_secs(600);

/// Looks into OCI registries for objects that wait for artifacts.
pub trait Registries: Send + Sync + 'static {
    /// Looks once, and gives up after a while.
    fn look<'q>(&'q self, question: &'q ArtifactQuestion) -> BoxFuture<'q, Look>;
}

/// What a look into a registry led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// The answer. It is [`ArtifactFinding::Unknown`] where waiting brings no other one.
    Answer(ArtifactFinding),
    /// The registry gave no answer. A later look may bring one.
    NotNow {
        /// A sentence.
        why: String,
        /// For how long the registry asks to be left alone.
        after: Option<Duration>,
    },
}

/// What is remembered about one registry while there are questions to it.
pub(super) struct Registry {
    /// Looks into it that go on at the same time.
    pub(super) permits: Semaphore,
    /// Until when it asked to be left alone.
    rests: Mutex<Option<Instant>>,
}

impl Registry {
    pub(super) fn new(at_once: usize) -> Self {
        Self { permits: Semaphore::new(at_once.max(1)), rests: Mutex::default() }
    }

    /// Leaves it alone for a while. Returns for how long.
    pub(super) fn rest(&self, wanted: Duration) -> Duration {
        let rest = wanted.min(LONGEST_REST);
        let until = Some(Instant::now() + rest);
        let mut rests = self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        *rests = (*rests).max(until);
        rest
    }

    /// Waits until it may be asked.
    pub(super) async fn rested(&self) {
        let until = *self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = until {
            sleep_until(until).await;
        }
    }
}
