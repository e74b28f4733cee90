//! The administrator's settings: a ConfigMap that is followed while the operator runs.
//!
//! The settings in use are the last ones that the component accepted. Settings that it refuses
//! change nothing; the log, an event and a metric say so. Until the component has accepted some, no
//! review is answered, since a limit must not be lifted because somebody misspelt it; plans are
//! made with the defaults.

mod config_map;
mod metrics;
mod reader;
mod source;

pub use metrics::SettingsMetrics;
pub use reader::{DefaultSetting, DefaultSettingError, SettingsReader};
pub use source::{Source, SourceError};

use anyhow::Context;
use config_map::{Change, ConfigMapWatch};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use orascache_controller::event_note;
use orascache_runtime::ActiveVersion;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long a start waits for the first read of the ConfigMap. Reviews that come before it are
/// answered with an error.
const PATIENCE: Duration = Duration::from_secs(10);

/// Settings that were accepted, JSON text; or why there are none.
type State = Result<Arc<str>, Arc<str>>;

/// The settings for reviews, now and later.
#[derive(Clone, Debug)]
pub struct SettingsWatch(watch::Receiver<State>);

impl SettingsWatch {
    /// The settings, JSON text.
    ///
    /// # Errors
    /// A sentence, when the component has not accepted any yet.
    pub fn current(&self) -> Result<Arc<str>, Arc<str>> {
        self.0.borrow().clone()
    }
}

/// Follows the ConfigMap until dropped.
pub struct SettingsTask {
    watch: SettingsWatch,
    last_usable: watch::Receiver<Arc<str>>,
    task: Option<JoinHandle<()>>,
}

impl SettingsTask {
    /// Returns once the ConfigMap was read, or is known to be out of reach for now. Without a
    /// source the settings are the reader's defaults.
    ///
    /// # Errors
    /// When the component does not accept the defaults.
    pub async fn start(
        client: Client,
        active: Arc<ActiveVersion>,
        source: Option<Source>,
        reader: SettingsReader,
        metrics: SettingsMetrics,
    ) -> anyhow::Result<Self> {
        let defaults = reader.read(active.load().guest(), None).await.map_err(anyhow::Error::msg);
        let defaults: Arc<str> =
            defaults.context("--agent-image or a --default-setting cannot be used")?.into();
        let (usable, last_usable) = watch::channel(defaults.clone());
        let Some(source) = source else {
            metrics.set_usable(true);
            let watch = SettingsWatch(watch::channel(Ok(defaults)).1);
            return Ok(Self { watch, last_usable, task: None });
        };
        let unread: State = Err(format!("the settings in {source} were not read yet").into());
        let (state, mut receiver) = watch::channel(unread);
        let watch = SettingsWatch(receiver.clone());
        let reporter = Reporter { controller: "orascache-settings".to_owned(), instance: None };
        let recorder = Recorder::new(client.clone(), reporter);
        let follower = Follower { active, source, reader, metrics, recorder, state, usable, complaint: None };
        let task = tokio::spawn(follower.run(client));
        if tokio::time::timeout(PATIENCE, receiver.changed()).await.is_err() {
            tracing::warn!("the settings are not known yet: reviews are refused until they are");
        }
        Ok(Self { watch, last_usable, task: Some(task) })
    }

    /// The settings for reviews.
    pub fn watch(&self) -> SettingsWatch {
        self.watch.clone()
    }

    /// The settings for plans: the last ones that the component accepted, or the defaults before
    /// that.
    pub fn last_usable(&self) -> watch::Receiver<Arc<str>> {
        self.last_usable.clone()
    }
}

impl Drop for SettingsTask {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

struct Follower {
    active: Arc<ActiveVersion>,
    source: Source,
    reader: SettingsReader,
    metrics: SettingsMetrics,
    recorder: Recorder,
    state: watch::Sender<State>,
    usable: watch::Sender<Arc<str>>,
    /// The last problem, while it lasts, so that it is reported once.
    complaint: Option<String>,
}

impl Follower {
    async fn run(mut self, client: Client) {
        let mut watch = ConfigMapWatch::new(client, &self.source);
        while let Some(change) = watch.next().await {
            match change {
                Change::Found(found) => self.consider(found.as_deref()).await,
                Change::Failed(error) => {
                    let sentence = format!("the ConfigMap {} cannot be watched: {error}", self.source);
                    let has_settings = self.state.borrow().is_ok();
                    if has_settings {
                        tracing::warn!(problem = sentence, "changes of the settings are not noticed for now");
                    } else {
                        self.complain(sentence, None).await;
                    }
                }
            }
        }
    }

    async fn consider(&mut self, found: Option<&ConfigMap>) {
        let guest = self.active.load().guest().clone();
        match self.reader.read(&guest, found).await {
            Ok(settings) => {
                self.complaint = None;
                self.metrics.set_usable(true);
                let settings: Arc<str> = settings.into();
                let changed = self.state.send_if_modified(|state| {
                    let differs = state.as_ref() != Ok(&settings);
                    if differs {
                        *state = Ok(settings.clone());
                    }
                    differs
                });
                if changed {
                    self.metrics.count_accepted();
                    tracing::info!(config_map = %self.source, %settings, "settings are in use");
                    self.usable.send_if_modified(|usable| {
                        let differs = *usable != settings;
                        *usable = settings;
                        differs
                    });
                }
            }
            Err(sentence) => {
                let sentence = format!("the ConfigMap {}: {sentence}", self.source);
                self.complain(sentence, found).await;
            }
        }
    }

    async fn complain(&mut self, sentence: String, map: Option<&ConfigMap>) {
        self.metrics.set_usable(false);
        if self.complaint.as_ref() == Some(&sentence) {
            return;
        }
        self.metrics.count_refused();
        // Settings that were accepted before stay.
        let stays = !self.state.send_if_modified(|state| {
            let is_none = state.is_err();
            if is_none {
                *state = Err(sentence.as_str().into());
            }
            is_none
        });
        let consequence = if stays {
            "the settings before it stay in use"
        } else {
            "reviews are refused until it is corrected"
        };
        tracing::warn!(problem = sentence, "settings are not used: {consequence}");
        if let Some(map) = map {
            let event = Event {
                type_: EventType::Warning,
                reason: "InvalidSettings".to_owned(),
                note: Some(event_note(&format!("{sentence}; {consequence}"))),
                action: "ReadSettings".to_owned(),
                secondary: None,
            };
            if let Err(error) = self.recorder.publish(&event, &map.object_ref(&())).await {
                tracing::debug!(%error, "an event about the settings was not recorded");
            }
        }
        self.complaint = Some(sentence);
    }
}
