//! Changes the component while the operator runs: `file` notices another one, `check` says whether it may take over, the
//! controller and the webhooks are handed over to it, and it is watched for a while.
//!
//! Nothing but the deciding is exchanged. Watches, the cache, the queue and connections stay, so that no event is
//! missed; every primary is looked at once by the new version.

mod check;
mod file;
mod notice;

use crate::engine::{CompiledCache, Guest};
use crate::record::{self, Record, Recorder};
use crate::version::{Current, Probation, Terms, Version};
use anyhow::Context;
use check::Report;
use file::Content;
use kube::Client;
use kube::runtime::events::Reporter;
use notice::{Change, Metrics, Notices};
use orascache_controller::Handover;
use orascache_controller::contract::Reconciler;
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
    /// What a new version has to go through.
    pub terms: Terms,
}

impl Options {
    /// Looks every five seconds.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), period: Duration::from_secs(5), terms: Terms::default() }
    }
}

/// Follows the file of the component until it is shut down.
pub struct Swapper {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// What a swapper works on.
pub struct Place {
    /// Of the Kubernetes API.
    pub client: Client,
    /// Names this process in events.
    pub instance: String,
    /// Namespace of the operator's Lease; without it there are no events.
    pub lease_namespace: Option<String>,
    /// Who decides about primaries.
    pub handover: Handover,
    /// Who decides about reviews.
    pub current: Arc<Current>,
    /// What records decisions, if anything.
    pub recorder: Option<Arc<Recorder>>,
}

impl Swapper {
    /// Starts to follow the file. What decides until it changes is the version at its place.
    pub fn start(place: Place, options: Options, registry: &mut Registry) -> Self {
        let metrics = Metrics::register(registry);
        let trusted = place.current.load().guest().clone();
        let digest = trusted.interface().digest.clone();
        metrics.at_work(&digest);
        let reporter =
            Reporter { controller: trusted.describe().field_manager, instance: Some(place.instance.clone()) };
        let namespace = place.lease_namespace.as_deref();
        let notices = Notices::new(place.client.clone(), namespace, reporter, metrics.clone());
        let follower = Follower {
            place,
            options,
            metrics,
            notices,
            trusted,
            probation: None,
            seen: digest,
            complaint: String::new(),
        };
        let (stop, stopped) = watch::channel(false);
        Self { stop, task: tokio::spawn(follower.run(stopped)) }
    }

    /// Ends following, and waits for that. What decides stays.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        // A panic in it was reported where it happened.
        let _ = self.task.await;
    }
}

struct Follower {
    place: Place,
    options: Options,
    metrics: Metrics,
    notices: Notices,
    /// The last version that has shown what it is worth.
    trusted: Arc<Guest>,
    /// Of the version at work, while it is new.
    probation: Option<Arc<Probation>>,
    /// Digest of what was in the file the last time, whatever became of it.
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
            let probation = self.probation.clone();
            let failed = async {
                match &probation {
                    Some(probation) => probation.failed().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = failed => self.roll_back().await,
                () = tokio::time::sleep(self.options.period) => {
                    self.end_probation();
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
                    tracing::warn!("{complaint}; what decided before goes on, and it is tried again");
                    self.complaint = complaint;
                }
            }
        }
    }

    /// Lets a new version take over if it may.
    async fn consider(&mut self, content: Content) {
        let digest = content.digest.clone();
        let at_work = self.place.current.load().guest().clone();
        if digest == at_work.interface().digest {
            tracing::info!(component = digest, "the component that is at work is back in its file");
            return;
        }
        let checked = self.examine(content, at_work).await;
        match checked.and_then(|(guest, report)| Ok((self.switch(guest)?, report))) {
            Ok((primaries, report)) => {
                let note = format!(
                    "Component {digest} decides from now on; {primaries} objects are looked at again. {}",
                    describe(&report)
                );
                self.notices.tell(Change::Switched, &note).await;
            }
            Err(error) => {
                let at_work = self.place.current.load().guest().interface().digest.clone();
                let note = format!("Component {digest} was refused, {at_work} goes on: {error:#}");
                self.notices.tell(Change::Refused, &note).await;
            }
        }
    }

    /// Loads a version beside the one at work and asks it what that one can answer. Takes its time, elsewhere.
    async fn examine(&self, content: Content, at_work: Arc<Guest>) -> anyhow::Result<(Arc<Guest>, Report)> {
        let handover = self.place.handover.clone();
        let recorder = self.place.recorder.clone();
        let examined = tokio::task::spawn_blocking(move || {
            // Compiled code is kept at a start: versions that are only tried would fill the disk.
            let guest = Arc::new(at_work.engine().load(&content.bytes, &CompiledCache::none())?);
            let observed = handover.observations(&guest.describe(), OBSERVED)?;
            let recorded = recorder.map_or_else(Vec::new, |recorder| latest(&recorder));
            let report = check::check(&guest, &at_work, observed, recorded)?;
            guest.rest();
            anyhow::Ok((guest, report))
        });
        examined.await.context("the checks did not end")?
    }

    fn switch(&mut self, guest: Arc<Guest>) -> anyhow::Result<usize> {
        let digest = guest.interface().digest.clone();
        let recorder = self.place.recorder.clone();
        let (version, probation) = if digest == self.trusted.interface().digest {
            // Somebody put the old one back: it has shown already what it is worth.
            (Version::trusted(guest, recorder), None)
        } else {
            let probation =
                Probation::new(self.trusted.clone(), self.options.terms, self.metrics.faults.clone());
            (Version::on_probation(guest, recorder, probation.clone()), Some(probation))
        };
        let primaries = self.install(version)?;
        self.probation = probation;
        self.metrics.at_work(&digest);
        Ok(primaries)
    }

    /// From here on the version decides.
    fn install(&self, version: Version) -> anyhow::Result<usize> {
        let version = Arc::new(version);
        let primaries = self.place.handover.replace(version.clone())?;
        let before = self.place.current.swap(version);
        // Instances are limited in number, and the new version needs some.
        before.guest().rest();
        Ok(primaries)
    }

    fn end_probation(&mut self) {
        if self.probation.as_ref().is_some_and(|probation| probation.is_passed()) {
            let current = self.place.current.load_full();
            current.trust();
            self.trusted = current.guest().clone();
            self.probation = None;
            tracing::info!(
                component = self.trusted.interface().digest,
                "the new component has proved itself"
            );
        }
    }

    async fn roll_back(&mut self) {
        let Some(probation) = self.probation.take() else { return };
        let failed = self.place.current.load().guest().interface().digest.clone();
        let trusted = self.trusted.interface().digest.clone();
        let faults = probation.faults();
        let version = Version::trusted(self.trusted.clone(), self.place.recorder.clone());
        match self.install(version) {
            Ok(primaries) => {
                self.metrics.at_work(&trusted);
                let note = format!(
                    "Component {failed} failed {faults} times where {trusted} does not: {trusted} decides again, {primaries} objects are looked at again."
                );
                self.notices.tell(Change::RolledBack, &note).await;
            }
            // It has decided here before.
            Err(error) => tracing::error!("{error:#}"),
        }
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
        _ => format!("Of {decisions} decisions {different} are other ones, such as {}.", examples.join("; ")),
    }
}
