//! Replaces the component while the process runs: `file` notices another one, `check` says whether
//! it may take over, the host and the reviews are switched to it, and it is a canary for a while.
//!
//! Nothing but the version that decides changes. Watches, caches, queues and connections stay, so
//! that no event is missed; every primary is reconciled once by the new version.

mod check;
mod file;
mod host;
mod metrics;

pub use host::{Change, ChangeKind, HostError, SwapHost};

use crate::canary::{Canary, CanaryPolicy};
use crate::engine::{CompiledCache, Guest};
use crate::record::{self, Record, Recorder};
use crate::version::{ActiveVersion, Version};
use check::Report;
use file::Content;
use metrics::Metrics;
use prometheus_client::registry::Registry;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Primaries that a new version is asked about before it takes over.
const OBSERVED: usize = 500;
/// Recorded decisions that it is asked about.
const RECORDED: usize = 1_000;

/// Which file is followed, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The component.
    pub file: PathBuf,
    /// Time between two looks at it.
    pub period: Duration,
    /// When a new version has proved itself.
    pub canary: CanaryPolicy,
}

impl Options {
    /// Looks every five seconds.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), period: Duration::from_secs(5), canary: CanaryPolicy::default() }
    }
}

/// Follows the file of the component until it is shut down.
pub struct HotSwap {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl HotSwap {
    /// Starts to follow the file. `active` has the version that decides about reviews, and `host`
    /// the same one for primaries; both are exchanged together. Metrics are registered as
    /// `component_info` and so on: the registry gives them a prefix.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(
        active: Arc<ActiveVersion>,
        recorder: Option<Arc<Recorder>>,
        host: Arc<dyn SwapHost>,
        options: Options,
        registry: &mut Registry,
    ) -> Self {
        let metrics = Metrics::register(registry);
        let trusted = active.load().guest().clone();
        let digest = trusted.interface().digest.clone();
        metrics.set_active(&digest);
        let follower = Follower {
            active,
            recorder,
            host,
            options,
            metrics,
            trusted,
            canary: None,
            seen: digest,
            complaint: String::new(),
        };
        let (stop, stopped) = watch::channel(false);
        Self { stop, task: tokio::spawn(follower.run(stopped)) }
    }

    /// Ends following, and waits for that. The version that decides stays.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        // The panic hook has reported a panic of the task.
        let _ = self.task.await;
    }
}

/// Why a new version does not take over.
#[derive(Debug, thiserror::Error)]
enum SwapError {
    #[error(transparent)]
    Load(#[from] crate::engine::LoadError),
    #[error(transparent)]
    Check(#[from] check::Refusal),
    #[error("{0}")]
    Host(HostError),
    #[error("the checks did not end: {0}")]
    Ended(#[from] tokio::task::JoinError),
}

struct Follower {
    active: Arc<ActiveVersion>,
    recorder: Option<Arc<Recorder>>,
    host: Arc<dyn SwapHost>,
    options: Options,
    metrics: Metrics,
    /// The last version that has proved itself.
    trusted: Arc<Guest>,
    /// The counters of the version that decides, while it is a canary.
    canary: Option<Arc<Canary>>,
    /// Digest of the file's last content, whether or not that version took over.
    seen: String,
    /// What was logged last about the file, so that a lasting problem is logged once.
    complaint: String,
}

impl Follower {
    async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => {}
            () = self.follow() => {}
        }
    }

    async fn follow(&mut self) {
        loop {
            let canary = self.canary.clone();
            let failed = async {
                match &canary {
                    Some(canary) => canary.failed().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = failed => self.roll_back().await,
                () = tokio::time::sleep(self.options.period) => {
                    self.end_canary();
                    self.look().await;
                }
            }
        }
    }

    async fn look(&mut self) {
        let pause = self.options.period / 5;
        match file::changed(&self.options.file, &self.seen, pause).await {
            Ok(None) => self.complaint.clear(),
            Ok(Some(content)) => {
                self.complaint.clear();
                self.seen.clone_from(&content.digest);
                self.consider(content).await;
            }
            Err(error) => {
                let complaint = error.to_string();
                if complaint != self.complaint {
                    tracing::warn!("{complaint}; the version at work goes on, and the file is tried again");
                    self.complaint = complaint;
                }
            }
        }
    }

    /// Lets a new version take over if it may.
    async fn consider(&mut self, content: Content) {
        let digest = content.digest.clone();
        let active = self.active.load().guest().clone();
        if digest == active.interface().digest {
            tracing::info!(component = digest, "the component that is at work is back in its file");
            return;
        }
        let checked = self.examine(content, active).await;
        match checked.and_then(|(guest, report)| Ok((self.switch(guest)?, report))) {
            Ok((primaries, report)) => {
                let note = format!(
                    "Component {digest} decides from now on; {primaries} objects are reconciled again. {}",
                    describe(&report)
                );
                self.announce(ChangeKind::Switched, note).await;
            }
            Err(error) => {
                let active = self.active.load().guest().interface().digest.clone();
                let note = format!("Component {digest} was refused, {active} goes on: {error}");
                self.announce(ChangeKind::Refused, note).await;
            }
        }
    }

    /// Loads a version beside the one at work, and asks it what that one can answer. Runs on a
    /// thread of its own, since it takes a while.
    async fn examine(&self, content: Content, active: Arc<Guest>) -> Result<(Arc<Guest>, Report), SwapError> {
        let (host, recorder) = (self.host.clone(), self.recorder.clone());
        tokio::task::spawn_blocking(move || {
            // Compiled code is kept at a start only: versions that are tried would fill the disk.
            let guest = Arc::new(active.engine().load(&content.bytes, &CompiledCache::none())?);
            let observed = host.observations(guest.describe(), OBSERVED).map_err(SwapError::Host)?;
            let recorded = recorder.map_or_else(Vec::new, |recorder| latest(&recorder));
            let report = check::check(&guest, &active, observed, recorded)?;
            guest.drop_idle_instances();
            Ok((guest, report))
        })
        .await?
    }

    fn switch(&mut self, guest: Arc<Guest>) -> Result<usize, SwapError> {
        let digest = guest.interface().digest.clone();
        let recorder = self.recorder.clone();
        let (version, canary) = if digest == self.trusted.interface().digest {
            // Somebody put the old component back, which has proved itself already.
            (Version::trusted(guest, recorder), None)
        } else {
            let canary =
                Canary::new(self.trusted.clone(), self.options.canary, self.metrics.failures.clone());
            (Version::canary(guest, recorder, canary.clone()), Some(canary))
        };
        let primaries = self.activate(version)?;
        self.canary = canary;
        self.metrics.set_active(&digest);
        Ok(primaries)
    }

    /// From here on the version decides.
    fn activate(&self, version: Version) -> Result<usize, SwapError> {
        let version = Arc::new(version);
        let primaries = self.host.activate(version.clone()).map_err(SwapError::Host)?;
        let before = self.active.swap(version);
        // Instances are limited in number, and the new version needs some.
        before.guest().drop_idle_instances();
        Ok(primaries)
    }

    fn end_canary(&mut self) {
        if self.canary.as_ref().is_some_and(|canary| canary.has_passed()) {
            let active = self.active.load_full();
            active.trust();
            self.trusted = active.guest().clone();
            self.canary = None;
            tracing::info!(
                component = self.trusted.interface().digest,
                "the new component has proved itself"
            );
        }
    }

    async fn roll_back(&mut self) {
        let Some(canary) = self.canary.take() else { return };
        let failed = self.active.load().guest().interface().digest.clone();
        let trusted = self.trusted.interface().digest.clone();
        let failures = canary.failures();
        let version = Version::trusted(self.trusted.clone(), self.recorder.clone());
        match self.activate(version) {
            Ok(primaries) => {
                self.metrics.set_active(&trusted);
                let note = format!(
                    "Component {failed} failed {failures} times where {trusted} does not: {trusted} decides again, {primaries} objects are reconciled again."
                );
                self.announce(ChangeKind::RolledBack, note).await;
            }
            // The host has taken this version before, so that it does not refuse it now.
            Err(error) => tracing::error!("{error}"),
        }
    }

    async fn announce(&self, kind: ChangeKind, note: String) {
        self.metrics.count(kind);
        match kind {
            ChangeKind::Switched => tracing::info!("{note}"),
            ChangeKind::Refused | ChangeKind::RolledBack => tracing::error!("{note}"),
        }
        self.host.announce(Change { kind, note }).await;
    }
}

fn latest(recorder: &Recorder) -> Vec<Record> {
    recorder.flush();
    record::latest(recorder.directory(), RECORDED).unwrap_or_else(|error| {
        tracing::warn!(%error, "records cannot be read; the new component is not asked about them");
        Vec::new()
    })
}

fn describe(report: &Report) -> String {
    let Report { decisions, different, examples } = report;
    match different {
        0 => format!("All of {decisions} decisions are the same."),
        _ => format!("Of {decisions} decisions {different} differ, such as {}.", examples.join("; ")),
    }
}
