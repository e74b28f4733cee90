//! Watches one scope and keeps the cache current.
//!
//! Objects are removed by a relist only when it ended: a page that fails does not look like
//! deletions.

use crate::activity::Activity;
use crate::backoff::Backoff;
use crate::cache::{Cache, Source};
use crate::decoded::{Decoded, DecodedMetadata};
use crate::object::{Key, Stored};
use crate::requests::api_resource;
use crate::scope::Scope;
use crate::watches::{Watch, is_metadata_only};
use futures::{Stream, StreamExt, pin_mut};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Config, Event, InitialListStrategy, watcher as watch};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch::Sender;

/// Seconds after which the API server ends a watch. A connection that delivers nothing any more is
/// replaced by then at the latest.
const WATCH_SECONDS: u32 = 25;

/// An absent kind is tried again at least this often.
const LONGEST_ABSENCE: Duration = Duration::from_secs(30);

/// Failures with less time between them are one disturbance, of which the first is logged. The
/// client repeats a watch within about a minute.
const FAILURES_IN_A_ROW: Duration = Duration::from_secs(120);

/// What the informers of a controller have in common.
#[derive(Clone)]
pub(crate) struct InformerOptions {
    pub(crate) client: Client,
    pub(crate) cache: Arc<Cache>,
    pub(crate) activity: Activity,
    /// Whether the API server can send its lists through watches.
    pub(crate) streaming_lists: bool,
    /// Between two attempts to watch an absent kind.
    pub(crate) backoff: Backoff,
    /// Counts scopes that were listed once, or that are absent.
    pub(crate) listed: Sender<usize>,
}

pub(crate) struct Informer<E> {
    options: InformerOptions,
    scope: Scope,
    watch: Watch,
    /// Gets the primaries that a change concerns.
    enqueue: E,
    /// Whether this scope was counted as listed.
    counted: bool,
    /// When the watch failed last, if it has delivered nothing since.
    failed: Option<Instant>,
}

impl<E: Fn(Vec<Key>) + Send> Informer<E> {
    pub(crate) fn new(options: InformerOptions, scope: Scope, watch: Watch, enqueue: E) -> Self {
        Self { options, scope, watch, enqueue, counted: false, failed: None }
    }

    /// Watches until the task is aborted.
    pub(crate) async fn run(self) {
        if is_metadata_only(&self.watch.kind) {
            self.follow::<DecodedMetadata>().await;
        } else {
            self.follow::<Decoded>().await;
        }
    }

    /// Watches an optional kind again and again. The stream of another kind never ends.
    async fn follow<K>(mut self)
    where
        K: Resource<DynamicType = kube::core::ApiResource, Scope = kube::core::DynamicResourceScope>
            + Into<Decoded>
            + DeserializeOwned
            + Clone
            + Debug
            + Send
            + 'static,
    {
        let backoff =
            Backoff { longest: self.options.backoff.longest.min(LONGEST_ABSENCE), ..self.options.backoff };
        let mut absences = 0;
        loop {
            let resource = api_resource(&self.watch.kind);
            let client = self.options.client.clone();
            let api: Api<K> = match self.scope.namespace.as_deref() {
                Some(namespace) => Api::namespaced_with(client, namespace, &resource),
                None => Api::all_with(client, &resource),
            };
            let was_listed = self.consume(watch(api, self.config()).default_backoff()).await;
            absences = if was_listed { 1 } else { absences + 1 };
            tokio::time::sleep(backoff.after(absences)).await;
        }
    }

    fn config(&self) -> Config {
        let mut config = Config::default().timeout(WATCH_SECONDS);
        if !self.watch.label_selector.is_empty() {
            config = config.labels(&self.watch.label_selector);
        }
        if self.options.streaming_lists {
            config.initial_list_strategy = InitialListStrategy::StreamingList;
        }
        config
    }

    /// Takes events in. Ends when an optional kind turns out to be absent, and returns whether it
    /// was listed before.
    async fn consume<K: Into<Decoded>>(
        &mut self,
        events: impl Stream<Item = Result<Event<K>, watcher::Error>>,
    ) -> bool {
        pin_mut!(events);
        let mut was_listed = false;
        while let Some(event) = events.next().await {
            let _work = self.options.activity.begin();
            let (cache, scope) = (&self.options.cache, &self.scope);
            // The event `Init` comes before the first answer.
            if !matches!(event, Ok(Event::Init) | Err(_)) && self.failed.take().is_some() {
                tracing::info!(
                    kind = %self.watch.kind.kind, namespace = scope.namespace.as_deref(), "the watch works again"
                );
            }
            match event {
                Ok(Event::Init) => cache.begin_relist(scope),
                Ok(Event::InitApply(object) | Event::Apply(object)) => {
                    (self.enqueue)(self.take_in(object.into()));
                }
                Ok(Event::Delete(object)) => {
                    if let Some(object) = self.decode(object.into()) {
                        (self.enqueue)(cache.remove(scope.kind, &object));
                    }
                }
                Ok(Event::InitDone) => {
                    was_listed = true;
                    (self.enqueue)(cache.end_relist(scope));
                    if cache.mark_present(scope) {
                        tracing::info!(
                            kind = %self.watch.kind.kind, namespace = scope.namespace.as_deref(),
                            "an optional kind can be watched now"
                        );
                        (self.enqueue)(cache.primaries_of(scope));
                    }
                    self.count();
                }
                Err(error) if self.watch.optional && is_absence(&error) => {
                    if cache.mark_absent(scope) {
                        let why =
                            if code(&error) == Some(403) { "may not be watched" } else { "does not exist" };
                        tracing::info!(
                            kind = %self.watch.kind.kind, namespace = scope.namespace.as_deref(),
                            "an optional kind {why}; it is tried again"
                        );
                        tracing::debug!(kind = %self.watch.kind.kind, %error, "why it cannot be watched");
                        (self.enqueue)(cache.primaries_of(scope));
                    }
                    self.count();
                    return was_listed;
                }
                // The API server keeps changes for some minutes only. A new list follows.
                Err(error) if is_expired(&error) => {}
                Err(error) => {
                    let now = Instant::now();
                    let before = self.failed.replace(now);
                    if before.is_some_and(|before| now.duration_since(before) < FAILURES_IN_A_ROW) {
                        tracing::debug!(
                            kind = %self.watch.kind.kind, namespace = scope.namespace.as_deref(), %error,
                            "a watch failed again"
                        );
                    } else {
                        tracing::warn!(
                            kind = %self.watch.kind.kind, namespace = scope.namespace.as_deref(), %error,
                            "a watch failed; it is repeated until it works"
                        );
                    }
                }
            }
        }
        was_listed
    }

    /// Stores a state of an object. Returns the primaries that it concerns.
    fn take_in(&self, object: Decoded) -> Vec<Key> {
        let (cache, kind) = (&self.options.cache, self.scope.kind);
        if let Some(concerned) = cache.confirm(kind, &object) {
            return concerned;
        }
        self.decode(object).map(|object| cache.store(kind, object, Source::Watch)).unwrap_or_default()
    }

    fn count(&mut self) {
        if !std::mem::replace(&mut self.counted, true) {
            self.options.listed.send_modify(|listed| *listed += 1);
        }
    }

    fn decode(&self, object: Decoded) -> Option<Stored> {
        let name = object.describe();
        let stored = self.options.cache.decode(self.scope.kind, object);
        if stored.is_none() {
            tracing::error!(
                kind = %self.watch.kind.kind,
                object = name,
                "an object has no name, UID or resourceVersion; it is ignored"
            );
        }
        stored
    }
}

/// Whether the API server does not have the kind, or refuses to list it.
fn is_absence(error: &watcher::Error) -> bool {
    matches!(code(error), Some(403 | 404))
}

/// Whether the API server does not have the changes any more since the state that is known.
fn is_expired(error: &watcher::Error) -> bool {
    code(error) == Some(410)
}

/// The HTTP status of an answer.
fn code(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status)) => Some(status.code),
        watcher::Error::WatchError(status) => Some(status.code),
        _ => None,
    }
}
