//! Pods that wait for their inputs without a node: admission gives them a scheduling gate, and here
//! is decided when it is removed.
//!
//! A gate is removed when all inputs exist, when the time of `input-wait` is over, and whenever
//! waiting cannot help: nothing is decided in the place of the agent, which pulls the inputs or says
//! why it cannot. Everything that counts is in the pod, so that nothing has to be remembered.

mod decision;
mod pod;

use crate::admission::patch::Patch;
use crate::fields;
use crate::kinds::{ORAS_CACHE, POD};
use crate::observed;
use crate::settings::Settings;
use orascache_api::steps::{
    GATED_LABEL, GATED_VALUE, INPUT_WAIT_REMAINING_ANNOTATION, INPUTS_GATE, annotation,
};
use orascache_contract::{AttendedKind, Error, ObjectPatch, Observed, Plan, WatchedKind};
use pod::GatedPod;

/// The pods that this guest looks after: those that have the label of a gate.
///
/// ```
/// let attended = orascache_core::gates::attended();
/// assert_eq!(attended[0].watched.label_selector, "cache.converged-computing.github.io/gated=true");
/// ```
pub fn attended() -> Vec<AttendedKind> {
    let fields = [
        "/metadata/annotations",
        "/metadata/creationTimestamp",
        "/spec/dnsConfig",
        "/spec/schedulingGates",
        // Which Secret the step may use.
        "/spec/volumes",
    ];
    vec![AttendedKind {
        watched: WatchedKind::reduced(POD.clone(), &fields)
            .with_labels(&format!("{GATED_LABEL}={GATED_VALUE}"))
            .to_be_patched(),
        // Whether the cache exists and has a registry, where that is, and how it is spoken to.
        related: vec![WatchedKind::reduced(
            ORAS_CACHE.clone(),
            &["/spec/deploy", "/spec/replicas", "/spec/service", "/spec/tls"],
        )],
    }]
}

/// Plans what to do about one gated pod, which is in the place of the primary. `T` is the type of
/// JSON text.
///
/// # Errors
/// When an input is not what the contract says, or the settings cannot be used; the sentence says
/// which and why.
pub fn attend<T: AsRef<str>>(seen: &Observed<T>) -> Result<Plan, Error> {
    let tree = fields::parse(seen.primary.as_ref(), "the pod")?;
    let pod = GatedPod::read(&tree)?;
    let settings_tree = Settings::parse(seen.settings.as_ref())?;
    let settings = Settings::read(settings_tree.as_ref())?;
    if pod.is_being_deleted {
        return Ok(Plan::default());
    }
    if pod.gate.is_none() {
        // Somebody else removed the gate. Without the label, nobody looks at the pod any more.
        let patch = pod.release(None);
        return Ok(Plan { patch: patch.into_iter().collect(), ..Plan::default() });
    }
    let related: Vec<&str> = seen.related.iter().map(AsRef::as_ref).collect();
    let caches = observed::parse_all(&related, "related")?;
    decision::decide(&pod, &settings, &caches, seen)
}

impl GatedPod<'_> {
    /// The patch that lets the pod go, with the seconds that the agent may still wait. It touches
    /// nothing but our gate, our label and our annotation.
    fn release(&self, remaining: Option<u32>) -> Option<ObjectPatch> {
        let mut patch = Patch::default();
        if let Some(index) = self.gate {
            // Other gates may have been removed meanwhile.
            patch.test(format!("/spec/schedulingGates/{index}/name"), INPUTS_GATE.into());
            patch.remove_item("/spec/schedulingGates", index);
        }
        if self.has_label {
            patch.remove("/metadata/labels", GATED_LABEL);
        }
        if let (Some(remaining), Some(_)) = (remaining, self.gate) {
            let key = INPUT_WAIT_REMAINING_ANNOTATION;
            patch.set("/metadata/annotations", self.annotations.is_some(), key, remaining.to_string().into());
        }
        let patch = patch.into_text()?;
        Some(ObjectPatch { target: self.reference(), patch })
    }
}

/// What the sentences of events call the annotation.
const INPUT_WAIT: &str = annotation::INPUT_WAIT;
