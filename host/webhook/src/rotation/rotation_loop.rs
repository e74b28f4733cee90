//! The loop that each replica runs: read, serve, write the CA bundle, take a step.

use super::ca_bundle::{BundleWrite, write_ca_bundle};
use super::options::CertificateManagerOptions;
use super::secret_content::{SecretContent, SigningError};
use super::secret_store::{SecretStore, SecretWrite};
use super::step::{RotationStep, next_step};
use crate::certificates::CertificateResolver;
use crate::metrics::CertificateMetrics;
use futures::StreamExt;
use futures::stream::BoxStream;
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watcher as watch_objects};
use kube::{Client, ResourceExt};
use rustls::sign::CertifiedKey;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Steps in one round. Three are enough unless another client keeps editing the Secret.
const STEPS: usize = 8;
/// First pause after a failure. It doubles up to [`CertificateManagerOptions::period`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Least time between two rounds, so that two clients that overwrite each other cause little load.
const LEAST_PAUSE: Duration = Duration::from_millis(20);

/// Seconds after which the API server ends a watch. It is less than the time after which clients
/// give up a silent connection, so that the end of a watch is no error.
const WATCH_SECONDS: u32 = 25;

/// Why a round ended early.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error("the Secret {secret} cannot be {verb}: {source}")]
    Secret { secret: String, verb: &'static str, source: Box<kube::Error> },
    #[error(transparent)]
    Signing(#[from] SigningError),
}

/// The state of one replica's loop.
pub(super) struct RotationLoop {
    client: Client,
    options: CertificateManagerOptions,
    store: SecretStore,
    resolver: Arc<CertificateResolver>,
    metrics: CertificateMetrics,
    bundle: watch::Sender<String>,
    /// The certificate in use.
    served: Option<Arc<CertifiedKey>>,
    /// `resourceVersion` of the Secret that was read last.
    version: Option<String>,
    /// The bundle that all targets have, and since when.
    settled_bundle: Option<(String, OffsetDateTime)>,
    /// Problems that were logged and still exist, so that each is logged once.
    logged_problems: HashSet<String>,
    /// Rounds in a row that failed.
    failures: u32,
}

impl RotationLoop {
    pub(super) fn new(
        client: Client,
        options: CertificateManagerOptions,
        resolver: Arc<CertificateResolver>,
        metrics: CertificateMetrics,
        bundle: watch::Sender<String>,
    ) -> Self {
        let labels = options.labels.clone();
        let store = SecretStore::new(
            client.clone(),
            &options.namespace,
            &options.secret,
            labels,
            &options.field_manager,
        );
        Self {
            client,
            options,
            store,
            resolver,
            metrics,
            bundle,
            served: None,
            version: None,
            settled_bundle: None,
            logged_problems: HashSet::new(),
            failures: 0,
        }
    }

    /// Runs until `stop`. A write that is under way then is dropped; the API server stores either
    /// all of it or nothing.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let selected = format!("metadata.name={}", self.store.name);
        let config = watcher::Config::default().fields(&selected).timeout(WATCH_SECONDS);
        let events = watch_objects(self.store.api.clone(), config).default_backoff();
        let mut changes: BoxStream<'static, Option<String>> =
            events.filter_map(async |event| version_of(event)).boxed();
        loop {
            let pause = tokio::select! {
                () = stop.cancelled() => return,
                pause = self.round() => pause,
            };
            let until = tokio::time::Instant::now() + pause;
            let soonest = tokio::time::Instant::now() + LEAST_PAUSE;
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep_until(until) => break,
                    Some(version) = changes.next() => {
                        if version != self.version {
                            tokio::time::sleep_until(soonest).await;
                            break;
                        }
                    }
                }
            }
        }
    }

    /// One round. Returns the time to the next, if no watch event comes before.
    async fn round(&mut self) -> Duration {
        let mut problems = HashSet::new();
        let result = self.try_round(&mut problems).await;
        let pause = match result {
            Ok(pause) => {
                self.failures = 0;
                pause
            }
            Err(error) => {
                self.metrics.errors.inc();
                problems.insert(format!("{error}; the certificate in use stays, and this is tried again"));
                let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(10));
                self.failures = self.failures.saturating_add(1);
                pause
            }
        };
        for problem in problems.difference(&self.logged_problems) {
            tracing::warn!("{problem}");
        }
        self.logged_problems = problems;
        pause.min(self.options.period).max(LEAST_PAUSE)
    }

    async fn try_round(&mut self, problems: &mut HashSet<String>) -> Result<Duration, RoundError> {
        for _ in 0..STEPS {
            self.metrics.reads.inc();
            let secret = self.store.read().await.map_err(|source| self.failed("read", source))?;
            self.version = secret.as_ref().and_then(ResourceExt::resource_version);
            let (content, unusable) = read(secret.as_ref());
            problems.extend(unusable.into_iter().map(|problem| self.about_secret(&problem)));

            let now = (self.options.clock)();
            let state = content.state(&self.options.names);
            if state.leaf.is_some_and(|leaf| leaf.named && leaf.validity.covers(now)) {
                self.serve(&content);
            }
            if secret.is_some() {
                self.write_ca_bundle(&content, problems).await;
            }
            let since = self.settled_bundle.as_ref().map(|(_, since)| *since);
            let now = (self.options.clock)();
            let step = next_step(&state, since, &self.options.policy, now);
            if let RotationStep::Wait(until) = step {
                return Ok(Duration::try_from(until - now).unwrap_or(Duration::ZERO));
            }
            let after = content.after(step, &self.options.names, &self.options.policy, now)?;
            let written =
                self.store.write(secret, &after).await.map_err(|source| self.failed("written", source))?;
            if written == SecretWrite::Stored {
                tracing::info!(secret = self.secret(), "{}", description(step));
            }
        }
        Ok(FIRST_PAUSE)
    }

    /// Serves the certificate of the Secret, if it is not the one in use.
    fn serve(&mut self, content: &SecretContent) {
        let Some(loaded) = content.served() else { return };
        if self.served.as_ref().is_some_and(|served| served.cert == loaded.key.cert) {
            return;
        }
        self.resolver.replace(loaded);
        self.served = Some(loaded.key.clone());
        self.metrics.expires.set(loaded.expires.unix_timestamp());
        tracing::info!(secret = self.secret(), expires = %loaded.expires, "certificate loaded");
    }

    /// Writes the CA bundle into the targets, and keeps the time since when all of them have it.
    async fn write_ca_bundle(&mut self, content: &SecretContent, problems: &mut HashSet<String>) {
        let bundle = content.bundle();
        if bundle.is_empty() {
            self.settled_bundle = None;
            return;
        }
        self.bundle.send_if_modified(|known| {
            let differs = *known != bundle;
            known.clone_from(&bundle);
            differs
        });
        let mut all_targets = true;
        for target in &self.options.targets {
            let is_newest =
                async || Ok(self.store.read().await?.and_then(|s| s.resource_version()) == self.version);
            let manager = &self.options.field_manager;
            match write_ca_bundle(&self.client, target, &bundle, manager, is_newest).await {
                Ok(BundleWrite::UpToDate) => {}
                Ok(BundleWrite::Applied) => tracing::info!(%target, "CA bundle written"),
                Ok(BundleWrite::NotFound) => {
                    problems
                        .insert(format!("{target} does not exist yet, so the CA bundle cannot be written"));
                }
                Ok(BundleWrite::Conflict) => all_targets = false,
                Err(error) => {
                    problems.insert(format!("the CA bundle cannot be written into {target}: {error}"));
                    all_targets = false;
                }
            }
        }
        if !all_targets {
            self.settled_bundle = None;
        } else if self.settled_bundle.as_ref().is_none_or(|(known, _)| *known != bundle) {
            self.settled_bundle = Some((bundle, (self.options.clock)()));
        }
    }

    fn secret(&self) -> String {
        format!("{}/{}", self.options.namespace, self.options.secret)
    }

    fn about_secret(&self, problem: &str) -> String {
        format!("the Secret {} has unusable content, which is replaced: {problem}", self.secret())
    }

    fn failed(&self, verb: &'static str, source: kube::Error) -> RoundError {
        RoundError::Secret { secret: self.secret(), verb, source: Box::new(source) }
    }
}

/// The version of the Secret that an event shows, which is none for a Secret that is gone. Events
/// that show no Secret give nothing. An error starts a round, which logs what it meets.
fn version_of(event: Result<watcher::Event<Secret>, watcher::Error>) -> Option<Option<String>> {
    match event {
        Ok(watcher::Event::Apply(secret) | watcher::Event::InitApply(secret)) => {
            Some(secret.resource_version())
        }
        Ok(watcher::Event::Delete(_)) | Err(_) => Some(None),
        Ok(watcher::Event::Init | watcher::Event::InitDone) => None,
    }
}

fn read(secret: Option<&Secret>) -> (SecretContent, Vec<String>) {
    match secret.and_then(|secret| secret.data.as_ref()) {
        Some(data) => SecretContent::read(data),
        None => (SecretContent::default(), Vec::new()),
    }
}

/// What a step did, for the log.
fn description(step: RotationStep) -> &'static str {
    match step {
        RotationStep::Begin => "made a CA and a certificate",
        RotationStep::AddAuthority => {
            "made the next CA, which signs once the webhook configurations have had it for a while"
        }
        RotationStep::Switch => "the next CA signed a certificate",
        RotationStep::IssueLeaf => "renewed the certificate",
        RotationStep::DropFormer => "removed the former CA: its last certificate has expired",
        RotationStep::Wait(_) => "nothing to do",
    }
}
