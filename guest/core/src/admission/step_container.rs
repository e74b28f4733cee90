//! The container whose command the agent wraps, and whether it can.

use super::command_place::CommandPlace;
use super::network::Network;
use super::pod::{Container, Pod, PodSource};
use super::step::Step;
use super::step_warnings;
use crate::credentials::Credentials;
use crate::findings::Findings;
use crate::json::Json;
use orascache_api::steps::{
    AGENT_DIRECTORY, AGENT_VOLUME, ANNOTATION_PREFIX as PREFIX, AUTHORITY_DIRECTORY, AUTHORITY_VOLUME,
    CREDENTIALS_VOLUME, INSTALL_CONTAINER, PROXY_CONTAINER, annotation, env, well_known,
};
use orascache_api::template::{Placeholder, Placeholders};

/// Containers that a message lists.
const MAX_LISTED: usize = 10;

/// The container that takes part, checked as far as the cache does not matter.
pub(crate) fn prepare<'p, 'a>(
    pod: &'p Pod<'a>,
    step: &Step<'_>,
    findings: &mut Findings,
) -> Option<&'p Container<'a>> {
    let container = choose(pod, step, findings)?;
    check(pod, container, step, findings);
    step_warnings::warn(pod, container, step, findings);
    Some(container)
}

/// Whether a pod has annotations that are meant for other pods of its JobSet: those that have the
/// container which the annotations name. A JobSet may give all its pods the same annotations, as
/// those of the metrics operator do. Warns of it.
pub(crate) fn takes_no_part(pod: &Pod<'_>, step: &Step<'_>, findings: &mut Findings) -> bool {
    let Some(name) = step.container.filter(|_| pod.has_label(well_known::JOBSET_NAME)) else { return false };
    if pod.all_containers().any(|container| container.name == name) {
        return false;
    }
    findings.warn(format!(
        "{PREFIX}{} names {name}, which this pod of a JobSet does not have, so that it takes no part: where it should, write one of {}",
        annotation::CONTAINER,
        names(pod)
    ));
    true
}

fn choose<'p, 'a>(pod: &'p Pod<'a>, step: &Step<'_>, findings: &mut Findings) -> Option<&'p Container<'a>> {
    let key = annotation::CONTAINER;
    match (step.container, pod.containers.as_slice()) {
        (Some(name), _) => {
            let found = pod.container(name);
            if found.is_none() {
                let is_init = pod.init_containers.iter().any(|container| container.name == name);
                let why = if is_init { "is an init container" } else { "is not there" };
                findings
                    .refuse(format!("{PREFIX}{key} names {name}, which {why}: write one of {}", names(pod)));
            }
            found
        }
        (None, [only]) => Some(only),
        (None, []) => {
            let path = pod.source.spec_path();
            findings.refuse(format!("{path}.containers is empty: write the container that runs the step"));
            None
        }
        (None, _) => {
            let found = pod.default_container().and_then(|name| pod.container(name));
            if found.is_none() {
                findings.refuse(format!(
                    "{PREFIX}{key} is missing, and there are several containers: write one of {}",
                    names(pod)
                ));
            }
            found
        }
    }
}

/// The names of the containers, for messages. A message is for people, and lists a few.
fn names(pod: &Pod<'_>) -> String {
    let names: Vec<&str> = pod.containers.iter().take(MAX_LISTED).map(|container| container.name).collect();
    let more = if pod.containers.len() > MAX_LISTED { ", ..." } else { "" };
    format!("{}{more}", names.join(", "))
}

/// Whether a container is called like one of those that are added.
pub(crate) fn is_added(name: &str) -> bool {
    matches!(name, INSTALL_CONTAINER | PROXY_CONTAINER)
}

/// Whether a variable of the container of a step belongs to the agent.
pub(crate) fn belongs_to_agent(variable: &str) -> bool {
    matches!(variable, env::POD | env::NAMESPACE | env::JOB | env::INDEX | env::INPUT_WAIT_REMAINING)
}

/// Whether the rewriting may add a variable to the container of a step. Users may set those with
/// authorities themselves, where they are not added.
pub(crate) fn is_agent_variable(name: &str) -> bool {
    belongs_to_agent(name) || matches!(name, env::CA_FILE | env::CA_PEM)
}

/// The directory of the step in which a volume is mounted, with what lies there; `None` for mounts
/// elsewhere.
pub(crate) fn reserved_directory(mount: &Json<'_>, step: &Step<'_>) -> Option<(&'static str, &'static str)> {
    let path = mount.member("mountPath").and_then(Json::as_str).unwrap_or_default();
    let first = first_directory(path);
    let agent = (AGENT_DIRECTORY, "the agent lies");
    let authority = step.authority.as_ref().map(|_| (AUTHORITY_DIRECTORY, "the certificates lie"));
    [Some(agent), authority].into_iter().flatten().find(|(ours, _)| first == ours.strip_prefix('/'))
}

/// Whether the agent already wraps the container's command.
pub(crate) fn is_wrapped(container: &Container<'_>) -> bool {
    CommandPlace::of(container).is_wrapped()
}

/// Refuses what cannot work.
fn check(pod: &Pod<'_>, container: &Container<'_>, step: &Step<'_>, findings: &mut Findings) {
    let path = pod.source.spec_path();
    let name = container.name;
    let os = pod.spec.member_of("os", "name");
    let node_os = pod.spec.member_of("nodeSelector", well_known::OS);
    if [os, node_os].into_iter().flatten().any(|os| os.as_str() == Some("windows")) {
        findings.refuse(format!(
            "{path} asks for Windows, but the agent is a Linux program: remove the annotations under {PREFIX}"
        ));
    }
    if pod.annotation(well_known::MIRROR_POD).is_some() {
        findings.refuse(format!(
            "this is the mirror of a static pod, which the kubelet runs as its file says: remove the annotations under {PREFIX} from that file"
        ));
    }
    check_container_name(pod, INSTALL_CONTAINER, findings);
    check_volume_name(pod, AGENT_VOLUME, findings);
    let message_path = container.tree.member("terminationMessagePath").and_then(Json::as_str);
    if message_path.is_some_and(|path| path.chars().any(char::is_control)) {
        findings.refuse(format!(
            "{path}.containers: terminationMessagePath of {name} holds a control character, such as a line break or NUL: write it without"
        ));
    }
    // An init container that has the name of an added one is refused for its name alone.
    check_mounts(pod, &|container| container.name == INSTALL_CONTAINER, findings);
    for mount in container.tree.items("volumeMounts") {
        // A mount below the agent's directory would need a folder in a volume that is read-only
        // here.
        if let Some((directory, what)) = reserved_directory(mount, step) {
            findings.refuse(format!(
                "{path}.containers: {name} mounts a volume at {directory}, where {what}: choose another mountPath"
            ));
        }
    }
    for variable in container.tree.items("env") {
        if let Some(variable) = variable.name().filter(|name| belongs_to_agent(name)) {
            refuse_variable(path, name, variable, findings);
        }
    }
    if step.authority.is_some() {
        check_volume_name(pod, AUTHORITY_VOLUME, findings);
    }
    check_placeholders(pod, step.placeholders(), findings);
}

fn refuse_variable(path: &str, container: &str, variable: &str, findings: &mut Findings) {
    findings.refuse(format!(
        "{path}.containers: {container} sets {variable}, which belongs to the agent: rename the variable"
    ));
}

/// Refuses names that a step needs whose authority the cache gives, and no annotation.
pub(crate) fn check_authority_names(pod: &Pod<'_>, container: &Container<'_>, findings: &mut Findings) {
    let (path, name) = (pod.source.spec_path(), container.name);
    check_volume_name(pod, AUTHORITY_VOLUME, findings);
    let mounts = container.tree.items("volumeMounts").iter();
    let paths = mounts.filter_map(|mount| mount.member("mountPath").and_then(Json::as_str));
    if paths.filter_map(first_directory).any(|first| AUTHORITY_DIRECTORY.strip_prefix('/') == Some(first)) {
        findings.refuse(format!(
            "{path}.containers: {name} mounts a volume at {AUTHORITY_DIRECTORY}, where the certificates lie: choose another mountPath"
        ));
    }
}

/// The first name in a path.
fn first_directory(path: &str) -> Option<&str> {
    path.split('/').find(|part| !part.is_empty())
}

/// Refuses a container that already has one of the variables with authorities, where it gets them.
fn check_network_variables(
    pod: &Pod<'_>,
    container: &Container<'_>,
    network: &Network<'_>,
    findings: &mut Findings,
) {
    let added = network.variables();
    for variable in container.tree.items("env").iter().filter_map(Json::name) {
        if is_agent_variable(variable) && added.iter().any(|one| one.name() == Some(variable)) {
            refuse_variable(pod.source.spec_path(), container.name, variable, findings);
        }
    }
}

/// Refuses a pod in which a container already has the name of an added one.
pub(crate) fn check_container_name(pod: &Pod<'_>, name: &str, findings: &mut Findings) {
    if pod.all_containers().any(|container| container.name == name) {
        let path = pod.source.spec_path();
        findings.refuse(format!(
            "{path} has a container named {name}, which the step needs for itself: rename it"
        ));
    }
}

fn check_volume_name(pod: &Pod<'_>, name: &str, findings: &mut Findings) {
    if pod.spec.items("volumes").iter().any(|volume| volume.name() == Some(name)) {
        let path = pod.source.spec_path();
        findings.refuse(format!("{path}.volumes: the name {name} is needed for the step: rename the volume"));
    }
}

/// Refuses a pod that already uses the names which a step with credentials needs.
fn check_proxy_names(pod: &Pod<'_>, findings: &mut Findings) {
    check_container_name(pod, PROXY_CONTAINER, findings);
    check_volume_name(pod, CREDENTIALS_VOLUME, findings);
}

/// Refuses containers that could replace the agent in its volume, or read the credentials. Added
/// containers, which `is_ours` tells from init containers of the user, are compared as a whole.
pub(crate) fn check_mounts(pod: &Pod<'_>, is_ours: &dyn Fn(&Container<'_>) -> bool, findings: &mut Findings) {
    let path = pod.source.spec_path();
    let init_containers = pod.init_containers.iter().filter(|container| !is_ours(container));
    for container in pod.containers.iter().chain(init_containers) {
        check_mounts_of(container.tree, path, findings);
    }
}

/// The same for one container of the list at `path`.
pub(crate) fn check_mounts_of(container: &Json<'_>, path: &str, findings: &mut Findings) {
    let name = container.name().unwrap_or_default();
    for mount in container.items("volumeMounts") {
        let is_read_only = mount.member("readOnly") == Some(&Json::Bool(true));
        match mount.name() {
            Some(AGENT_VOLUME) if !is_read_only => findings.refuse(format!(
                "{path}: {name} mounts volume {AGENT_VOLUME}, from which the step runs the agent: set readOnly to true, or remove the mount"
            )),
            Some(CREDENTIALS_VOLUME) => findings.refuse(format!(
                "{path}: {name} mounts volume {CREDENTIALS_VOLUME}, which holds credentials for container {PROXY_CONTAINER} only: remove the mount"
            )),
            _ => {}
        }
    }
}

/// Refuses pods whose containers see each other's processes. The step could read the credentials in
/// the memory of the proxy.
pub(crate) fn check_shared_processes(pod: &Pod<'_>, findings: &mut Findings) {
    let path = pod.source.spec_path();
    for field in ["shareProcessNamespace", "hostPID"] {
        if pod.spec.member(field) == Some(&Json::Bool(true)) {
            findings.refuse(format!(
                "{path}.{field} is true, so that the step could read the credentials of container {PROXY_CONTAINER}: set it to false, or use a registry without credentials"
            ));
        }
    }
}

/// Refuses placeholders whose values the pod does not have when it runs. The pods of a Job get them
/// from the Job.
fn check_placeholders(pod: &Pod<'_>, wanted: Placeholders, findings: &mut Findings) {
    if pod.source == PodSource::JobTemplate {
        return;
    }
    if wanted.contains(Placeholder::Job) && job_label(pod).is_none() {
        findings.refuse(
            "the placeholder {job} is the name of a Job, but this pod belongs to none: write {pod} or a name"
                .to_owned(),
        );
    }
    if wanted.contains(Placeholder::Index) && index_field(pod).is_none() {
        findings.refuse("the placeholder {index} is the number of a pod in an indexed Job or a StatefulSet, but this pod has none: write {pod} or a number".to_owned());
    }
}

/// Label with the Job's name.
pub(crate) fn job_label(pod: &Pod<'_>) -> Option<&'static str> {
    [well_known::JOB_NAME, well_known::LEGACY_JOB_NAME].into_iter().find(|label| pod.has_label(label))
}

/// Map and key of the pod's index, as the downward API names them.
pub(crate) fn index_field(pod: &Pod<'_>) -> Option<(&'static str, &'static str)> {
    if pod.annotation(well_known::JOB_COMPLETION_INDEX).is_some() {
        Some(("metadata.annotations", well_known::JOB_COMPLETION_INDEX))
    } else if pod.has_label(well_known::POD_INDEX) {
        Some(("metadata.labels", well_known::POD_INDEX))
    } else {
        None
    }
}

/// Refuses names in the pod that the container which connects to the registry needs.
pub(crate) fn check_connection(
    pod: &Pod<'_>,
    container: &Container<'_>,
    credentials: &Option<Credentials<'_>>,
    network: &Network<'_>,
    findings: &mut Findings,
) {
    if credentials.is_some() {
        check_proxy_names(pod, findings);
    } else {
        check_network_variables(pod, container, network, findings);
    }
}
