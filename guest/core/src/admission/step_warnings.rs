//! Warns of steps that are accepted and will probably not do what is meant.

use super::pod::{Container, Pod, PodSource};
use super::step::Step;
use crate::findings::Findings;
use crate::json::Json;
use orascache_api::steps::{ANNOTATION_PREFIX as PREFIX, annotation};

/// A startup probe that gives up earlier is probably not made for a container that pulls inputs.
const MIN_PULL_SECONDS: i64 = 60;

/// Warns of what will probably not do what is meant.
pub(crate) fn warn(pod: &Pod<'_>, container: &Container<'_>, step: &Step<'_>, findings: &mut Findings) {
    let path = pod.source.spec_path();
    let name = container.name;
    if step.registry.is_none() {
        warn_of_dns(pod, findings);
    }
    if pod.spec.member("subdomain").and_then(Json::as_str).is_some_and(|name| name == step.cache) {
        findings.warn(format!(
            "{path}.subdomain is {}, the Service of the cache, which selects the pods of the registry only, so that this pod gets no name there: name a Service that selects this pod",
            step.cache
        ));
    }
    let working_dir = container.tree.member("workingDir").and_then(Json::as_str).unwrap_or_default();
    let has_no_path = step.input_path.is_none() && step.inputs.iter().any(|input| input.path.is_none());
    if has_no_path && working_dir.is_empty() {
        findings.warn(format!(
            "inputs are pulled into the working directory of the image, which may be the root of the file system, where they can replace programs: write {PREFIX}{}, or {path}.containers: {name} workingDir",
            annotation::INPUT_PATH
        ));
    }
    if !step.inputs.is_empty() {
        warn_of_probes(path, container, step, findings);
    }
    warn_of_deadline(pod.spec, path, step, findings);
    // The API server fills in Always before it asks. Only Jobs and bare pods say otherwise.
    let restart_policy = pod.spec.member("restartPolicy").and_then(Json::as_str).unwrap_or("Always");
    if pod.source == PodSource::Pod && restart_policy == "Always" && !step.outputs.is_empty() {
        findings.warn(format!(
            "{path}.restartPolicy is Always: the command is started again whenever it ends, and every success pushes its output again"
        ));
    }
    if container.security("readOnlyRootFilesystem") == Some(&Json::Bool(true)) {
        let own_paths = step.inputs.iter().filter_map(|input| {
            Some((format!("the path of the input \"{}\"", input.input.text()), input.path?.text()))
        });
        let others = [
            (annotation::INPUT_PATH, step.input_path.map(|path| path.text())),
            (annotation::OUTPUT_PIPE, step.output_pipe.map(|path| path.text())),
        ];
        let others = others.into_iter().filter_map(|(key, path)| Some((format!("{PREFIX}{key}"), path?)));
        for (what, path) in own_paths.chain(others) {
            if path.starts_with('/') && !is_writable(container, path) {
                findings.warn(format!(
                    "{what} is {path}, where {name} has no volume and a read-only root file system: mount a volume there"
                ));
            }
        }
    }
}

/// Warns of a deadline that ends a step while it waits for its inputs. `owner` has the deadline,
/// and `path` is its place.
pub(crate) fn warn_of_deadline(owner: &Json<'_>, path: &str, step: &Step<'_>, findings: &mut Findings) {
    if let (Some(Json::Int(deadline)), Some(wait)) = (owner.member("activeDeadlineSeconds"), step.input_wait)
        && *deadline <= i64::from(wait.seconds())
    {
        findings.warn(format!(
            "{path}.activeDeadlineSeconds is {deadline}, and {PREFIX}{} is {wait}: inputs are not waited for that long, so raise the one or lower the other",
            annotation::INPUT_WAIT
        ));
    }
}

/// Warns of probes that end the container while it waits for inputs and pulls them.
fn warn_of_probes(path: &str, container: &Container<'_>, step: &Step<'_>, findings: &mut Findings) {
    let name = container.name;
    let Some(startup) = container.tree.member("startupProbe") else {
        if container.tree.member("livenessProbe").is_some() {
            findings.warn(format!(
                "{path}.containers: {name} has a livenessProbe that runs while inputs are pulled: give it a startupProbe that waits for the command"
            ));
        }
        return;
    };
    let number = |field: &str, default: i64| match startup.member(field) {
        Some(Json::Int(number)) => *number,
        _ => default,
    };
    // The defaults are those of the API server (core/v1 Probe).
    let tries = number("periodSeconds", 10).saturating_mul(number("failureThreshold", 3));
    let patience = number("initialDelaySeconds", 0).saturating_add(tries);
    let wait = step.input_wait.map_or(0, |wait| i64::from(wait.seconds()));
    if patience < MIN_PULL_SECONDS.saturating_add(wait) {
        let waits = if wait > 0 { "waited for and pulled" } else { "pulled" };
        findings.warn(format!(
            "{path}.containers: {name} has a startupProbe that gives up after {patience} seconds, while inputs may still be {waits}: raise its failureThreshold, so that it lasts longer than that"
        ));
    }
}

/// Warns of DNS settings by which the cache is not found. Its name is completed by the search
/// domains of the pod (kubernetes.io/docs/concepts/services-networking/dns-pod-service).
fn warn_of_dns(pod: &Pod<'_>, findings: &mut Findings) {
    let path = pod.source.spec_path();
    let policy = pod.spec.member("dnsPolicy").and_then(Json::as_str).unwrap_or("ClusterFirst");
    let configured = pod.spec.member("dnsConfig");
    let lists = |name| configured.is_some_and(|configured| !configured.items(name).is_empty());
    let is_on_host = pod.spec.member("hostNetwork") == Some(&Json::Bool(true));
    if is_on_host && policy == "ClusterFirst" {
        findings.warn(format!(
            "{path}.hostNetwork is true, so that names of the cluster are not resolved and the cache is not found: set {path}.dnsPolicy to ClusterFirstWithHostNet"
        ));
    } else if policy == "Default" || (policy == "None" && !(lists("nameservers") && lists("searches"))) {
        findings.warn(format!(
            "{path}.dnsPolicy is {policy}, so that names of the cluster are not resolved and the cache is not found: set it to ClusterFirst"
        ));
    }
    let options = configured.into_iter().flat_map(|configured| configured.items("options"));
    let ndots = options
        .filter(|option| option.name() == Some("ndots"))
        .find_map(|option| option.member("value").and_then(Json::as_str));
    // The name has three dots.
    if let Some(ndots @ ("0" | "1" | "2" | "3")) = ndots {
        findings.warn(format!(
            "{path}.dnsConfig sets ndots to {ndots}, so that the name of the cache may not be completed and not be found: set it to at least 4"
        ));
    }
}

fn is_writable(container: &Container<'_>, path: &str) -> bool {
    let is_in = |folder: &str| {
        let folder = folder.trim_end_matches('/');
        path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    is_in("/dev")
        || container.tree.items("volumeMounts").iter().any(|mount| {
            let path = mount.member("mountPath").and_then(Json::as_str);
            path.is_some_and(is_in) && mount.member("readOnly") != Some(&Json::Bool(true))
        })
}

/// Warns of annotations that ask for nothing.
pub(crate) fn warn_idle(findings: &mut Findings) {
    findings.warn(format!(
        "the annotations under {PREFIX} ask for nothing: write {} or {}, or remove them",
        annotation::INPUT_URI,
        annotation::OUTPUT_URI
    ));
}
