//! Watches the ConfigMap with the settings.

use super::source::Source;
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use orascache_telemetry::RepeatedMessages;
use std::pin::Pin;
use std::time::Duration;

/// Seconds after which the API server ends a watch. It is less than the time after which the
/// client gives up a silent connection, so that the end of a watch is no error.
const WATCH_SECONDS: u32 = 25;

/// Errors that are less than this apart are one outage. A watch that fails is tried again within half
/// of it.
const SAME_OUTAGE: Duration = Duration::from_secs(120);

/// Tells which ConfigMap there is.
pub(super) struct ConfigMapWatch {
    events: Pin<Box<dyn Stream<Item = watcher::Result<Event<ConfigMap>>> + Send>>,
    /// The ConfigMap of a list that has not ended.
    listed: Option<ConfigMap>,
    errors: RepeatedMessages<()>,
}

/// What a watch tells.
pub(super) enum Change {
    /// The ConfigMap, or that there is none.
    Found(Option<Box<ConfigMap>>),
    /// An outage has begun. The watch is tried again until it is over.
    Failed(watcher::Error),
}

impl ConfigMapWatch {
    pub(super) fn new(client: Client, source: &Source) -> Self {
        let api = Api::namespaced(client, &source.namespace);
        let selected = format!("metadata.name={}", source.name);
        let config = watcher::Config::default().fields(&selected).timeout(WATCH_SECONDS);
        let events = Box::pin(watcher(api, config).default_backoff());
        Self { events, listed: None, errors: RepeatedMessages::new(SAME_OUTAGE) }
    }

    /// The next change. None only if the watch ends, which it does not.
    pub(super) async fn next(&mut self) -> Option<Change> {
        loop {
            match self.events.next().await? {
                Err(error) if is_expiry(&error) => tracing::debug!(%error, "the settings are listed again"),
                Err(error) => {
                    let summarize = |count| tracing::debug!(count, "the settings still cannot be watched");
                    if self.errors.is_first((), summarize) {
                        return Some(Change::Failed(error));
                    }
                }
                // A list begins before its request is answered.
                Ok(Event::Init) => self.listed = None,
                Ok(Event::InitApply(map)) => self.listed = Some(map),
                Ok(event) => {
                    let found = match event {
                        Event::Apply(map) => Some(map),
                        Event::InitDone => self.listed.take(),
                        _ => None,
                    };
                    return Some(Change::Found(found.map(Box::new)));
                }
            }
        }
    }
}

/// Whether the API server has forgotten the state from which a watch would go on. A list
/// follows then.
fn is_expiry(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status)) => status.code == 410,
        watcher::Error::WatchError(status) => status.code == 410,
        _ => false,
    }
}
