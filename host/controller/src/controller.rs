//! Puts the parts together: informers fill the cache and the queue, workers do the rest.

use crate::active::ActiveReconciler;
use crate::activity::Activity;
use crate::cache::Cache;
use crate::complaints::Complaints;
use crate::executor::{Attends, Executor};
use crate::failures::Failures;
use crate::handle::ReconcilerHandle;
use crate::informer::{Informer, InformerOptions};
use crate::inquiries::{Inquiries, Waker};
use crate::metrics::{Metrics, QuestionMetrics};
use crate::options::Options;
use crate::postponed::Postponed;
use crate::primaries::Primaries;
use crate::questions::Questions;
use crate::queue::Queue;
use crate::quiescence;
use crate::reconciler::Reconciler;
use crate::recorded::Recorded;
use crate::reduce::Ownership;
use crate::requests::Writer;
use crate::roles::{Incompatible, Roles};
use crate::scope::scopes;
use crate::watches::{InvalidDescription, select_primaries, watches};
use crate::worker::{Attended, Shared};
use arc_swap::ArcSwap;
use kube::Client;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long a shutdown waits for plans that are being carried out.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// Why a controller did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The API server gave no answer, or none that an API server gives.
    #[error(
        "the Kubernetes API does not answer: {0}. Check the kubeconfig and that the server runs. In a \
         cluster, check that the NetworkPolicies of this namespace admit this pod to the port behind \
         the Service kubernetes."
    )]
    Unreachable(#[source] kube::Error),
    /// No watches can be made from the reconciler's description.
    #[error(transparent)]
    Description(#[from] InvalidDescription),
    /// A listed namespace cannot be one.
    #[error(
        "{0:?} is no name of a namespace: write lower-case letters, digits and hyphens, at most 63 \
         characters, with a letter or digit at both ends"
    )]
    Namespace(String),
    /// The roles of a description do not fit its own watches, which is a defect of this crate.
    #[error(transparent)]
    Roles(#[from] Incompatible),
}

/// A running controller. It stops when it is dropped.
pub struct Controller {
    shared: Arc<Shared>,
    activity: Activity,
    primaries: Primaries,
    tasks: JoinSet<()>,
    synced: watch::Receiver<bool>,
    /// The settings that primaries were last queued for.
    settings_seen: watch::Receiver<Arc<str>>,
}

impl Controller {
    /// Starts watching and working. Kinds that the API server does not have yet are waited for,
    /// unless they are optional.
    ///
    /// The client should not retry by itself (`kube::Config::default_retry` set to false): a worker
    /// would wait for minutes while the API server is overloaded, and no plan would report it.
    ///
    /// # Errors
    /// When the API server cannot be reached, or the description or a listed namespace cannot be
    /// used.
    pub async fn start(
        client: Client,
        reconciler: Arc<dyn Reconciler>,
        options: Options,
        registry: &mut Registry,
    ) -> Result<Self, StartError> {
        let description = reconciler.describe();
        let mut watches = watches(&description)?;
        if let Some(attending) = &options.attending {
            select_primaries(&mut watches, attending)?;
        }
        let roles = Roles::of(&description, &watches)?;
        let scopes = scopes(&watches, &options.namespaces).map_err(StartError::Namespace)?;
        let version = client.apiserver_version().await.map_err(StartError::Unreachable)?;
        let activity = Activity::default();
        let ownership = Ownership {
            field_manager: description.field_manager.clone(),
            primary: description.primary.clone(),
        };
        let cache = Arc::new(Cache::new(watches, scopes, ownership, roles.clone()));
        let may_write = options.may_write;
        let attends = options.attending.as_ref().map(|attending| Attends { patches: attending.patchable });
        let workers = options.workers.max(1);
        let metrics = Metrics::new(&description.primary.kind.to_lowercase(), registry);
        let executor = Executor::new(
            Writer::new(client.clone(), workers, metrics.write_limit()),
            cache.primary_kind().clone(),
            cache.field_manager(),
            options.instance,
            may_write.clone(),
            attends,
            activity.clone(),
        );
        let shared = Arc::new(Shared {
            cache: cache.clone(),
            queue: Queue::new(options.backoff, activity.clone()),
            failures: Failures::default(),
            complaints: Complaints::default(),
            questions: Questions::new(options.artifacts, activity.clone()),
            postponed: Postponed::default(),
            attended: options.attending.map(|attending| Attended {
                inquiries: Inquiries::new(
                    attending.registries,
                    attending.pace,
                    activity.clone(),
                    QuestionMetrics::new(registry),
                ),
                recorded: Recorded::default(),
            }),
            executor,
            description,
            active: ArcSwap::from_pointee(ActiveReconciler { reconciler, roles }),
            settings: options.settings.clone(),
            metrics,
            may_write,
            held_back: watch::Sender::default(),
        });

        let mut tasks = JoinSet::new();
        let listed = watch::Sender::new(0);
        let informers = InformerOptions {
            client: client.clone(),
            cache: cache.clone(),
            activity: activity.clone(),
            streaming_lists: has_streaming_lists(&version.major, &version.minor),
            backoff: options.backoff,
            listed: listed.clone(),
        };
        for scope in cache.scopes() {
            let Some(watch) = cache.watches().get(scope.kind) else { continue };
            let shared = shared.clone();
            let enqueue = move |keys| shared.enqueue(keys);
            tasks.spawn(Informer::new(informers.clone(), scope.clone(), watch.clone(), enqueue).run());
        }
        let (done, synced) = watch::channel(false);
        tasks.spawn(shared.clone().resume(activity.clone()));
        let (seen, settings_seen) = watch::channel(options.settings.borrow().clone());
        tasks.spawn(follow_settings(shared.clone(), options.settings, seen));
        for _ in 0..workers {
            tasks.spawn(work(shared.clone(), listed.subscribe(), done.clone()));
        }
        let primaries = Primaries { cache, client };
        Ok(Self { shared, activity, primaries, tasks, synced, settings_seen })
    }

    /// Waits until every kind was listed, in every listed namespace, and every primary was worked
    /// on once. A primary that is held back counts as worked on.
    pub async fn synced(&self) {
        let mut synced = self.synced.clone();
        // An error means that all workers ended: there is nothing to wait for.
        let _ = synced.wait_for(|synced| *synced).await;
    }

    /// Whether [`Controller::synced`] would return at once.
    pub fn is_synced(&self) -> bool {
        *self.synced.borrow()
    }

    /// Waits until the controller is quiescent: everything that the API server had when this was
    /// called, and everything that was written since, was delivered to the cache; no primary is
    /// queued or being worked on; no question is being answered; and the current settings were
    /// taken up. Primaries that are queued for later (retries after a failure, `requeue_after`) do
    /// not count, nor do primaries that are held back because this process may not write.
    ///
    /// For tests: it lists every watched kind with `client`. With a client of its own a test can
    /// tell these requests from the controller's. While a watch delivers nothing, it does not
    /// return.
    ///
    /// # Errors
    /// When the API server does not answer `client`.
    pub async fn quiescent(&self, client: &Client) -> Result<(), kube::Error> {
        self.synced().await;
        quiescence::wait(&self.shared, &self.activity, &self.settings_seen, client).await
    }

    /// A view of the primaries, for decisions about other objects.
    pub fn primaries(&self) -> Primaries {
        self.primaries.clone()
    }

    /// Has artifacts that primaries wait for looked for early; `None` unless the controller attends
    /// objects of others.
    pub fn waker(&self) -> Option<Waker> {
        self.shared.attended.as_ref().map(|attended| attended.inquiries.waker())
    }

    /// A handle that replaces the active reconciler.
    pub fn reconciler_handle(&self) -> ReconcilerHandle {
        ReconcilerHandle { shared: self.shared.clone() }
    }

    /// Stops. Plans that are being carried out are finished, within five seconds; primaries that
    /// are queued are not worked on any more.
    pub async fn shutdown(mut self) {
        self.shared.queue.close();
        // After this time, plans are cut off.
        let end = async {
            self.shared.queue.idle().await;
            self.shared.finish_plans().await;
            self.shared.executor.events_recorded().await;
        };
        let _ = tokio::time::timeout(SHUTDOWN, end).await;
        self.tasks.shutdown().await;
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.shared.queue.close();
        self.shared.questions.clear();
        if let Some(attended) = &self.shared.attended {
            attended.inquiries.clear();
        }
    }
}

/// Lists through watches are on by default from 1.34 (KEP-3157).
fn has_streaming_lists(major: &str, minor: &str) -> bool {
    let number =
        |text: &str| text.trim_end_matches(|c: char| !c.is_ascii_digit()).parse::<u32>().unwrap_or(0);
    number(major) > 1 || number(minor) >= 34
}

async fn work(shared: Arc<Shared>, mut listed: watch::Receiver<usize>, synced: watch::Sender<bool>) {
    let scopes = shared.cache.scopes().len();
    if listed.wait_for(|listed| *listed >= scopes).await.is_err() {
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

/// Queues every primary when the settings change.
async fn follow_settings(
    shared: Arc<Shared>,
    mut settings: watch::Receiver<Arc<str>>,
    seen: watch::Sender<Arc<str>>,
) {
    // An error means that the settings do not change any more.
    while settings.changed().await.is_ok() {
        let current = settings.borrow_and_update().clone();
        shared.enqueue_all();
        seen.send_replace(current);
    }
}

#[cfg(test)]
mod tests {
    use super::has_streaming_lists;

    #[test]
    fn lists_through_watches_depend_on_the_servers_version() {
        assert!(has_streaming_lists("1", "36"));
        assert!(has_streaming_lists("1", "34+"));
        assert!(!has_streaming_lists("1", "33"));
        assert!(!has_streaming_lists("", ""));
    }
}
