//! One watch per kind, into the cache. A relist never takes a failed page for deletions: what it does not mention
//! is forgotten only when it ended well.

use crate::cache::{Cache, KindIndex, Source};
use crate::contract::Kind;
use crate::object::{Decoded, DecodedMetadata, Key, api_resource, is_metadata_only};
use futures::{Stream, StreamExt, pin_mut};
use kube::runtime::watcher::{self, Config, Event, InitialListStrategy};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;
use tokio::sync::watch::Sender;

/// Seconds after which the server ends a watch. A connection that went silent is noticed by then at the latest,
/// together with the read timeout of the client.
const WATCH_SECONDS: u32 = 25;

pub(crate) struct Informer {
    pub(crate) client: Client,
    pub(crate) cache: Arc<Cache>,
    pub(crate) index: KindIndex,
    pub(crate) kind: Kind,
    /// Only this namespace.
    pub(crate) namespace: Option<String>,
    pub(crate) field_manager: String,
    /// Whether the server can send its list through the watch.
    pub(crate) streaming_lists: bool,
    /// Counts kinds that were listed once.
    pub(crate) listed: Sender<usize>,
}

impl Informer {
    /// Watches until the task is aborted; `enqueue` gets the primaries that a change concerns.
    pub(crate) async fn run(self, enqueue: impl Fn(Vec<Key>) + Send) {
        if is_metadata_only(&self.kind) {
            self.follow::<DecodedMetadata>(enqueue).await;
        } else {
            self.follow::<Decoded>(enqueue).await;
        }
    }

    async fn follow<K>(self, enqueue: impl Fn(Vec<Key>) + Send)
    where
        K: Resource<DynamicType = kube::core::ApiResource, Scope = kube::core::DynamicResourceScope>
            + Into<Decoded>
            + DeserializeOwned
            + Clone
            + Debug
            + Send
            + 'static,
    {
        let resource = api_resource(&self.kind);
        let api: Api<K> = match self.namespace.as_deref().filter(|_| self.kind.namespaced) {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        let mut config = Config::default().timeout(WATCH_SECONDS);
        if self.streaming_lists {
            config.initial_list_strategy = InitialListStrategy::StreamingList;
        }
        let events = watch(api, config).default_backoff();
        self.consume(events, enqueue).await;
    }

    async fn consume<K: Into<Decoded>>(
        self,
        events: impl Stream<Item = Result<Event<K>, watcher::Error>>,
        enqueue: impl Fn(Vec<Key>),
    ) {
        pin_mut!(events);
        let mut first = true;
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => self.cache.begin_relist(self.index),
                Ok(Event::InitApply(object) | Event::Apply(object)) => {
                    if let Some(object) = self.decode(object.into()) {
                        enqueue(self.cache.store(self.index, object, Source::Watch));
                    }
                }
                Ok(Event::Delete(object)) => {
                    if let Some(object) = self.decode(object.into()) {
                        enqueue(self.cache.remove(self.index, &object));
                    }
                }
                Ok(Event::InitDone) => {
                    enqueue(self.cache.end_relist(self.index));
                    if std::mem::take(&mut first) {
                        self.listed.send_modify(|listed| *listed += 1);
                    }
                }
                Err(error) => {
                    tracing::warn!(kind = self.kind.kind, %error, "the watch broke; it is taken up again");
                }
            }
        }
    }

    fn decode(&self, object: Decoded) -> Option<crate::object::Stored> {
        let name = object.describe();
        let stored = object.store(&self.kind, &self.field_manager);
        if stored.is_none() {
            tracing::error!(
                kind = self.kind.kind,
                object = name,
                "an object has no name, UID or resourceVersion; it is left out"
            );
        }
        stored
    }
}
