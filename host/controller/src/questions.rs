//! Questions of plans to registries, and their answers.
//!
//! Questions are answered beside the reconciliation, which does not wait for registries. When
//! answers arrive that differ from the last ones, the primary is queued again and its next plan
//! gets them.

use crate::activity::Activity;
use crate::artifacts::{Artifacts, unknown};
use crate::object::Key;
use crate::object::is_secret;
use orascache_contract::{ArtifactAnswer, ArtifactQuestion};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::JoinHandle;

/// Called with a primary whose answers changed.
type OnAnswer = Box<dyn Fn(Key) + Send + Sync>;

/// Questions and answers of all primaries.
#[derive(Clone)]
pub(crate) struct Questions(Arc<Inner>);

struct Inner {
    artifacts: Arc<dyn Artifacts>,
    activity: Activity,
    asked: Mutex<State>,
}

#[derive(Default)]
struct State {
    by_primary: HashMap<Key, Asked>,
    /// Numbers the rounds of questions.
    rounds: u64,
}

struct Asked {
    /// UID of the primary.
    uid: Box<str>,
    questions: Vec<ArtifactQuestion>,
    answers: Vec<ArtifactAnswer>,
    round: u64,
    /// Ends the round when it is replaced.
    task: Option<Round>,
}

struct Round(JoinHandle<()>);

impl Drop for Round {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Questions {
    pub(crate) fn new(artifacts: Arc<dyn Artifacts>, activity: Activity) -> Self {
        Self(Arc::new(Inner { artifacts, activity, asked: Mutex::default() }))
    }

    /// Answers to the questions of the last plan of this primary.
    pub(crate) fn answers(&self, key: &Key, uid: &str) -> Vec<ArtifactAnswer> {
        let state = self.0.lock();
        let asked = state.by_primary.get(key).filter(|asked| *asked.uid == *uid);
        asked.map(|asked| asked.answers.clone()).unwrap_or_default()
    }

    /// Asks the questions of a plan. Answers to questions that it does not ask any more are
    /// dropped. A round of the same questions that is under way goes on.
    pub(crate) fn ask(&self, key: &Key, uid: &str, questions: &[ArtifactQuestion], on_answer: OnAnswer) {
        if questions.is_empty() {
            return self.forget(key);
        }
        let mut distinct: Vec<ArtifactQuestion> = Vec::with_capacity(questions.len());
        for question in questions {
            if !distinct.contains(question) {
                distinct.push(question.clone());
            }
        }
        let mut state = self.0.lock();
        state.rounds += 1;
        let round = state.rounds;
        let before = state.by_primary.remove(key).filter(|asked| *asked.uid == *uid);
        let mut answers = match before {
            Some(asked) if asked.questions == distinct && asked.task.is_some() => {
                state.by_primary.insert(key.clone(), asked);
                return;
            }
            Some(asked) => asked.answers,
            None => Vec::new(),
        };
        answers.retain(|answer| distinct.contains(&answer.question));
        let task = Round(tokio::spawn(self.clone().round(key.clone(), round, distinct.clone(), on_answer)));
        let asked = Asked { uid: uid.into(), questions: distinct, answers, round, task: Some(task) };
        state.by_primary.insert(key.clone(), asked);
    }

    /// Forgets a primary that does not exist any more, or that asks nothing.
    pub(crate) fn forget(&self, key: &Key) {
        self.0.lock().by_primary.remove(key);
    }

    /// Ends all rounds.
    pub(crate) fn clear(&self) {
        self.0.lock().by_primary.clear();
    }

    async fn round(self, key: Key, round: u64, questions: Vec<ArtifactQuestion>, on_answer: OnAnswer) {
        let _work = self.0.activity.begin();
        let (allowed, refused): (Vec<_>, Vec<_>) =
            questions.into_iter().partition(|question| may_ask(question, &key));
        let mut answers =
            if allowed.is_empty() { Vec::new() } else { self.0.artifacts.answer(allowed).await };
        let why = "credentials come from a Secret in the primary's namespace alone";
        answers.extend(refused.into_iter().map(|question| unknown(question, why)));
        if self.0.finish(&key, round, answers) {
            on_answer(key);
        }
    }
}

impl Inner {
    /// Stores answers in the order of their questions. Returns whether they differ from the last
    /// ones; false for a round that another one replaced.
    fn finish(&self, key: &Key, round: u64, answers: Vec<ArtifactAnswer>) -> bool {
        let mut state = self.lock();
        let Some(asked) = state.by_primary.get_mut(key).filter(|asked| asked.round == round) else {
            return false;
        };
        asked.task = None;
        let in_order = asked.questions.iter().map(|question| {
            let answer = answers.iter().find(|answer| answer.question == *question).cloned();
            answer.unwrap_or_else(|| unknown(question.clone(), "the host gave no answer"))
        });
        let in_order: Vec<ArtifactAnswer> = in_order.collect();
        let changed = asked.answers != in_order;
        asked.answers = in_order;
        changed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the credentials of a question are the primary's to use: a guest must not have the host
/// read Secrets of other namespaces.
pub(crate) fn may_ask(question: &ArtifactQuestion, primary: &Key) -> bool {
    question.credentials.as_ref().is_none_or(|secret| {
        let namespace = secret.namespace.as_deref().unwrap_or_default();
        is_secret(&secret.kind)
            && !namespace.is_empty()
            && (primary.namespace.is_empty() || namespace == &*primary.namespace)
    })
}
