//! Works on primaries: shows the reconciler what is observed, carries out its plan, and decides
//! when the primary is worked on again.

use crate::active::ActiveReconciler;
use crate::activity::Activity;
use crate::cache::{Cache, Texts, View};
use crate::complaints::{Complaints, Topic};
use crate::compressed::Compressed;
use crate::executor::{Context, Execution, Executor};
use crate::failures::{Change, Failures, is_same};
use crate::force_limiter;
use crate::inquiries::Inquiries;
use crate::may_write::MayWrite;
use crate::metrics::{Metrics, ReconcileResult};
use crate::object::Key;
use crate::postponed::{PlanEnd, Postponed};
use crate::questions::Questions;
use crate::queue::Queue;
use crate::recorded::Recorded;
use crate::requests::is_final;
use crate::roles::Roles;
use arc_swap::ArcSwap;
use futures::{FutureExt, StreamExt};
use orascache_contract::{
    Description, Event, Failure, FailureReason, GuestError, Observed, Plan, Severity, Verb,
};
use std::any::Any;
use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// Shortest wait before a retry when the API server answered "too many requests".
const OVERLOAD_WAIT: Duration = Duration::from_secs(1);

/// How many plans are finished at the same time when the controller stops.
const FINISHED_AT_ONCE: usize = 16;

/// What workers, informers and handles share.
pub(crate) struct Shared {
    pub(crate) cache: Arc<Cache>,
    pub(crate) queue: Queue<Key>,
    pub(crate) failures: Failures,
    pub(crate) complaints: Complaints,
    pub(crate) questions: Questions,
    pub(crate) postponed: Postponed,
    /// Where primaries are objects of others, what is done in other ways for them.
    pub(crate) attended: Option<Attended>,
    pub(crate) executor: Executor,
    /// What the first reconciler described: the watches come from it.
    pub(crate) description: Description,
    pub(crate) active: ArcSwap<ActiveReconciler>,
    pub(crate) settings: watch::Receiver<Arc<str>>,
    pub(crate) metrics: Metrics,
    pub(crate) may_write: watch::Receiver<MayWrite>,
    /// Primaries whose turn came while this process was not allowed to write.
    pub(crate) held_back: watch::Sender<HashSet<Key>>,
}

/// What a controller remembers about objects of others that it looks after.
pub(crate) struct Attended {
    /// Takes the place of [`Shared::questions`].
    pub(crate) inquiries: Inquiries,
    pub(crate) recorded: Recorded,
}

impl Shared {
    /// Queues primaries.
    pub(crate) fn enqueue(&self, keys: Vec<Key>) {
        if keys.is_empty() {
            return;
        }
        let count = keys.len();
        for key in keys {
            self.queue.add(key);
        }
        self.metrics.added(count, self.queue.depth());
    }

    /// Queues all primaries, and returns how many there are.
    pub(crate) fn enqueue_all(&self) -> usize {
        let primaries = self.cache.primaries();
        let count = primaries.len();
        self.enqueue(primaries);
        count
    }

    /// Everything that a plan for this primary may depend on.
    pub(crate) fn observe(&self, key: &Key, view: &View, texts: Texts) -> Observed {
        Observed {
            primary: texts.primary,
            owned: texts.owned,
            related: texts.related,
            absent: texts.absent,
            omitted: texts.omitted,
            failures: self.failures.of(key, &view.uid),
            answers: match &self.attended {
                Some(attended) => attended.inquiries.answers(key, &view.uid),
                None => self.questions.answers(key, &view.uid),
            },
            settings: self.settings.borrow().clone(),
            now: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
        }
    }

    /// Works on one primary.
    pub(crate) async fn reconcile(self: &Arc<Self>, key: &Key) {
        let started = Instant::now();
        // One reconciler makes the plan and has its roles apply to it, whichever is active
        // afterwards.
        let active = self.active.load_full();
        let Some(uid) = self.cache.primary_uid(key) else {
            // Nothing is remembered for a later primary of the same name.
            self.queue.remove(key);
            self.failures.forget(key);
            self.complaints.forget(key);
            self.questions.forget(key);
            self.postponed.forget(key);
            if let Some(attended) = &self.attended {
                attended.inquiries.forget(key);
                attended.recorded.forget(key);
            }
            self.held_back.send_if_modified(|keys| keys.remove(key));
            return;
        };
        if !self.may_write.borrow().is_in_force() {
            // The leader works on it. It is queued again once this process may write.
            self.postponed.forget(key);
            self.held_back.send_if_modified(|keys| keys.insert(key.clone()));
            return;
        }
        self.finish_plan(key, &uid, &active.roles).await;
        let Some((view, texts)) = self.cache.view(key, &active.roles) else {
            // Its deletion has queued it.
            return;
        };
        let observed = self.observe(key, &view, texts);
        if observed.failures.iter().any(is_final) {
            // The primary ends with its namespace.
            return;
        }
        // A panic is a failure of this primary alone: the worker goes on with others.
        let planning = AssertUnwindSafe(async { active.reconciler.reconcile(observed).await });
        let planned = planning.catch_unwind().await;
        let planned = planned.unwrap_or_else(|panic| Err(GuestError::Stopped(describe(&*panic))));
        let result = match planned {
            Ok(mut plan) => {
                if let Some(attended) = &self.attended {
                    attended.recorded.keep_new(key, &view.uid, &mut plan.events);
                }
                if self.complaints.ends(key, Topic::Plan) {
                    tracing::info!(primary = %key, "there is a plan again");
                }
                let context = Context { cache: &self.cache, roles: &active.roles, key, view: &view };
                let outcome = self.executor.execute(&context, &plan, || self.queue.depth() > 0).await;
                self.report_refusals(&context, &outcome).await;
                self.ask(key, &view.uid, &plan);
                if outcome.is_postponed {
                    self.postponed.put(key, &mut plan, view.clone());
                }
                self.conclude(key, &view.uid, outcome, plan.requeue_after)
            }
            Err(error) => self.back_off(key, &error),
        };
        self.metrics.reconciled(result, started.elapsed());
    }

    /// Writes the status and the events of the last plan where they wait.
    async fn finish_plan(&self, key: &Key, uid: &str, roles: &Roles) {
        if let Some(end) = self.postponed.take(key, uid) {
            self.write_end(key, roles, &end).await;
        }
    }

    /// Writes the status and the events of plans that wait, of all primaries.
    pub(crate) async fn finish_plans(&self) {
        let active = self.active.load_full();
        let ends = futures::stream::iter(self.postponed.take_all());
        let write = async |(key, end): (Key, PlanEnd)| self.write_end(&key, &active.roles, &end).await;
        ends.for_each_concurrent(FINISHED_AT_ONCE, write).await;
    }

    /// A status that cannot be written is part of the plan that follows.
    async fn write_end(&self, key: &Key, roles: &Roles, end: &PlanEnd) {
        let context = Context { cache: &self.cache, roles, key, view: &end.view };
        let mut outcome = Execution::default();
        let status = end.status.as_ref().map(Compressed::open);
        self.executor.finish(&context, status.as_deref(), &end.events, &mut outcome).await;
    }

    /// Whether primaries that were held back are about to be queued.
    pub(crate) fn is_resuming(&self) -> bool {
        !self.held_back.borrow().is_empty() && self.may_write.borrow().is_in_force()
    }

    /// Queues primaries that were held back, whenever this process may write.
    pub(crate) async fn resume(self: Arc<Self>, activity: Activity) {
        let (mut held_back, mut may_write) = (self.held_back.subscribe(), self.may_write.clone());
        loop {
            // No change is missed, since both waits look at the current value first. The first one
            // cannot fail: `self` has the sender. An error of the second one means that nobody is
            // left who could permit writes.
            let _ = held_back.wait_for(|keys| !keys.is_empty()).await;
            if may_write.wait_for(|may| may.is_in_force()).await.is_err() {
                return;
            }
            // While it runs, the controller is not quiescent.
            let _work = activity.begin();
            let keys = self.held_back.send_replace(HashSet::new());
            self.enqueue(keys.into_iter().collect());
        }
    }

    /// Counts writes that reached too far, and records an event for each that is new.
    async fn report_refusals(&self, context: &Context<'_>, outcome: &Execution) {
        let known = self.failures.of(context.key, &context.view.uid);
        for failure in outcome.failures.iter().filter(|one| one.reason == FailureReason::NotPermitted) {
            self.metrics.refused(failure.verb);
            if !known.iter().any(|known| is_same(known, failure)) {
                self.executor.record(context, &refusal_event(failure)).await;
            }
        }
    }

    fn ask(self: &Arc<Self>, key: &Key, uid: &str, plan: &Plan) {
        let shared: Weak<Self> = Arc::downgrade(self);
        let enqueue = move |keys: Vec<Key>| {
            if let Some(shared) = shared.upgrade() {
                shared.enqueue(keys);
            }
        };
        match &self.attended {
            Some(attended) => attended.inquiries.ask(key, uid, &plan.questions, || Box::new(enqueue)),
            None => self.questions.ask(key, uid, &plan.questions, Box::new(move |key| enqueue(vec![key]))),
        }
    }

    /// Decides when the primary is worked on again.
    fn conclude(
        &self,
        key: &Key,
        uid: &str,
        outcome: Execution,
        requeue_after: Option<u32>,
    ) -> ReconcileResult {
        let Execution { failures, incomplete, changed, is_postponed: _ } = outcome;
        for failure in failures.iter().filter(|one| one.reason == FailureReason::NotControlled) {
            let target = &failure.target;
            let name = Key::new(target.namespace.as_deref().unwrap_or_default(), &target.name);
            if let Some(kind) = self.cache.index_of(&target.kind) {
                self.cache.await_change(kind, name, key);
            }
        }
        let is_retried = failures.iter().any(is_retried);
        let is_left = !failures.is_empty() && !is_retried;
        let is_overloaded = failures.iter().any(|one| one.reason == FailureReason::TooManyRequests);
        let change = self.failures.replace(key, uid, failures);
        log(key, &change);
        if change.differs || changed {
            // The next plan reports the failures in the status, or builds on the answers.
            self.queue.add(key.clone());
        }
        match &incomplete {
            Some(why) if self.complaints.begins(key, Topic::Execution, why) => {
                tracing::warn!(primary = %key, "{why}");
            }
            Some(why) => tracing::debug!(primary = %key, "{why}"),
            None if self.complaints.ends(key, Topic::Execution) => {
                tracing::info!(primary = %key, "the plan was carried out as a whole again");
            }
            None => {}
        }
        if is_retried || incomplete.is_some() {
            self.queue.add_failed(key.clone(), is_overloaded.then_some(OVERLOAD_WAIT));
            self.metrics.retried();
            return ReconcileResult::Error;
        }
        self.queue.forget(key);
        if is_left {
            // A field that was taken back too often may be taken back again by then.
            self.queue.add_after(key.clone(), force_limiter::WINDOW);
        }
        if let Some(seconds) = requeue_after {
            self.queue.add_after(key.clone(), Duration::from_secs(seconds.into()));
            return ReconcileResult::Requeue;
        }
        ReconcileResult::Success
    }

    fn back_off(&self, key: &Key, error: &GuestError) -> ReconcileResult {
        let delay = self.queue.add_failed(key.clone(), None);
        self.metrics.retried();
        if self.complaints.begins(key, Topic::Plan, &error.to_string()) {
            tracing::error!(primary = %key, %error, retry_in = ?delay, "there is no plan; nothing was written");
        } else {
            tracing::debug!(primary = %key, %error, retry_in = ?delay, "there is still no plan");
        }
        ReconcileResult::Error
    }
}

/// Logs failures that begin, and those that are over.
fn log(key: &Key, change: &Change) {
    for failure in &change.began {
        if is_final(failure) {
            tracing::info!(primary = %key, "its namespace is being deleted; the primary is left alone");
            continue;
        }
        tracing::warn!(
            primary = %key, target = %failure.target, verb = %failure.verb, code = failure.code,
            reason = %failure.reason, "{}", failure.message
        );
    }
    for failure in &change.ended {
        tracing::info!(
            primary = %key, target = %failure.target, verb = %failure.verb, reason = %failure.reason,
            "this failure is over"
        );
    }
}

/// Whether a failure may go away by trying again. A refusal does not, nor do fields that are left
/// to another manager, nor a namespace that is being deleted.
fn is_retried(failure: &Failure) -> bool {
    !is_final(failure)
        && !matches!(failure.reason, FailureReason::FieldOwnedByOther | FailureReason::NotPermitted)
}

/// The message of a panic.
fn describe(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let message = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the reconciler panicked: {}", message.unwrap_or("without a message"))
}

fn refusal_event(failure: &Failure) -> Event {
    let action = match failure.verb {
        Verb::Create => "Create",
        Verb::Apply => "Apply",
        Verb::Patch => "Patch",
        Verb::Delete => "Delete",
    };
    Event {
        severity: Severity::Warning,
        reason: "NotPermitted".into(),
        action: action.into(),
        note: failure.message.clone(),
    }
}
