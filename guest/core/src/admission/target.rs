//! Which container takes part, and whether it can.

use super::artifact::Placeholders;
use super::findings::Findings;
use super::pod::{Container, Pod, Stands, items, member, member_of, name_of};
use super::step::Step;
use crate::json::Json;
use orascache_api::steps::{
    AGENT_DIRECTORY, AGENT_PATH, AGENT_VOLUME, INSTALL_CONTAINER, annotation, env, well_known,
};

/// The container that the agent wraps.
pub(crate) fn choose<'p, 'a>(
    pod: &'p Pod<'a>,
    step: &Step<'_>,
    findings: &mut Findings,
) -> Option<&'p Container<'a>> {
    let names = || {
        let names: Vec<&str> = pod.containers.iter().map(|container| container.name).collect();
        names.join(", ")
    };
    match (step.container, pod.containers.as_slice()) {
        (Some(name), _) => {
            let found = pod.container(name);
            if found.is_none() {
                let is_init = pod.init_containers.iter().any(|container| container.name == name);
                let why = if is_init { ", which is an init container" } else { ", which is not there" };
                findings.refuse("@% names %%: write one of %", &[annotation::CONTAINER, name, why, &names()]);
            }
            found
        }
        (None, [only]) => Some(only),
        (None, []) => {
            findings.refuse(
                "%.containers is empty: write the container that runs the step",
                &[pod.stands.field()],
            );
            None
        }
        (None, _) => {
            let found = pod.default_container().and_then(|name| pod.container(name));
            if found.is_none() {
                findings.refuse(
                    "@% is missing, and there are several containers: write one of %",
                    &[annotation::CONTAINER, &names()],
                );
            }
            found
        }
    }
}

/// Whether the agent already wraps one of the containers.
pub(crate) fn is_wrapped(container: &Container<'_>) -> bool {
    container.command().first().and_then(Json::as_str) == Some(AGENT_PATH)
}

/// Refuses what cannot work.
pub(crate) fn check(pod: &Pod<'_>, container: &Container<'_>, step: &Step<'_>, findings: &mut Findings) {
    let base = pod.stands.field();
    if container.command().is_empty() {
        findings.refuse("%.containers: % has no command, and the entrypoint of its image is not known here: write it as command: [program, argument]", &[base, container.name]);
    }
    let os = member_of(pod.spec, "os", "name");
    let node_os = member_of(pod.spec, "nodeSelector", well_known::OS);
    if [os, node_os].into_iter().flatten().any(|os| os.as_str() == Some("windows")) {
        findings.refuse(
            "% asks for Windows, but the agent is a Linux program: remove the annotations under @",
            &[base],
        );
    }
    if pod.annotation(well_known::MIRROR_POD).is_some() {
        findings.refuse("this is the mirror of a static pod, which the kubelet runs as its file says: remove the annotations under @ from that file", &[]);
    }
    check_name(pod, INSTALL_CONTAINER, findings);
    if items(pod.spec, "volumes").iter().any(|volume| name_of(volume) == Some(AGENT_VOLUME)) {
        findings
            .refuse("%.volumes: the name % is needed for the step: rename the volume", &[base, AGENT_VOLUME]);
    }
    for mount in items(container.tree, "volumeMounts") {
        let path = member(mount, "mountPath").and_then(Json::as_str).unwrap_or_default();
        // A mount below ours would need a folder in a volume that is read-only here.
        if path.split('/').find(|part| !part.is_empty()) == AGENT_DIRECTORY.strip_prefix('/') {
            findings.refuse(
                "%.containers: % mounts a volume at %, where the agent lies: choose another mountPath",
                &[base, container.name, AGENT_DIRECTORY],
            );
        }
    }
    for variable in items(container.tree, "env") {
        if let Some(name @ (env::POD | env::NAMESPACE | env::JOB | env::INDEX)) = name_of(variable) {
            findings.refuse(
                "%.containers: % sets %, which belongs to the agent: rename the variable",
                &[base, container.name, name],
            );
        }
    }
    check_placeholders(pod, step.placeholders(), findings);
}

/// Refuses a container that has the name of one of ours.
pub(crate) fn check_name(pod: &Pod<'_>, name: &str, findings: &mut Findings) {
    if pod.all_containers().any(|container| container.name == name) {
        let base = pod.stands.field();
        findings
            .refuse("% has a container named %, which the step needs for itself: rename it", &[base, name]);
    }
}

/// What a URI is expanded with must be known when the pod runs. A Job's pods get it from the Job.
fn check_placeholders(pod: &Pod<'_>, wanted: Placeholders, findings: &mut Findings) {
    if pod.stands == Stands::InTemplate {
        return;
    }
    if wanted.job && job_label(pod).is_none() {
        findings.refuse(
            "the placeholder {job} is the name of a Job, but this pod belongs to none: write {pod} or a name",
            &[],
        );
    }
    if wanted.index && index_field(pod).is_none() {
        findings.refuse("the placeholder {index} is the number of a pod in an indexed Job or a StatefulSet, but this pod has none: write {pod} or a number", &[]);
    }
}

/// Label with the Job's name.
pub(crate) fn job_label(pod: &Pod<'_>) -> Option<&'static str> {
    [well_known::JOB_NAME, well_known::LEGACY_JOB_NAME].into_iter().find(|label| pod.has_label(label))
}

/// Field with the pod's index, as the downward API names it.
pub(crate) fn index_field(pod: &Pod<'_>) -> Option<(&'static str, &'static str)> {
    if pod.annotation(well_known::JOB_COMPLETION_INDEX).is_some() {
        Some(("metadata.annotations", well_known::JOB_COMPLETION_INDEX))
    } else if pod.has_label(well_known::POD_INDEX) {
        Some(("metadata.labels", well_known::POD_INDEX))
    } else {
        None
    }
}

/// The cache is found by a name that the pod's search domains complete (kubernetes.io/docs/concepts/services-networking/dns-pod-service).
fn warn_of_dns(pod: &Pod<'_>, findings: &mut Findings) {
    let base = pod.stands.field();
    let policy = member(pod.spec, "dnsPolicy").and_then(Json::as_str).unwrap_or("ClusterFirst");
    let configured = member(pod.spec, "dnsConfig");
    let lists = |name| configured.is_some_and(|configured| !items(configured, name).is_empty());
    let is_on_host = member(pod.spec, "hostNetwork") == Some(&Json::Bool(true));
    if is_on_host && policy == "ClusterFirst" {
        findings.warn("%.hostNetwork is true, so that names of the cluster are not resolved and the cache is not found: set %.dnsPolicy to ClusterFirstWithHostNet", &[base, base]);
    } else if policy == "Default" || (policy == "None" && !(lists("nameservers") && lists("searches"))) {
        findings.warn("%.dnsPolicy is %, so that names of the cluster are not resolved and the cache is not found: set it to ClusterFirst", &[base, policy]);
    }
    let dots =
        configured.into_iter().flat_map(|configured| items(configured, "options")).find_map(|option| {
            (name_of(option) == Some("ndots")).then(|| member(option, "value").and_then(Json::as_str))?
        });
    // The name has three dots.
    if let Some(dots @ ("0" | "1" | "2" | "3")) = dots {
        findings.warn("%.dnsConfig sets ndots to %, so that the name of the cache may not be completed and not be found: set it to at least 4", &[base, dots]);
    }
}

/// Warns of what will probably not do what is meant.
pub(crate) fn warn(pod: &Pod<'_>, container: &Container<'_>, step: &Step<'_>, findings: &mut Findings) {
    let base = pod.stands.field();
    let text = |name| member(pod.spec, name).and_then(Json::as_str);
    if step.registry.is_none() {
        warn_of_dns(pod, findings);
    }
    let has_probe = |name| member(container.tree, name).is_some();
    if !step.inputs.is_empty() && has_probe("livenessProbe") && !has_probe("startupProbe") {
        findings.warn("%.containers: % has a livenessProbe that runs while inputs are pulled: give it a startupProbe that waits for the command", &[base, container.name]);
    }
    // The API server fills in Always before it asks; only Jobs and bare pods say otherwise.
    if pod.stands == Stands::Itself
        && text("restartPolicy").unwrap_or("Always") == "Always"
        && step.output.is_some()
    {
        findings.warn("%.restartPolicy is Always: the command is started again whenever it ends, and every success pushes its output again", &[base]);
    }
    if container.security("readOnlyRootFilesystem") == Some(&Json::Bool(true)) {
        let paths = [
            (annotation::INPUT_PATH, step.input_path.filter(|_| !step.inputs.is_empty())),
            (annotation::OUTPUT_PIPE, step.output_pipe),
        ];
        for (name, path) in paths {
            if let Some(path) = path
                && path.starts_with('/')
                && !is_writable(container, path)
            {
                findings.warn(
                    "@% is %, where % has no volume and a read-only root file system: mount a volume there",
                    &[name, path, container.name],
                );
            }
        }
    }
}

fn is_writable(container: &Container<'_>, path: &str) -> bool {
    let lies_in = |folder: &str| {
        let folder = folder.trim_end_matches('/');
        path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    lies_in("/dev")
        || items(container.tree, "volumeMounts").iter().any(|mount| {
            let path = member(mount, "mountPath").and_then(Json::as_str);
            path.is_some_and(lies_in) && member(mount, "readOnly") != Some(&Json::Bool(true))
        })
}
