//! What one replica does, again and again.

use super::ManagedOptions;
use super::material::Material;
use super::plan::{Step, plan};
use super::publish::{Published, publish};
use super::store::{Store, Written};
use crate::certificates::Certificates;
use crate::metrics::CertificateMetrics;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use rustls::sign::CertifiedKey;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Steps in a row without a look at what else there is to do: three are enough for anything but quarrels.
const STEPS: usize = 8;
/// First pause after a failure; it doubles up to the period of looks.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Least time between two rounds: a quarrel about the Secret must not become a storm.
const LEAST_PAUSE: Duration = Duration::from_millis(20);

/// Why a round did not get to its end.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error("the Secret {secret} cannot be {verb}: {source}")]
    Secret { secret: String, verb: &'static str, source: Box<kube::Error> },
    #[error(transparent)]
    Make(#[from] super::material::MakeError),
}

/// One replica's view of the certificate.
pub(super) struct Replica {
    client: Client,
    options: ManagedOptions,
    store: Store,
    certificates: Arc<Certificates>,
    metrics: CertificateMetrics,
    bundle: watch::Sender<String>,
    served: Option<Arc<CertifiedKey>>,
    /// `resourceVersion` of the Secret that was read last.
    version: Option<String>,
    /// Which bundle all targets have, and since when.
    published: Option<(String, OffsetDateTime)>,
    /// What was logged and still holds, so that it is logged once.
    complaints: HashSet<String>,
    failures: u32,
}

impl Replica {
    pub(super) fn new(
        client: Client,
        options: ManagedOptions,
        certificates: Arc<Certificates>,
        metrics: CertificateMetrics,
        bundle: watch::Sender<String>,
    ) -> Self {
        let labels = options.labels.clone();
        let store =
            Store::new(client.clone(), &options.namespace, &options.secret, labels, &options.field_manager);
        Self {
            client,
            options,
            store,
            certificates,
            metrics,
            bundle,
            served: None,
            version: None,
            published: None,
            complaints: HashSet::new(),
            failures: 0,
        }
    }

    /// Goes on until stopped. A step that is being written when that happens is given up; the Secret is whole
    /// either way.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut changes: BoxStream<'static, Option<String>> =
            watcher::watch_object(self.store.api.clone(), &self.store.name)
                .default_backoff()
                .map_ok(|secret: Option<Secret>| secret.and_then(|secret| secret.resource_version()))
                // An error is a reason to look, which logs what it meets.
                .map(|change| change.unwrap_or_default())
                .boxed();
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

    /// Looks at everything once. Returns when to look again, if nothing happens before.
    async fn round(&mut self) -> Duration {
        let mut complaints = HashSet::new();
        let result = self.try_round(&mut complaints).await;
        let pause = match result {
            Ok(pause) => {
                self.failures = 0;
                pause
            }
            Err(error) => {
                self.metrics.errors.inc();
                complaints.insert(format!("{error}; what was served before stays, and it is tried again"));
                let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(10));
                self.failures = self.failures.saturating_add(1);
                pause
            }
        };
        for complaint in complaints.difference(&self.complaints) {
            tracing::warn!("{complaint}");
        }
        self.complaints = complaints;
        pause.min(self.options.period).max(LEAST_PAUSE)
    }

    async fn try_round(&mut self, complaints: &mut HashSet<String>) -> Result<Duration, RoundError> {
        for _ in 0..STEPS {
            self.metrics.reads.inc();
            let secret = self.store.read().await.map_err(|source| self.failed("read", source))?;
            self.version = secret.as_ref().and_then(ResourceExt::resource_version);
            let (material, problems) = read(secret.as_ref());
            complaints.extend(problems.into_iter().map(|problem| self.about_secret(&problem)));

            let now = (self.options.clock)();
            let facts = material.facts(&self.options.names);
            if facts.leaf.is_some_and(|leaf| leaf.named && leaf.validity.covers(now)) {
                self.serve(&material);
            }
            if secret.is_some() {
                self.publish(&material, complaints).await;
            }
            let since = self.published.as_ref().map(|(_, since)| *since);
            let now = (self.options.clock)();
            let step = plan(&facts, since, &self.options.policy, now);
            if let Step::Wait(until) = step {
                return Ok(Duration::try_from(until - now).unwrap_or(Duration::ZERO));
            }
            let after = material.after(step, &self.options.names, &self.options.policy, now)?;
            let written =
                self.store.write(secret, &after).await.map_err(|source| self.failed("written", source))?;
            if written == Written::Stored {
                tracing::info!(secret = self.secret(), "{}", done(step));
            }
        }
        Ok(FIRST_PAUSE)
    }

    /// Serves the certificate of the Secret, if it is another one.
    fn serve(&mut self, material: &Material) {
        let Some(loaded) = material.served() else { return };
        if self.served.as_ref().is_some_and(|served| served.cert == loaded.key.cert) {
            return;
        }
        self.certificates.replace(loaded);
        self.served = Some(loaded.key.clone());
        self.metrics.expires.set(loaded.expires.unix_timestamp());
        tracing::info!(secret = self.secret(), expires = %loaded.expires, "certificate loaded");
    }

    /// Publishes the CAs, and notes since when all targets have them.
    async fn publish(&mut self, material: &Material, complaints: &mut HashSet<String>) {
        let bundle = material.bundle();
        if bundle.is_empty() {
            self.published = None;
            return;
        }
        self.bundle.send_if_modified(|known| {
            let differs = *known != bundle;
            known.clone_from(&bundle);
            differs
        });
        let mut everywhere = true;
        for target in &self.options.targets {
            let is_newest =
                async || Ok(self.store.read().await?.and_then(|s| s.resource_version()) == self.version);
            match publish(&self.client, target, &bundle, &self.options.field_manager, is_newest).await {
                Ok(Published::Current) => {}
                Ok(Published::Applied) => tracing::info!(%target, "CA published"),
                Ok(Published::Absent) => {
                    complaints.insert(format!("there is no {target} to publish the webhook's CA to yet"));
                }
                Ok(Published::Outdated) => everywhere = false,
                Err(error) => {
                    complaints.insert(format!("the webhook's CA cannot be published to {target}: {error}"));
                    everywhere = false;
                }
            }
        }
        if !everywhere {
            self.published = None;
        } else if self.published.as_ref().is_none_or(|(known, _)| *known != bundle) {
            self.published = Some((bundle, (self.options.clock)()));
        }
    }

    fn secret(&self) -> String {
        format!("{}/{}", self.options.namespace, self.options.secret)
    }

    fn about_secret(&self, problem: &str) -> String {
        format!("the Secret {} has something unusable: {problem}; it will be replaced", self.secret())
    }

    fn failed(&self, verb: &'static str, source: kube::Error) -> RoundError {
        RoundError::Secret { secret: self.secret(), verb, source: Box::new(source) }
    }
}

fn read(secret: Option<&Secret>) -> (Material, Vec<String>) {
    match secret.and_then(|secret| secret.data.as_ref()) {
        Some(data) => Material::read(data),
        None => (Material::default(), Vec::new()),
    }
}

fn done(step: Step) -> &'static str {
    match step {
        Step::Begin => "CA and certificate made",
        Step::AddAuthority => "next CA made; it signs once it has been published for a while",
        Step::Switch => "certificate made by the next CA",
        Step::IssueLeaf => "certificate renewed",
        Step::DropFormer => "former CA removed; no certificate by it is valid any more",
        Step::Wait(_) => "nothing to do",
    }
}
