//! Answers the questions of reviews about images: what they start.
//!
//! Whoever may create a pod chooses the image that is asked for. So only registries that the
//! administrator names are asked, without credentials, within bounds of size, time and number, and
//! each image once, however many reviews wait for it. Images are asked for by their digests alone,
//! so that an answer never changes and can be remembered.

mod allowed;
mod memory;
mod metrics;

use allowed::Allowed;
use futures::future::join_all;
use memory::{Found, Memory};
use metrics::Metrics;
use oci_registry_client::{ArtifactReference, Client, Credentials, Error, ImageProgram, TransferPolicy};
use orascache_contract::{ArtifactAnswer, ArtifactFinding, ArtifactQuestion};
use prometheus_client::registry::Registry;
use serde_json::json;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

/// Longest configuration that is handed over, in bytes.
const MAX_CONFIG: usize = 16 * 1024;
/// Most characters of what a registry says.
const MAX_REASON: usize = 300;
/// Most questions of one review. A review is about one container.
const MAX_QUESTIONS: usize = 4;

/// What one process does for images.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How long a review waits. The API server gives a review up after five seconds.
    pub(crate) wait: Duration,
    /// How long reading one image may take. It goes on when the review does not wait any more.
    pub(crate) read: Duration,
    /// How long it is remembered that an image could not be read.
    pub(crate) failures: Duration,
    /// Images that are read at the same time.
    pub(crate) at_once: usize,
    /// Images that are read or wait for that.
    pub(crate) pending: usize,
    /// Reviews that wait at the same time. The others keep their slots in the webhook's server.
    pub(crate) waiting: usize,
    /// Images that are remembered.
    pub(crate) remembered: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wait: Duration::from_secs(3),
            read: Duration::from_secs(5),
            failures: Duration::from_secs(10),
            at_once: 4,
            pending: 32,
            waiting: 32,
            remembered: 1_024,
        }
    }
}

/// Reads what images start, and remembers it. Clones share everything.
#[derive(Clone)]
pub(crate) struct ImageConfigs(Arc<Inner>);

struct Inner {
    limits: Limits,
    metrics: Metrics,
    reads: Semaphore,
    waits: Semaphore,
    memory: Mutex<Memory>,
}

impl ImageConfigs {
    pub(crate) fn new(limits: Limits, registry: &mut Registry) -> Self {
        Self(Arc::new(Inner {
            limits,
            metrics: Metrics::register(registry),
            reads: Semaphore::new(limits.at_once),
            waits: Semaphore::new(limits.waiting),
            memory: Mutex::new(Memory::new(limits.remembered, limits.pending)),
        }))
    }

    /// Answers the questions of one review, in their order. `settings` are the administrator's, JSON
    /// text: they name the registries that may be asked.
    pub(crate) async fn answer(
        &self,
        questions: Vec<ArtifactQuestion>,
        settings: &str,
    ) -> Vec<ArtifactAnswer> {
        let allowed = Arc::new(Allowed::read(settings));
        let answers = questions.into_iter().enumerate().map(async |(index, question)| {
            let finding = if index < MAX_QUESTIONS {
                match allowed.check(&question) {
                    Ok(reference) => self.find(&question, reference, &allowed).await,
                    Err(why) => unknown(why),
                }
            } else {
                unknown(format!("a review may ask for {MAX_QUESTIONS} images"))
            };
            ArtifactAnswer { question, finding }
        });
        join_all(answers).await
    }

    async fn find(
        &self,
        question: &ArtifactQuestion,
        reference: ArtifactReference,
        allowed: &Arc<Allowed>,
    ) -> ArtifactFinding {
        let inner = &self.0;
        // Held until the answer is there or the time is over.
        let Ok(_waiting) = inner.waits.try_acquire() else {
            return unknown("too many reviews wait for images now, so try again".to_owned());
        };
        let mut reading = match self.look_up(question, reference, allowed) {
            Ok(finding) => return finding,
            Err(reading) => reading,
        };
        let answered = timeout(inner.limits.wait, reading.wait_for(Option::is_some)).await;
        match answered {
            Ok(Ok(answer)) => {
                answer.as_ref().map_or_else(|| unknown(gone()), |answer| answer.finding.clone())
            }
            Ok(Err(_)) => unknown(gone()),
            Err(_) => unknown(format!(
                "{} gave no answer within {:?}, so try again",
                question.registry, inner.limits.wait
            )),
        }
    }

    /// What is remembered, or the place where the answer appears. An image that nobody reads is read
    /// from now on.
    fn look_up(
        &self,
        question: &ArtifactQuestion,
        reference: ArtifactReference,
        allowed: &Arc<Allowed>,
    ) -> Result<ArtifactFinding, memory::Answers> {
        let mut memory = self.0.lock();
        match memory.find(question, Instant::now()) {
            Found::Known(finding) => {
                self.0.metrics.remembered();
                Ok(finding)
            }
            Found::Reading(answers) => Err(answers),
            Found::Absent => match memory.begin(question) {
                None => Ok(unknown("too many other images are read now, so try again".to_owned())),
                Some((sender, answers)) => {
                    let (inner, question, allowed) = (self.0.clone(), question.clone(), allowed.clone());
                    tokio::spawn(inner.read_and_settle(question, reference, allowed, sender));
                    Err(answers)
                }
            },
        }
    }
}

impl Inner {
    async fn read_and_settle(
        self: Arc<Self>,
        question: ArtifactQuestion,
        reference: ArtifactReference,
        allowed: Arc<Allowed>,
        sender: watch::Sender<Option<memory::Answer>>,
    ) {
        let finding = self.read(&question, &reference, &allowed).await;
        self.metrics.read(&finding);
        // What an image starts never changes. A failure may pass.
        let is_known = matches!(finding, ArtifactFinding::ImageConfig(_));
        let until = (!is_known).then(|| Instant::now() + self.limits.failures);
        sender.send_replace(Some(memory::Answer { finding, until }));
    }

    async fn read(
        &self,
        question: &ArtifactQuestion,
        reference: &ArtifactReference,
        allowed: &Allowed,
    ) -> ArtifactFinding {
        let Ok(_reading) = self.reads.acquire().await else { return unknown(gone()) };
        let (endpoint, network) = match allowed.way_to(question) {
            Ok(way) => way,
            Err(why) => return unknown(why),
        };
        // Nothing is repeated, and the time of everything together is what is bounded.
        let policy = TransferPolicy {
            patience: Duration::ZERO,
            stall: self.limits.read.saturating_mul(2),
            ..TransferPolicy::default()
        };
        let client = Client::with_network(endpoint, Credentials::default(), policy, network);
        match timeout(self.limits.read, client.image_program(reference)).await {
            Ok(Ok(program)) => config(&program),
            Ok(Err(Error::NotFound { .. })) => ArtifactFinding::Missing,
            Ok(Err(error)) => unknown(shortened(&error.to_string())),
            Err(_) => unknown(format!("{} gave no answer within {:?}", question.registry, self.limits.read)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The members of a configuration that are the same on all processors.
fn config(program: &ImageProgram) -> ArtifactFinding {
    let text = json!({"config": {"Entrypoint": program.entrypoint, "Cmd": program.command}}).to_string();
    if text.len() > MAX_CONFIG {
        return unknown(format!("the command of the image is longer than {MAX_CONFIG} bytes"));
    }
    ArtifactFinding::ImageConfig(text)
}

/// A sentence in which a registry may have said anything.
fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().filter(|one| !one.is_control()).take(MAX_REASON).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    shown
}

fn gone() -> String {
    "the operator stopped reading it, so try again".to_owned()
}

fn unknown(why: String) -> ArtifactFinding {
    ArtifactFinding::Unknown(why)
}

#[cfg(test)]
mod security_tests;
#[cfg(test)]
mod tests;
