//! How far the registry pods are on their way to what the spec asks for, and how long that may
//! take.

use crate::diagnosis::{Cause, Certainty, Diagnosis};
use crate::issue::{Impact, Issue, Reason};
use crate::json::Json;
use crate::observed::Object;
use crate::primary::Primary;
use crate::registry_pod::RegistryPod;
use orascache_contract::time::parse_rfc3339;

/// How long, in seconds, a start may look like a fault: pods are made, get a node and a volume.
const START: u64 = 15;

/// A roll-out of registry pods.
pub(crate) struct RollOut<'r, 'a> {
    pub(crate) primary: &'r Primary<'a>,
    pub(crate) stateful_set: Option<&'r Object<'a>>,
    pub(crate) pods: &'r [RegistryPod<'r, 'a>],
    /// Whether this plan changes the StatefulSet. If so, its observed status counts the pods before
    /// the change.
    pub(crate) outdated: bool,
    /// How many pods there should be: as the spec says, or as the StatefulSet says where another
    /// field manager owns the field.
    pub(crate) replicas: i64,
}

impl RollOut<'_, '_> {
    /// Whether all pods are as the spec asks, and ready.
    pub(crate) fn is_complete(&self) -> bool {
        let wanted = self.replicas;
        !self.outdated
            && self.stateful_set.is_some_and(|set| {
                let status = &set.status;
                !set.is_being_deleted
                    && status.observed_generation >= set.generation
                    && status.replicas == wanted
                    && status.ready_replicas == wanted
                    && status.updated_replicas == wanted
            })
    }

    /// Whether pods serve while the others are replaced or fail. Where there is one pod, a roll-out
    /// replaces it, so that nothing serves meanwhile. Of several pods, a Service sends steps to those
    /// that are ready.
    pub(crate) fn serves(&self) -> bool {
        self.replicas > 1 && self.ready() > 0 && self.stateful_set.is_some_and(|set| !set.is_being_deleted)
    }

    pub(crate) fn ready(&self) -> i64 {
        self.stateful_set.map_or(0, |set| set.status.ready_replicas)
    }

    pub(crate) fn updated(&self) -> i64 {
        self.stateful_set.map_or(0, |set| set.status.updated_replicas)
    }

    /// How many pods are ready and up to date, as a sentence.
    pub(crate) fn summary(&self) -> String {
        format!(
            "{} of {} registry pods are ready, {} are up to date.",
            self.ready(),
            self.replicas,
            self.updated()
        )
    }

    /// When the roll-out last came further, in seconds since the epoch: when it began, when the spec
    /// was edited, or when one more pod was brought up to date.
    fn last_progress(&self, now: u64) -> u64 {
        let Some(written) = self.primary.status else { return now };
        let number = |member| match written.get(member) {
            Some(Json::Int(number)) => *number,
            _ => 0,
        };
        let went_on = number("observedGeneration") != self.primary.metadata.generation
            || self.updated() > number("updatedReplicas");
        let time = written.get("lastProgressTime").and_then(Json::as_str).and_then(parse_rfc3339);
        // A time in the future was written by a clock that is ahead of this one.
        time.filter(|time| !went_on && *time <= now).unwrap_or(now)
    }
}

/// A roll-out that is not complete.
#[derive(Debug)]
pub(crate) struct Wait {
    /// When it last came further, in seconds since the epoch.
    pub(crate) since: u64,
    /// Why it takes so long, where that is known.
    pub(crate) cause: Option<Cause>,
    /// Whether it takes longer than the progress deadline.
    is_overdue: bool,
    /// After how many seconds it has to be looked at again.
    pub(crate) look_after: Option<u32>,
}

impl Wait {
    pub(crate) fn of(roll_out: &RollOut<'_, '_>, diagnosis: Diagnosis, now: u64) -> Self {
        let since = roll_out.last_progress(now);
        let overdue_at = since.saturating_add_signed(roll_out.primary.spec.progress_deadline_seconds());
        let shown_at = since.saturating_add(START).min(overdue_at);
        let Diagnosis { cause, patient_until } = diagnosis;
        let is_early = |cause: &Cause| cause.certainty == Certainty::Gradual && now < shown_at;
        let is_hidden = cause.as_ref().is_some_and(is_early);
        let cause = cause.filter(|cause| !is_early(cause)).map(|cause| cause.or_earlier(roll_out.primary));
        let next = [Some(overdue_at), is_hidden.then_some(shown_at), patient_until];
        let next = next.into_iter().flatten().filter(|time| *time > now).min();
        Wait {
            since,
            cause,
            is_overdue: now >= overdue_at,
            look_after: next.and_then(|time| u32::try_from(time - now).ok()),
        }
    }

    /// The issue of a roll-out that takes too long, or that cannot end by itself.
    pub(crate) fn issue(&self, roll_out: &RollOut<'_, '_>) -> Option<Issue> {
        let is_final = self.cause.as_ref().is_some_and(|cause| cause.certainty == Certainty::Final);
        if !self.is_overdue && !is_final {
            return None;
        }
        let impact = if roll_out.serves() { Impact::Warning } else { Impact::Blocking };
        Some(match &self.cause {
            Some(cause) => Issue::new(cause.reason, impact, cause.message.clone()),
            None => {
                let message = format!(
                    "The registry pods have not come further for {} seconds: {} kubectl describe pods -l app.kubernetes.io/instance={} shows more.",
                    roll_out.primary.spec.progress_deadline_seconds(),
                    roll_out.summary(),
                    roll_out.primary.metadata.name
                );
                Issue::new(Reason::ProgressDeadlineExceeded, impact, message)
            }
        })
    }
}

impl Cause {
    /// The same cause in the words of the written status, where the node says less now than before.
    fn or_earlier(mut self, primary: &Primary<'_>) -> Self {
        if self.is_vague
            && let Some(earlier) = earlier_message(primary, self.reason)
        {
            self.message = earlier.to_owned();
        }
        self
    }
}

/// The message of the written status about the same reason and the same spec.
fn earlier_message<'a>(primary: &Primary<'a>, reason: Reason) -> Option<&'a str> {
    let conditions = primary.status?.items("conditions");
    let progressing = conditions
        .iter()
        .find(|condition| condition.get("type").and_then(Json::as_str) == Some("Progressing"))?;
    let is_same = progressing.get("reason").and_then(Json::as_str) == Some(reason.as_str())
        && progressing.get("observedGeneration") == Some(&Json::Int(primary.metadata.generation));
    progressing.get("message").and_then(Json::as_str).filter(|_| is_same)
}
