//! Why a pod is not ready, from its conditions and the states of its containers.

use super::words::quoted;
use super::{Cause, Certainty};
use crate::issue::Reason;
use crate::json::Json;
use crate::registry_pod::RegistryPod;
use orascache_api::names::{REGISTRY_NAME, REGISTRY_PORT};
use orascache_contract::time::parse_rfc3339;

/// Reasons of a waiting container whose image cannot be had
/// (`pkg/kubelet/images/types.go`). Of the last two, waiting changes nothing.
const IMAGE_REASONS: [&str; 7] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
    "ErrImageNeverPull",
    "InvalidImageName",
];
/// Reasons of a waiting container that is on its way.
const STARTING: [&str; 2] = ["ContainerCreating", "PodInitializing"];
/// How often a container was restarted before that counts as a loop. The kubelet makes the first
/// restart at once.
const RESTARTS: i64 = 2;
/// A container that ran for so long before it ended does not crash in a loop: the kubelet restarts
/// it without a pause. In seconds.
const LONG_RUN: u64 = 600;
/// The shortest time, in seconds, after which the kubelet stops a container whose probes fail: six
/// liveness probes of ten seconds each. The startup probe has two minutes.
const PROBED_RUN: u64 = 60;
/// So long after its start, in seconds, a container has passed all probes: two minutes for the
/// startup probe, and some time for the first readiness probe.
const READY_AFTER: u64 = 150;
/// So long after its grace period, in seconds, a pod that is being deleted is gone.
const END: u64 = 15;
/// Exit codes of programs that were asked to end: 0, and those for SIGKILL and SIGTERM.
const STOPPED: [i64; 3] = [0, 137, 143];

/// Why a pod is not ready, as far as the pod says it.
pub(super) fn of_pod(pod: &RegistryPod<'_, '_>, now: u64) -> Option<Cause> {
    if let Some(ends_at) = pod.should_end_at() {
        if now < ends_at + END {
            return None;
        }
        let name = pod.name();
        let message = format!(
            "Pod {name} is being deleted and has not ended. If its node is lost, no other pod takes its place before somebody deletes the node, or the pod by force."
        );
        return Some(Cause::new(Reason::PodTerminating, Certainty::Certain, message));
    }
    let scheduled = pod.condition("PodScheduled");
    if let Some(condition) = scheduled.filter(|condition| text(condition, "status") == "False") {
        let message = format!(
            "Pod {} has no node: {}. Check spec.nodeSelector, spec.tolerations and spec.resources, and the nodes.",
            pod.name(),
            sentence(text(condition, "message"), "the scheduler gives no reason")
        );
        return Some(Cause::new(Reason::Unschedulable, Certainty::Gradual, message));
    }
    pod.containers().find_map(|container| of_container(pod, container, now))
}

/// Until when, in seconds since the epoch, nothing is wrong with a pod that is not ready: it starts,
/// or it ends.
pub(super) fn patient_until(pod: &RegistryPod<'_, '_>) -> Option<u64> {
    if let Some(ends_at) = pod.should_end_at() {
        return Some(ends_at + END);
    }
    let running = pod.containers().filter(|container| container.get("ready") != Some(&Json::Bool(true)));
    running.filter_map(|container| running_since(container)).max().map(|since| since + READY_AFTER)
}

fn of_container(pod: &RegistryPod<'_, '_>, container: &Json<'_>, now: u64) -> Option<Cause> {
    if container.get("ready") == Some(&Json::Bool(true)) {
        return None;
    }
    let state = container.get("state");
    let waiting = state.and_then(|state| state.member("waiting"));
    let reason = waiting.map(|waiting| text(waiting, "reason")).unwrap_or_default();
    if IMAGE_REASONS.contains(&reason) {
        return Some(of_image(pod, container, reason, waiting.map(|waiting| text(waiting, "message"))));
    }
    of_restarts(pod, container, reason == "CrashLoopBackOff").or_else(|| match waiting {
        Some(waiting)
            if !reason.is_empty() && !STARTING.contains(&reason) && reason != "CrashLoopBackOff" =>
        {
            let words = sentence(text(waiting, "message"), "the node gives no reason");
            let message = format!("{} cannot start ({}): {words}.", subject(pod, container), quoted(reason));
            Some(Cause::new(Reason::ContainerNotStarted, Certainty::Certain, message))
        }
        Some(_) => None,
        None => of_running(pod, container, now),
    })
}

fn of_image(pod: &RegistryPod<'_, '_>, container: &Json<'_>, reason: &str, words: Option<&str>) -> Cause {
    let words = words.unwrap_or_default();
    let image = quoted(text(container, "image"));
    let subject = subject(pod, container);
    let field = if container.name() == Some(REGISTRY_NAME) { "spec.image" } else { "its image" };
    match reason {
        "InvalidImageName" => {
            let words = sentence(words, "the node gives no reason");
            let message = format!("{subject} has an image that is none: {words}. Correct {field}.");
            Cause::new(Reason::ImagePullFailed, Certainty::Final, message)
        }
        "ErrImageNeverPull" => {
            let message = format!(
                "{subject} cannot run image {image}: the node does not have it, and spec.imagePullPolicy is Never. Load the image onto the node, or set another policy."
            );
            Cause::new(Reason::ImagePullFailed, Certainty::Final, message)
        }
        _ => {
            let words = pull_error(words);
            let message = format!(
                "{subject} cannot pull image {image}: {}. Check {field}, and spec.imagePullSecrets if the registry of the image asks for credentials.",
                sentence(words, "the node tries again later")
            );
            Cause {
                is_vague: words.is_empty(),
                ..Cause::new(Reason::ImagePullFailed, Certainty::Certain, message)
            }
        }
    }
}

/// The runtime's words. While the kubelet waits, they follow after its own; older ones leave them
/// out.
fn pull_error(message: &str) -> &str {
    let words = match message.strip_prefix("Back-off pulling image ") {
        Some(rest) => rest.split_once("\": ").map(|(_, words)| words).unwrap_or_default(),
        None => message,
    };
    words.strip_prefix("ErrImagePull: ").unwrap_or(words)
}

/// The cause of a container that ended, and that ends again and again.
fn of_restarts(pod: &RegistryPod<'_, '_>, container: &Json<'_>, is_backing_off: bool) -> Option<Cause> {
    let of = |state: &str| container.get(state)?.member("terminated");
    let last = of("state").or_else(|| of("lastState"))?;
    let restarts = match container.get("restartCount") {
        Some(Json::Int(count)) => *count,
        _ => 0,
    };
    let time = |name| last.get(name).and_then(Json::as_str).and_then(parse_rfc3339);
    let ran = time("finishedAt").zip(time("startedAt")).map(|(end, start)| end.saturating_sub(start));
    if !is_backing_off && (restarts < RESTARTS || ran.is_some_and(|ran| ran >= LONG_RUN)) {
        return None;
    }
    let (subject, reason) = (subject(pod, container), quoted(text(last, "reason")));
    let code = match last.get("exitCode") {
        Some(Json::Int(code)) => *code,
        _ => 0,
    };
    let words = quoted(text(last, "message"));
    let words = if words.is_empty() {
        String::new()
    } else {
        format!(" Its last words: {}.", words.trim_end_matches('.'))
    };
    if STOPPED.contains(&code) && reason != "OOMKilled" && ran.is_some_and(|ran| ran >= PROBED_RUN) {
        let message = format!(
            "{subject} is stopped again and again (exit code {code}), because its probes fail: nothing answers on port {REGISTRY_PORT}. Check spec.image.{words}"
        );
        return Some(Cause::new(Reason::ProbeFailing, Certainty::Certain, message));
    }
    let remedy = if reason == "OOMKilled" {
        " It needs more memory than spec.resources.limits.memory, or the node, gives it."
    } else {
        ""
    };
    let message = format!("{subject} ends again and again ({reason}, exit code {code}).{remedy}{words}");
    Some(Cause::new(Reason::CrashLooping, Certainty::Certain, message))
}

/// The cause of a container that runs and is not ready.
fn of_running(pod: &RegistryPod<'_, '_>, container: &Json<'_>, now: u64) -> Option<Cause> {
    let since = running_since(container)?;
    if now < since + READY_AFTER {
        return None;
    }
    let message = format!(
        "{} runs and is not ready: its probe of port {REGISTRY_PORT} fails. Its log may say why: kubectl logs {}.",
        subject(pod, container),
        pod.name()
    );
    Some(Cause::new(Reason::ProbeFailing, Certainty::Certain, message))
}

fn running_since(container: &Json<'_>) -> Option<u64> {
    parse_rfc3339(text(container.get("state")?.member("running")?, "startedAt"))
}

/// The pod, and its container where it is not the registry's.
fn subject(pod: &RegistryPod<'_, '_>, container: &Json<'_>) -> String {
    match container.name() {
        Some(name) if name != REGISTRY_NAME => format!("Pod {}, container {}", pod.name(), quoted(name)),
        _ => format!("Pod {}", pod.name()),
    }
}

/// Words without a final stop, or those that stand for none.
fn sentence(words: &str, otherwise: &str) -> String {
    let words = quoted(words);
    let words = words.trim_end_matches(['.', ' ']);
    if words.is_empty() { otherwise.to_owned() } else { words.to_owned() }
}

fn text<'j>(value: &'j Json<'_>, member: &str) -> &'j str {
    value.get(member).and_then(Json::as_str).unwrap_or_default()
}
