//! Questions to registries that are asked again until nobody waits for their answer.
//!
//! One question is asked once at a time, however many objects wait for its answer. The pauses
//! between two looks grow, and an answer that changed wakes the objects that asked. Between two
//! changes no object is worked on.

mod pace;
pub(crate) mod registry;
mod waker;

pub use pace::Pace;
pub use registry::{Look, Registries};
pub use waker::Waker;

use crate::activity::{Activity, Work};
use crate::artifacts::unknown;
use crate::metrics::QuestionMetrics;
use crate::object::Key;
use crate::questions::may_ask;
use orascache_contract::{ArtifactAnswer, ArtifactFinding, ArtifactQuestion};
use registry::Registry;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// Called with the objects that wait for an answer that changed.
pub(crate) type OnAnswers = Box<dyn Fn(Vec<Key>) + Send + Sync>;

type Question = Arc<ArtifactQuestion>;

/// The questions of all objects of one controller.
#[derive(Clone)]
pub(crate) struct Inquiries(Arc<Inner>);

struct Inner {
    registries: Arc<dyn Registries>,
    pace: Pace,
    activity: Activity,
    metrics: QuestionMetrics,
    /// Looks that go on at the same time.
    looks: Semaphore,
    on_answers: OnceLock<OnAnswers>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    inquiries: HashMap<Question, Inquiry>,
    by_object: HashMap<Arc<Key>, Asked>,
    registries: HashMap<String, Weak<Registry>>,
}

/// What one object asks.
struct Asked {
    /// UID of the object.
    uid: Box<str>,
    questions: Vec<Question>,
    /// Questions that are not asked, with the reason.
    refused: Vec<ArtifactAnswer>,
}

/// One question that is being asked.
struct Inquiry {
    objects: HashSet<Arc<Key>>,
    finding: Option<ArtifactFinding>,
    early: Arc<Notify>,
    _task: Task,
}

/// Ends when it is dropped.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Inquiries {
    pub(crate) fn new(
        registries: Arc<dyn Registries>,
        pace: Pace,
        activity: Activity,
        metrics: QuestionMetrics,
    ) -> Self {
        let (looks, on_answers) = (Semaphore::new(pace.at_once.max(1)), OnceLock::new());
        let state = Mutex::default();
        Self(Arc::new(Inner { registries, pace, activity, metrics, looks, on_answers, state }))
    }

    /// Wakes questions early.
    pub(crate) fn waker(&self) -> Waker {
        Waker::start(Arc::downgrade(&self.0), self.0.pace.early)
    }

    /// Answers that there are to the questions of an object, in their order.
    pub(crate) fn answers(&self, key: &Key, uid: &str) -> Vec<ArtifactAnswer> {
        let state = self.0.lock();
        let Some(asked) = state.by_object.get(key).filter(|asked| *asked.uid == *uid) else {
            return Vec::new();
        };
        let found = asked.questions.iter().filter_map(|question| {
            let finding = state.inquiries.get(question)?.finding.clone()?;
            Some(ArtifactAnswer { question: (**question).clone(), finding })
        });
        found.chain(asked.refused.iter().cloned()).collect()
    }

    /// Asks the questions of an object from now on, and none of those that it asked before and does
    /// not ask now. `on_answers` of the first call is kept.
    pub(crate) fn ask(
        &self,
        key: &Key,
        uid: &str,
        questions: &[ArtifactQuestion],
        on_answers: impl FnOnce() -> OnAnswers,
    ) {
        if questions.is_empty() {
            return self.forget(key);
        }
        let on_answers = self.0.on_answers.get_or_init(on_answers);
        if self.begin(key, uid, questions) {
            on_answers(vec![key.clone()]);
        }
    }

    /// Forgets an object that does not exist any more, or that asks nothing.
    pub(crate) fn forget(&self, key: &Key) {
        let mut state = self.0.lock();
        state.remove(key);
        self.0.metrics.questions(state.inquiries.len());
    }

    /// Ends everything.
    pub(crate) fn clear(&self) {
        let mut state = self.0.lock();
        state.by_object.clear();
        state.inquiries.clear();
    }

    /// Returns whether an answer is there that the object has not seen.
    fn begin(&self, key: &Key, uid: &str, questions: &[ArtifactQuestion]) -> bool {
        let mut state = self.0.lock();
        let before = state.by_object.get(key).filter(|asked| *asked.uid == *uid);
        if before.is_some_and(|asked| asked.asks(questions)) {
            return false;
        }
        let old: HashSet<Question> =
            before.map(|asked| asked.questions.iter().cloned().collect()).unwrap_or_default();
        let refused_before = before.map_or(0, |asked| asked.refused.len());
        let object = Arc::new(key.clone());
        let mut asked = Asked { uid: uid.into(), questions: Vec::new(), refused: Vec::new() };
        let (mut seen, mut is_answered) = (HashSet::new(), false);
        for question in questions {
            let known = state.inquiries.get_key_value(question).map(|(known, _)| known.clone());
            let question = known.unwrap_or_else(|| Arc::new(question.clone()));
            if !seen.insert(question.clone()) {
                continue;
            }
            if let Some(why) = self.refusal(&question, key, &state) {
                asked.refused.push(unknown((*question).clone(), why));
                continue;
            }
            let inquiry = match state.inquiries.get_mut(&question) {
                Some(inquiry) => inquiry,
                None => {
                    let inquiry = self.inquire(&question, &mut state);
                    state.inquiries.entry(question.clone()).or_insert(inquiry)
                }
            };
            is_answered |= !old.contains(&question) && inquiry.finding.is_some();
            inquiry.objects.insert(object.clone());
            asked.questions.push(question);
        }
        is_answered |= asked.refused.len() > refused_before;
        for question in old.iter().filter(|question| !seen.contains(*question)) {
            state.leave(question, key);
        }
        state.by_object.insert(object, asked);
        self.0.metrics.questions(state.inquiries.len());
        is_answered
    }

    /// Why a question of an object is not asked.
    fn refusal(&self, question: &Question, key: &Key, state: &State) -> Option<&'static str> {
        if !may_ask(question, key) {
            return Some("credentials come from a Secret in the object's namespace alone");
        }
        let is_new = !state.inquiries.contains_key(question);
        (is_new && state.inquiries.len() >= self.0.pace.most)
            .then_some("the host asks as many other questions as it may")
    }

    fn inquire(&self, question: &Question, state: &mut State) -> Inquiry {
        let registry = state.registry(&question.registry, self.0.pace.at_once_of_one);
        let early = Arc::new(Notify::new());
        let asking =
            self.0.clone().keep_asking(question.clone(), registry, early.clone(), self.0.activity.begin());
        Inquiry { objects: HashSet::new(), finding: None, early, _task: Task(tokio::spawn(asking)) }
    }
}

impl Inner {
    /// Asks one question until this is dropped.
    async fn keep_asking(
        self: Arc<Self>,
        question: Question,
        registry: Arc<Registry>,
        early: Arc<Notify>,
        first: Work,
    ) {
        let mut work = Some(first);
        let mut pause = self.pace.first;
        loop {
            let look = self.look(&question, &registry).await;
            self.metrics.looked(&look);
            let mut at_least = self.pace.early;
            match look {
                Look::Answer(finding) => {
                    if self.settle(&question, finding) {
                        pause = self.pace.first;
                    }
                }
                Look::NotNow { why, after } => {
                    tracing::debug!(
                        registry = question.registry,
                        repository = question.repository,
                        reference = question.reference,
                        why,
                        "a registry gave no answer"
                    );
                    if let Some(after) = after {
                        at_least = at_least.max(registry.rest(after));
                    }
                }
            }
            // Others see what this look led to before it counts as ended.
            drop(work.take());
            let (looked, total) = (Instant::now(), self.lock().inquiries.len());
            let due = looked + self.pace.spread(pause, &question).max(at_least);
            pause = self.pace.after(pause, total);
            tokio::select! {
                () = sleep_until(due) => {}
                () = early.notified() => sleep_until(due.min(looked + at_least)).await,
            }
            work = Some(self.activity.begin());
        }
    }

    async fn look(&self, question: &ArtifactQuestion, registry: &Registry) -> Look {
        // A registry that is slow or wants to be left alone keeps no look from the others.
        let _of_one = registry.permits.acquire().await;
        registry.rested().await;
        let _look = self.looks.acquire().await;
        self.registries.look(question).await
    }

    /// Stores an answer. Returns whether it is another one than before.
    fn settle(&self, question: &Question, finding: ArtifactFinding) -> bool {
        let objects: Vec<Key> = {
            let mut state = self.lock();
            let Some(inquiry) = state.inquiries.get_mut(question) else { return false };
            if inquiry.finding.as_ref() == Some(&finding) {
                return false;
            }
            inquiry.finding = Some(finding);
            inquiry.objects.iter().map(|key| (**key).clone()).collect()
        };
        if let Some(on_answers) = self.on_answers.get() {
            on_answers(objects);
        }
        true
    }

    /// Has the questions about artifacts of these repositories asked early.
    fn wake(&self, repositories: &HashSet<String>) {
        for (question, inquiry) in &self.lock().inquiries {
            if repositories.contains(&question.repository) {
                inquiry.early.notify_one();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked {
    /// Whether these are the questions that are asked already.
    fn asks(&self, questions: &[ArtifactQuestion]) -> bool {
        self.refused.is_empty()
            && self.questions.len() == questions.len()
            && self.questions.iter().zip(questions).all(|(asked, question)| **asked == *question)
    }
}

impl State {
    fn remove(&mut self, key: &Key) {
        let Some(asked) = self.by_object.remove(key) else { return };
        for question in &asked.questions {
            self.leave(question, key);
        }
    }

    /// Ends a question for one object, and altogether when no other one asks it.
    fn leave(&mut self, question: &Question, key: &Key) {
        let Some(inquiry) = self.inquiries.get_mut(question) else { return };
        inquiry.objects.remove(key);
        if inquiry.objects.is_empty() {
            self.inquiries.remove(question);
        }
    }

    /// What is known about a registry. It is forgotten with the last question to it.
    fn registry(&mut self, host: &str, at_once: usize) -> Arc<Registry> {
        if let Some(registry) = self.registries.get(host).and_then(Weak::upgrade) {
            return registry;
        }
        self.registries.retain(|_, registry| registry.strong_count() > 0);
        let registry = Arc::new(Registry::new(at_once));
        self.registries.insert(host.to_owned(), Arc::downgrade(&registry));
        registry
    }
}

#[cfg(test)]
mod tests;
