//! Pods that were rewritten before they were created: copies of a rewritten pod, and pods that are
//! reviewed a second time because another webhook changed them.
//!
//! Such a pod is not rewritten again. Its author can write the marker and all parts by hand, so
//! that the parts must be what the annotations and today's settings lead to.

use super::agent_containers;
use super::injection::Injection;
use super::pod::{Container, Pod};
use super::policy;
use super::step_container::{self, is_wrapped};
use crate::findings::Findings;
use crate::json::Json;
use crate::settings::Settings;
use orascache_api::steps::{
    AGENT_DIRECTORY, AGENT_PROGRAM, AGENT_VOLUME, ANNOTATION_PREFIX as PREFIX, INJECTED_ANNOTATION,
    INSTALL_CONTAINER, PROXY_CONTAINER,
};

/// Flags of the agent that decide what a step may reach. Others concern the step alone.
const EXEC_FLAGS: [&str; 4] = ["--registry=", "--proxy=", "--input=", "--output="];
const PROXY_FLAGS: [&str; 4] = ["--registry=", "--socket=", "--pull=", "--push="];

/// Whether and how a pod was rewritten before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Injected {
    /// The pod was not rewritten. A marker without any injected part is only an annotation.
    No,
    /// The pod has the marker, and the agent runs its step.
    Step,
    /// The pod has the marker and injected parts, but its command is another one, as in a copy by
    /// `kubectl debug`.
    OtherCommand,
}

impl Injected {
    /// Looks for the signs in a pod.
    pub(crate) fn of(pod: &Pod<'_>) -> Self {
        if pod.annotation(INJECTED_ANNOTATION).is_none() {
            return Injected::No;
        }
        if pod.containers.iter().any(is_wrapped) {
            return Injected::Step;
        }
        let is_part =
            |container: &Container<'_>| matches!(container.name, INSTALL_CONTAINER | PROXY_CONTAINER);
        let has_volume =
            || pod.spec.items("volumes").iter().any(|volume| volume.name() == Some(AGENT_VOLUME));
        if pod.init_containers.iter().any(is_part) || has_volume() {
            Injected::OtherCommand
        } else {
            Injected::No
        }
    }
}

/// Refuses injected parts that are not what the annotations, the cache and the settings lead to.
/// Messages do not say which Secret was expected.
pub(crate) fn check(
    pod: &Pod<'_>,
    injection: &Injection<'_>,
    settings: &Settings<'_>,
    injected: Injected,
    findings: &mut Findings,
) {
    step_container::check_mounts(pod, findings);
    for container in added_containers(pod) {
        let image = container.tree.member("image").and_then(Json::as_str).unwrap_or_default();
        if !policy::allows_agent_image(settings, injection.step, image) {
            refuse(
                &format!("container {} has an image that the administrator does not allow", container.name),
                findings,
            );
        }
    }
    let mut proxies = added_containers(pod).filter(|container| container.name == PROXY_CONTAINER);
    let proxy = proxies.next();
    if proxies.next().is_some() {
        refuse(&format!("there are several containers named {PROXY_CONTAINER}"), findings);
    } else if let Some(proxy) = proxy {
        let words = agent_containers::proxy_words(injection);
        let serves = !has_arguments(proxy) && has_words(proxy.command(), &words, &PROXY_FLAGS);
        if injection.credentials.is_none() || !serves {
            refuse(
                &format!("container {PROXY_CONTAINER} does not serve what the annotations ask for"),
                findings,
            );
        }
        if secrets_of(pod, proxy).any(|secret| injection.credentials != Some(secret)) {
            refuse(
                &format!("container {PROXY_CONTAINER} has credentials that are not those of the step"),
                findings,
            );
        }
    }
    if injected == Injected::OtherCommand {
        findings.warn(format!(
            "no container runs the agent, although {INJECTED_ANNOTATION} says so: no input is pulled, and no output is pushed"
        ));
        return;
    }
    let words = agent_containers::exec_words(injection);
    for container in pod.containers.iter().filter(|container| is_wrapped(container)) {
        let name = container.name;
        let end = container.command().iter().position(|word| word.as_str() == Some("--"));
        let of_agent = end.and_then(|end| container.command().get(..end)).unwrap_or_default();
        if !has_words(of_agent, &words, &EXEC_FLAGS) {
            refuse(&format!("the command of container {name} is not what the annotations ask for"), findings);
        }
        if !mounts_agent(container) {
            refuse(
                &format!("container {name} does not mount volume {AGENT_VOLUME} at {AGENT_DIRECTORY}"),
                findings,
            );
        }
    }
    let installs = |container: &&Container<'_>| {
        let words = [AGENT_PROGRAM, "install", AGENT_DIRECTORY];
        container.name == INSTALL_CONTAINER
            && !has_arguments(container)
            && container.command().iter().map(Json::as_str).eq(words.map(Some))
    };
    if added_containers(pod).find(installs).is_none() {
        refuse(&format!("no init container {INSTALL_CONTAINER} installs the agent"), findings);
    }
    let is_own_volume =
        |volume: &Json<'_>| volume.name() == Some(AGENT_VOLUME) && volume.member("emptyDir").is_some();
    if !pod.spec.items("volumes").iter().any(is_own_volume) {
        refuse(&format!("volume {AGENT_VOLUME} is not an emptyDir"), findings);
    }
}

fn refuse(what: &str, findings: &mut Findings) {
    findings.refuse(format!(
        "{INJECTED_ANNOTATION} says that this pod was rewritten, but {what}: create it again from the manifest as it was before, without this annotation and without the parts that were added for the annotations under {PREFIX}"
    ));
}

/// The init containers that are called like the added ones.
fn added_containers<'p, 'a>(pod: &'p Pod<'a>) -> impl Iterator<Item = &'p Container<'a>> {
    pod.init_containers.iter().filter(|container| step_container::is_added(container.name))
}

/// Whether arguments continue the command of a container.
fn has_arguments(container: &Container<'_>) -> bool {
    !container.tree.items("args").is_empty()
}

/// Whether a command of the agent has the expected subcommand and the expected flags, as far as
/// they decide what can be reached. All its further words must be flags that are what they look
/// like.
fn has_words(actual: &[Json<'_>], expected: &[Json<'_>], deciding: &[&str]) -> bool {
    let is_flag =
        |word: &Json<'_>| word.as_str().is_some_and(|word| word.starts_with("--") && !has_variable(word));
    let decides = |word: &&Json<'_>| {
        word.as_str().is_some_and(|word| deciding.iter().any(|flag| word.starts_with(flag)))
    };
    match (actual.split_at_checked(2), expected.split_at_checked(2)) {
        (Some((program, actual)), Some((expected_program, expected))) => {
            program == expected_program
                && actual.iter().all(is_flag)
                && actual.iter().filter(decides).eq(expected.iter().filter(decides))
        }
        _ => false,
    }
}

/// Whether Kubernetes puts the value of a variable into a word: it expands `$(NAME)`, and takes
/// `$$` for a dollar sign (core/v1 Container, command).
fn has_variable(word: &str) -> bool {
    word.contains('$') && word.replace("$$", "").contains("$(")
}

/// Whether a container mounts the whole volume of the agent where its path says, read-only.
fn mounts_agent(container: &Container<'_>) -> bool {
    container.tree.items("volumeMounts").iter().any(|mount| {
        let text = |name| mount.member(name).and_then(Json::as_str);
        mount.name() == Some(AGENT_VOLUME)
            && text("mountPath").map(|path| path.trim_end_matches('/')) == Some(AGENT_DIRECTORY)
            && text("subPath").is_none_or(str::is_empty)
            && text("subPathExpr").is_none_or(str::is_empty)
            && mount.member("readOnly") == Some(&Json::Bool(true))
    })
}

/// Names of all Secrets that a container gets, as variables or as files.
fn secrets_of<'a>(pod: &Pod<'a>, container: &Container<'a>) -> impl Iterator<Item = &'a str> {
    let named = |source: Option<&'a Json<'a>>| source?.member("name")?.as_str();
    let variables = container.tree.items("env").iter();
    let variables = variables.filter_map(move |one| named(one.member_of("valueFrom", "secretKeyRef")));
    let sources = container.tree.items("envFrom").iter();
    let sources = sources.filter_map(move |one| named(one.member("secretRef")));
    let mut mounted: Vec<&str> = container.tree.items("volumeMounts").iter().filter_map(Json::name).collect();
    mounted.sort_unstable();
    let volumes = pod.spec.items("volumes").iter();
    let volumes =
        volumes.filter(move |volume| volume.name().is_some_and(|name| mounted.binary_search(&name).is_ok()));
    let files = volumes.flat_map(move |volume| {
        let whole = volume.member_of("secret", "secretName").and_then(Json::as_str);
        let projected = volume.member("projected").map(|projected| projected.items("sources"));
        let projected = projected.unwrap_or_default().iter();
        whole.into_iter().chain(projected.filter_map(move |source| named(source.member("secret"))))
    });
    variables.chain(sources).chain(files)
}
