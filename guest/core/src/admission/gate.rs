//! The scheduling gate of a pod that waits for its inputs.

use super::awaited::Awaited;
use super::patch::Patch;
use super::pod::Pod;
use crate::json::Json;
use crate::settings::Settings;
use orascache_api::duration::Duration;
use orascache_api::steps::{GATED_LABEL, GATED_VALUE, INPUTS_GATE};

/// The operations that give a pod the gate at admission, in addition to others. None where the
/// administrator did not switch gates on, where the pod does not wait or has a node, and where the
/// operator could not find out what it waits for.
pub(crate) fn add<'a>(pod: &Pod<'a>, namespace: &str, settings: &Settings<'_>, patch: &mut Patch<'a>) {
    if !settings.gates || pod.spec.member("nodeName").is_some() {
        return;
    }
    let awaited = Awaited::read(pod.annotations());
    let waits = awaited.wait.is_some_and(|text| Duration::parse(text).is_ok()) && !awaited.inputs.is_empty();
    if !waits || awaited.endpoint(pod, namespace, settings, None).is_err() {
        return;
    }
    let gates = pod.spec.items("schedulingGates");
    if !gates.iter().any(|gate| gate.name() == Some(INPUTS_GATE)) {
        let gate = Json::object([("name", Some(INPUTS_GATE.into()))]);
        let exists = pod.spec.member("schedulingGates").is_some();
        patch.insert("/spec/schedulingGates", exists, gates.len(), vec![gate]);
    }
    patch.set("/metadata/labels", pod.has_labels(), GATED_LABEL, GATED_VALUE.into());
}
