//! Why the registry pods of a cache are not ready.

mod claim;
mod container;
mod quota;
#[cfg(test)]
mod security_words;
mod words;

use crate::issue::Reason;
use crate::observed::{Object, Objects};
use crate::registry_pod::{RegistryPod, not_ready};
pub(crate) use claim::Claim;
pub(crate) use quota::QUOTA_FIELDS;
pub(crate) use words::quoted;

/// One cause.
#[derive(Clone, Debug)]
pub(crate) struct Cause {
    pub(crate) reason: Reason,
    /// Sentences.
    pub(crate) message: String,
    pub(crate) certainty: Certainty,
    /// The node says less than it said before: an earlier message about the same is better.
    pub(crate) is_vague: bool,
}

/// Whether waiting may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Certainty {
    /// Every start looks like this for a moment.
    Gradual,
    /// Something is wrong. It may pass.
    Certain,
    /// Something is wrong, and passes when somebody changes the spec or the cluster.
    Final,
}

impl Cause {
    fn new(reason: Reason, certainty: Certainty, message: String) -> Self {
        Cause { reason, message, certainty, is_vague: false }
    }
}

/// What is known about registry pods that are not as they should be.
#[derive(Debug, Default)]
pub(crate) struct Diagnosis {
    pub(crate) cause: Option<Cause>,
    /// When another cause may show without a change of the cluster, in seconds since the epoch: a pod
    /// is not ready in time, or does not end in time.
    pub(crate) patient_until: Option<u64>,
}

/// What a diagnosis is made from.
pub(crate) struct Symptoms<'s, 'a> {
    pub(crate) set: Option<&'s Object<'a>>,
    pub(crate) pods: &'s [RegistryPod<'s, 'a>],
    pub(crate) claim: Option<Claim<'a>>,
    pub(crate) related: &'s Objects<'a>,
    /// How many pods there should be.
    pub(crate) replicas: i64,
    /// Seconds since the epoch.
    pub(crate) now: u64,
}

impl Symptoms<'_, '_> {
    /// The cause that is most certain.
    pub(crate) fn diagnose(&self) -> Diagnosis {
        let waiting = not_ready(self.pods);
        let patience = waiting.iter().filter_map(|pod| container::patient_until(pod));
        let patient_until = patience.filter(|time| *time > self.now).min();
        let mut causes: Vec<Cause> =
            waiting.iter().filter_map(|pod| container::of_pod(pod, self.now)).collect();
        let claim = self.claim.and_then(|claim| claim.cause());
        if let Some(claim) = claim.filter(|claim| self.is_about_claim(claim, &causes)) {
            causes.insert(0, claim);
        }
        causes.extend(self.missing_pods());
        let most_certain = causes.iter().position(|cause| cause.certainty != Certainty::Gradual);
        let cause = (!causes.is_empty()).then(|| causes.swap_remove(most_certain.unwrap_or(0)));
        Diagnosis { cause, patient_until }
    }

    /// Whether a claim without a volume is why a pod has no node. Many claims wait for the first pod
    /// that gets one (`WaitForFirstConsumer`), and these pods have another reason.
    fn is_about_claim(&self, claim: &Cause, causes: &[Cause]) -> bool {
        claim.reason == Reason::ClaimLost
            || !causes.iter().any(|cause| cause.reason == Reason::Unschedulable)
            || causes.iter().any(|cause| cause.message.to_ascii_lowercase().contains("persistentvolume"))
    }

    /// The cause of pods that the controller of StatefulSets did not make.
    fn missing_pods(&self) -> Option<Cause> {
        let set = self.set.filter(|set| !set.is_being_deleted)?;
        if set.status.observed_generation < set.generation || set.status.replicas >= self.replicas {
            return None;
        }
        if let Some(message) = quota::without_room(set, self.related) {
            return Some(Cause::new(Reason::QuotaExceeded, Certainty::Gradual, message));
        }
        let name = set.name;
        let message = format!(
            "{} of {} registry pods exist. A quota, a policy or a webhook may refuse the others: kubectl describe statefulset {name} shows why.",
            set.status.replicas, self.replicas
        );
        Some(Cause::new(Reason::PodsNotCreated, Certainty::Gradual, message))
    }
}
