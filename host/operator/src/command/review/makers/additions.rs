//! What controllers add to the pods of their templates, as far as decisions depend on it: a pod's
//! number, its command, whether it is started again.

use super::{Maker, object_at};
use orascache_api::steps::well_known;
use serde_json::{Value, json};

/// Annotation by which a RayCluster keeps the command of its containers.
const RAY_KEEPS_COMMAND: &str = "ray.io/overwrite-container-cmd";

/// Completes a pod as its maker does.
pub(super) fn of_pod(maker: &Maker<'_>, pointer: &str, pod: &mut Value) {
    match (maker.group(), maker.kind) {
        // A LeaderWorkerSet makes its pods by StatefulSets.
        ("apps", "StatefulSet") | ("leaderworkerset.x-k8s.io", _) => number(maker, pod),
        ("kubeflow.org", kind) => {
            restart_as_the_replicas(maker, pointer, pod);
            if kind == "MPIJob" && pointer.contains("/Worker/") {
                command(pod, json!(["/usr/sbin/sshd", "-De"]), false);
            }
        }
        ("ray.io", _) => {
            let keeps = pod.pointer("/metadata/annotations").and_then(|all| all.get(RAY_KEEPS_COMMAND));
            if keeps.is_none_or(|keeps| keeps != "true") {
                command(pod, json!(["/bin/bash", "-c", "--"]), true);
            }
        }
        _ => {}
    }
}

/// Whether the maker hands this pod template to a Job: the launcher of an MPIJob, and what submits
/// a RayJob.
pub(super) fn is_run_by_a_job(maker: &Maker<'_>, pointer: &str) -> bool {
    match (maker.group(), maker.kind) {
        ("kubeflow.org", "MPIJob") => pointer.contains("/Launcher/"),
        ("ray.io", "RayJob") => pointer.ends_with("/submitterPodTemplate"),
        _ => false,
    }
}

/// Completes a pod of a Job.
pub(super) fn of_job(maker: &Maker<'_>, pod: &mut Value) {
    let is_indexed = maker.object.pointer("/spec/completionMode").is_some_and(|mode| mode == "Indexed");
    let Some(metadata) = pod.get_mut("metadata") else { return };
    if let Some(labels) = object_at(metadata, "labels") {
        for label in [well_known::JOB_NAME, well_known::LEGACY_JOB_NAME] {
            labels.insert(label.to_owned(), maker.name.into());
        }
    }
    if let (true, Some(annotations)) = (is_indexed, object_at(metadata, "annotations")) {
        annotations.insert(well_known::JOB_COMPLETION_INDEX.to_owned(), "0".into());
    }
}

/// The first pod of a StatefulSet.
fn number(maker: &Maker<'_>, pod: &mut Value) {
    let Some(metadata) = pod.get_mut("metadata") else { return };
    if let Some(labels) = object_at(metadata, "labels") {
        labels.insert(well_known::POD_INDEX.to_owned(), "0".into());
    }
    if let Some(members) = metadata.as_object_mut() {
        members.remove("generateName");
        members.insert("name".to_owned(), format!("{}-0", maker.name).into());
    }
}

/// Kubeflow writes the policy of its replicas, which stands beside the template, into each pod.
/// With `ExitCode` the controller starts pods anew itself.
fn restart_as_the_replicas(maker: &Maker<'_>, pointer: &str, pod: &mut Value) {
    let beside = pointer.rsplit_once('/').map_or("", |(replicas, _)| replicas);
    let policy = maker.object.pointer(&format!("{beside}/restartPolicy")).and_then(Value::as_str);
    let policy = match policy {
        Some("ExitCode") | None => "Never",
        Some(other) => other,
    };
    if let Some(spec) = object_at(pod, "spec") {
        spec.insert("restartPolicy".to_owned(), policy.into());
    }
}

/// Gives the first container a command, in place of its own or only where it has neither command
/// nor arguments.
fn command(pod: &mut Value, words: Value, in_any_case: bool) {
    let Some(container) = pod.pointer_mut("/spec/containers/0").and_then(Value::as_object_mut) else {
        return;
    };
    let is_empty =
        |name: &str| container.get(name).and_then(Value::as_array).is_none_or(|words| words.is_empty());
    if in_any_case || (is_empty("command") && is_empty("args")) {
        container.insert("command".to_owned(), words);
    }
}
