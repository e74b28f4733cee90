//! The administrator's settings for admission: a ConfigMap that is followed while the operator runs.
//!
//! What is in force is what the component took last. Settings that it does not take change nothing, and are complained
//! of in the log, in an event and by a metric. Where none were ever taken, no review is answered: limits must not fall
//! because somebody misspelt one.

mod metrics;
mod text;

pub use metrics::SettingsMetrics;
pub use text::{Source, SourceError, text};

use crate::engine::Guest;
use crate::version::Current;
use anyhow::Context;
use deploy_manifests::names::SETTINGS_KEY as KEY;
use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};
use orascache_controller::contract::DecideError;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long the first look may take before reviews are answered. They are answered with an error as long as it takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Settings that were taken, JSON text; or why there are none.
type State = Result<Arc<str>, Arc<str>>;

/// A view of the settings that are in force.
#[derive(Clone, Debug)]
pub struct InForce(watch::Receiver<State>);

impl InForce {
    /// Settings that do not change, JSON text.
    pub fn fixed(settings: Arc<str>) -> Self {
        InForce(watch::channel(Ok(settings)).1)
    }

    /// The settings, JSON text.
    ///
    /// # Errors
    /// A sentence, when there are none that can be used.
    pub fn current(&self) -> Result<Arc<str>, Arc<str>> {
        self.0.borrow().clone()
    }
}

/// Whether a component takes settings; what it says of them otherwise.
///
/// # Errors
/// A sentence with everything that is wrong.
pub fn check(guest: &Guest, settings: &str) -> Result<(), String> {
    guest.check_settings(settings).map_err(|error| match error {
        DecideError::InvalidInput(sentence) => sentence,
        other => other.to_string(),
    })
}

/// Settings for the component, JSON text, from the ConfigMap that holds them, or from none. The image is for settings
/// that name none.
///
/// # Errors
/// A sentence, when the component does not take them.
pub fn judge(guest: &Guest, map: Option<&ConfigMap>, agent_image: Option<&str>) -> Result<String, String> {
    let written = match map {
        None => None,
        Some(map) => Some(map.data.as_ref().and_then(|data| data.get(KEY)).ok_or_else(|| {
            format!("data.{KEY} is missing: write the settings there, or delete the ConfigMap")
        })?),
    };
    let settings = text(written.map(String::as_str), agent_image)?;
    check(guest, &settings)?;
    Ok(settings)
}

/// Follows the ConfigMap until dropped.
pub struct Settings {
    in_force: InForce,
    task: Option<JoinHandle<()>>,
}

impl Settings {
    /// Returns once the ConfigMap was looked at, or is known to be out of reach for now. Without a source there is nothing
    /// but the image.
    ///
    /// # Errors
    /// When the component does not take the image.
    pub async fn start(
        client: Client,
        current: Arc<Current>,
        source: Option<Source>,
        agent_image: Option<String>,
        metrics: SettingsMetrics,
    ) -> anyhow::Result<Self> {
        let defaults: Arc<str> = text(None, agent_image.as_deref()).map_err(anyhow::Error::msg)?.into();
        check(current.load().guest(), &defaults)
            .map_err(anyhow::Error::msg)
            .context("the image of --agent-image cannot be used")?;
        let Some(source) = source else {
            metrics.usable(true);
            return Ok(Self { in_force: InForce::fixed(defaults), task: None });
        };
        let unread: State = Err(format!("the settings in {source} were not read yet").into());
        let (sender, mut receiver) = watch::channel(unread);
        let in_force = InForce(receiver.clone());
        let reporter = Reporter { controller: "orascache-settings".to_owned(), instance: None };
        let recorder = Recorder::new(client.clone(), reporter);
        let follower = Follower { current, source, agent_image, metrics, recorder, sender, complaint: None };
        let task = tokio::spawn(follower.run(client));
        if tokio::time::timeout(PATIENCE, receiver.changed()).await.is_err() {
            tracing::warn!("the settings are not known yet: reviews are refused until they are");
        }
        Ok(Self { in_force, task: Some(task) })
    }

    /// What is in force, now and later.
    pub fn in_force(&self) -> InForce {
        self.in_force.clone()
    }
}

impl Drop for Settings {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

struct Follower {
    current: Arc<Current>,
    source: Source,
    agent_image: Option<String>,
    metrics: SettingsMetrics,
    recorder: Recorder,
    sender: watch::Sender<State>,
    /// What was said last and still holds, so that it is said once.
    complaint: Option<String>,
}

impl Follower {
    async fn run(mut self, client: Client) {
        let api: Api<ConfigMap> = Api::namespaced(client, &self.source.namespace);
        let mut changes = pin!(watcher::watch_object(api, &self.source.name).default_backoff());
        while let Some(change) = changes.next().await {
            match change {
                Ok(found) => self.consider(found).await,
                // The watch goes on by itself.
                Err(error) => {
                    let sentence = format!("the ConfigMap {} cannot be watched: {error}", self.source);
                    let has_settings = self.sender.borrow().is_ok();
                    if has_settings {
                        tracing::warn!(problem = sentence, "settings are not followed; those in force stay");
                    } else {
                        self.complain(sentence, None).await;
                    }
                }
            }
        }
    }

    async fn consider(&mut self, found: Option<ConfigMap>) {
        match judge(self.current.load().guest(), found.as_ref(), self.agent_image.as_deref()) {
            Ok(settings) => {
                self.complaint = None;
                self.metrics.usable(true);
                let changed = self.sender.send_if_modified(|state| {
                    let differs = state.as_deref() != Ok(&settings);
                    if differs {
                        *state = Ok(settings.as_str().into());
                    }
                    differs
                });
                if changed {
                    self.metrics.taken();
                    tracing::info!(config_map = %self.source, settings, "settings are in force");
                }
            }
            Err(sentence) => {
                let sentence = format!("the ConfigMap {}: {sentence}", self.source);
                self.complain(sentence, found.as_ref()).await;
            }
        }
    }

    async fn complain(&mut self, sentence: String, map: Option<&ConfigMap>) {
        self.metrics.usable(false);
        if self.complaint.as_ref() == Some(&sentence) {
            return;
        }
        self.metrics.refused();
        // Settings that were taken stay.
        let stays = !self.sender.send_if_modified(|state| {
            let is_none = state.is_err();
            if is_none {
                *state = Err(sentence.as_str().into());
            }
            is_none
        });
        let consequence = if stays {
            "the settings before it stay in force"
        } else {
            "reviews are refused until it is right"
        };
        tracing::warn!(problem = sentence, "settings are not used: {consequence}");
        if let Some(map) = map {
            let event = Event {
                type_: EventType::Warning,
                reason: "InvalidSettings".to_owned(),
                note: Some(format!("{sentence}; {consequence}").chars().take(1000).collect()),
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
