//! Puts the parts together: informers fill the cache and the queue, workers ask the reconciler and carry out its
//! plans.

use crate::cache::{Cache, Roles, View};
use crate::contract::{DecideError, Description, Failure, Observed, Reconciler};
use crate::execute::{Executor, Outcome};
use crate::failures::Failures;
use crate::handover::{self, Deciding, Handover, Incompatible};
use crate::informer::Informer;
use crate::metrics::{Ended, Metrics};
use crate::object::Key;
use crate::primaries::Primaries;
pub use crate::queue::Backoff;
use crate::queue::Queue;
use crate::takeback;
use arc_swap::ArcSwap;
use kube::Client;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How a controller runs.
pub struct Options {
    /// Only this namespace; all by default.
    pub namespace: Option<String>,
    /// How many primaries are worked on at the same time.
    pub workers: usize,
    /// Backoff of a primary that fails.
    pub backoff: Backoff,
    /// Names this process in events.
    pub instance: String,
    /// Asked before every write: whether this process may write just now (it holds the lease).
    pub may_write: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            namespace: None,
            workers: 4,
            backoff: Backoff::default(),
            instance: String::new(),
            may_write: Box::new(always_allowed),
        }
    }
}

/// For controllers that are alone.
pub fn always_allowed() -> bool {
    true
}

/// Why a controller did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The API server does not answer, or not as one.
    #[error("the Kubernetes API does not answer: {0}. Check the kubeconfig and that the server runs.")]
    Unreachable(#[source] kube::Error),
}

/// A running controller. It stops when it is dropped.
pub struct Controller {
    shared: Arc<Shared>,
    primaries: Primaries,
    tasks: JoinSet<()>,
    synced: watch::Receiver<bool>,
}

pub(crate) struct Shared {
    pub(crate) cache: Arc<Cache>,
    queue: Queue<Key>,
    failures: Failures,
    executor: Executor,
    /// What the first reconciler said: watches and field manager are made from it.
    description: Description,
    pub(crate) deciding: ArcSwap<Deciding>,
    metrics: Metrics,
    may_write: MayWrite,
}

/// Whether this process may write just now.
type MayWrite = Arc<dyn Fn() -> bool + Send + Sync>;

/// How often it is looked whether this process may write by now.
const CLAIM_CHECK: Duration = Duration::from_millis(500);

impl Controller {
    /// Starts watching and working.
    ///
    /// # Errors
    /// When the API server cannot be reached. Kinds that it does not have yet are waited for.
    pub async fn start(
        client: Client,
        reconciler: Arc<dyn Reconciler>,
        options: Options,
        registry: &mut Registry,
    ) -> Result<Self, StartError> {
        let description = reconciler.describe();
        let version = client.apiserver_version().await.map_err(StartError::Unreachable)?;
        let streaming_lists = has_streaming_lists(&version.major, &version.minor);
        let cache = Arc::new(Cache::new(&description));
        // Every kind of a description is among those of its own cache.
        let roles = cache.roles(&description).unwrap_or_default();
        let may_write: MayWrite = options.may_write.into();
        let metrics = Metrics::new(&description.primary.kind.to_lowercase(), registry);
        let shared = Arc::new(Shared {
            cache: cache.clone(),
            queue: Queue::new(options.backoff),
            failures: Failures::default(),
            executor: Executor::new(
                client.clone(),
                description.field_manager.clone(),
                options.instance,
                may_write.clone(),
            ),
            description: description.clone(),
            deciding: ArcSwap::from_pointee(Deciding { reconciler, roles }),
            metrics,
            may_write,
        });
        let mut tasks = JoinSet::new();
        let listed = watch::Sender::new(0);
        for (index, kind) in cache.kinds().iter().enumerate() {
            let informer = Informer {
                client: client.clone(),
                cache: cache.clone(),
                index,
                kind: kind.clone(),
                namespace: options.namespace.clone(),
                field_manager: description.field_manager.clone(),
                streaming_lists,
                listed: listed.clone(),
            };
            let shared = shared.clone();
            tasks.spawn(informer.run(move |keys| shared.enqueue(keys)));
        }
        let (done, synced) = watch::channel(false);
        tasks.spawn(resume(shared.clone()));
        for _ in 0..options.workers.max(1) {
            tasks.spawn(work(shared.clone(), listed.subscribe(), done.clone()));
        }
        let primaries =
            Primaries { cache, client, kind: description.primary, field_manager: description.field_manager };
        Ok(Self { shared, primaries, tasks, synced })
    }

    /// Waits until everything was listed and every primary was looked at once.
    pub async fn synced(&self) {
        let mut synced = self.synced.clone();
        // An error means that all workers are gone: there is nothing to wait for.
        let _ = synced.wait_for(|synced| *synced).await;
    }

    /// Whether [`Controller::synced`] would return at once.
    pub fn is_synced(&self) -> bool {
        *self.synced.borrow()
    }

    /// A view of the primaries, for those who decide about other objects.
    pub fn primaries(&self) -> Primaries {
        self.primaries.clone()
    }

    /// By this another reconciler can take over.
    pub fn handover(&self) -> Handover {
        Handover { shared: self.shared.clone() }
    }

    /// Lets running work end, for a few seconds at most, and stops.
    pub async fn shutdown(mut self) {
        self.shared.queue.close();
        let drained = async {
            while !self.shared.queue.is_idle() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(5), drained).await;
        self.tasks.shutdown().await;
    }
}

/// Lists through the watch are on by default from 1.34 (KEP-3157).
fn has_streaming_lists(major: &str, minor: &str) -> bool {
    let number =
        |text: &str| text.trim_end_matches(|c: char| !c.is_ascii_digit()).parse::<u32>().unwrap_or(0);
    number(major) > 1 || number(minor) >= 34
}

async fn work(shared: Arc<Shared>, mut listed: watch::Receiver<usize>, synced: watch::Sender<bool>) {
    let kinds = shared.cache.kinds().len();
    if listed.wait_for(|listed| *listed >= kinds).await.is_err() {
        return;
    }
    if shared.cache.primaries().is_empty() {
        synced.send_replace(true);
    }
    while let Some(key) = shared.queue.next().await {
        shared.metrics.depth(shared.queue.depth());
        shared.reconcile(&key).await;
        shared.queue.done(&key);
        if !*synced.borrow() && shared.queue.is_idle() {
            synced.send_replace(true);
        }
    }
}

/// Looks at every primary when this process becomes one that may write.
async fn resume(shared: Arc<Shared>) {
    let mut could = true;
    loop {
        let may = (shared.may_write)();
        if may && !could {
            shared.enqueue(shared.cache.primaries());
        }
        could = may;
        tokio::time::sleep(CLAIM_CHECK).await;
    }
}

impl Shared {
    pub(crate) fn roles_of(&self, description: &Description) -> Result<Roles, Incompatible> {
        handover::roles(&self.cache, &self.description, description)
    }

    pub(crate) fn enqueue(&self, keys: Vec<Key>) {
        if keys.is_empty() {
            return;
        }
        let count = keys.len();
        for key in keys {
            self.queue.add(key);
        }
        self.metrics.added(count, self.queue.depth());
    }

    async fn reconcile(&self, key: &Key) {
        let started = std::time::Instant::now();
        // One decides from beginning to end, whoever takes over meanwhile.
        let deciding = self.deciding.load_full();
        let Some(view) = self.cache.view(key, &deciding.roles) else {
            // Deleted: nothing of it is kept for one that is made anew.
            self.queue.remove(key);
            self.failures.forget(key);
            return;
        };
        if !(self.may_write)() {
            // Whoever may write looks at it; when that is this process, it looks at everything.
            return;
        }
        let observed = self.observe(key, &view);
        let ended = match deciding.reconciler.reconcile(&observed) {
            Ok(plan) => {
                let outcome = self.executor.execute(&self.cache, &deciding.roles, key, &view, &plan).await;
                self.conclude(key, &view.uid, outcome, plan.requeue_after)
            }
            Err(error) => {
                self.give_up(key, &error);
                Ended::Error
            }
        };
        self.metrics.reconciled(ended, started.elapsed());
    }

    pub(crate) fn observe(&self, key: &Key, view: &View) -> Observed {
        Observed {
            primary: view.primary.clone(),
            owned: view.owned.clone(),
            related: view.related.clone(),
            failures: self.failures.of(key, &view.uid),
            now: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
        }
    }

    /// Decides when the primary is looked at again.
    fn conclude(&self, key: &Key, uid: &str, outcome: Outcome, requeue_after: Option<u32>) -> Ended {
        let failed = outcome.failures.iter().any(is_retried);
        let left = !outcome.failures.is_empty() && !failed;
        for failure in &outcome.failures {
            tracing::warn!(primary = %key, target = failure.target.name, kind = failure.target.kind.kind, code = failure.code, reason = failure.reason, "{}", failure.message);
        }
        let overloaded = outcome.failures.iter().any(|failure| failure.code == 429);
        if self.failures.replace(key, uid, outcome.failures) || outcome.changed {
            // The status is to tell of it; and what the server made of a write may matter.
            self.queue.add(key.clone());
        }
        if let Some(why) = &outcome.incomplete {
            tracing::warn!(primary = %key, "{why}");
        }
        if failed || outcome.incomplete.is_some() {
            // A server that asks for patience gets at least a second.
            self.queue.add_failed(key.clone(), overloaded.then_some(Duration::from_secs(1)));
            self.metrics.retried();
            return Ended::Error;
        }
        self.queue.forget(key);
        if left {
            // A field that is left alone because of a quarrel may be ours again later.
            self.queue.add_after(key.clone(), takeback::WINDOW);
        }
        if let Some(seconds) = requeue_after {
            self.queue.add_after(key.clone(), Duration::from_secs(seconds.into()));
            return Ended::Requeue;
        }
        Ended::Success
    }

    fn give_up(&self, key: &Key, error: &DecideError) {
        let delay = self.queue.add_failed(key.clone(), None);
        self.metrics.retried();
        tracing::error!(primary = %key, %error, again_in = ?delay, "no decision could be made; nothing was written");
    }
}

/// Fields that are left to another manager need no new attempt; everything else does.
fn is_retried(failure: &Failure) -> bool {
    failure.reason != "FieldOwnedByOther"
}

#[cfg(test)]
mod tests {
    use super::has_streaming_lists;

    #[test]
    fn streaming_lists_by_version() {
        assert!(has_streaming_lists("1", "36"));
        assert!(has_streaming_lists("1", "34+"));
        assert!(!has_streaming_lists("1", "33"));
        assert!(!has_streaming_lists("", ""));
    }
}
