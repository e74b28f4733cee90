//! Pods that were rewritten before they were created: copies of a rewritten pod, and pods that are
//! reviewed a second time because another webhook changed them.
//!
//! Such a pod is not rewritten again. Its author can write the marker and all parts by hand. So the
//! parts are compared with those that the rewriting makes for this pod today.

use super::agent_containers;
use super::command_place::CommandPlace;
use super::injection::Injection;
use super::parts::Parts;
use super::pod::{Container, Pod};
use super::policy;
use super::reuse;
use super::same_part;
use super::step_container::{self, is_wrapped};
use crate::findings::Findings;
use crate::json::Json;
use crate::settings::Settings;
use orascache_api::steps::{
    AGENT_VOLUME, ANNOTATION_PREFIX as PREFIX, COMMAND_OF_IMAGE_ANNOTATION, CREDENTIALS_VOLUME,
    INJECTED_ANNOTATION, INSTALL_CONTAINER, PROXY_CONTAINER,
};

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
/// Messages say where a part differs, and not what was expected: they name no Secret.
pub(crate) fn check(
    pod: &Pod<'_>,
    injection: &Injection<'_>,
    settings: &Settings<'_>,
    injected: Injected,
    findings: &mut Findings,
) {
    let mut wrapped = pod.containers.iter().filter(|container| is_wrapped(container)).peekable();
    // Only what is not compared depends on the container: requests, limits and the user.
    let Some(container) = wrapped.peek().copied().or(pod.containers.first()) else { return };
    let parts = Parts::of(pod, container, injection);
    let is_step = injected == Injected::Step;

    let volumes = pod.spec.items("volumes");
    check_parts("volume", (&parts.volumes, volumes), is_step, findings);
    let init_containers = pod.spec.items("initContainers");
    check_parts("init container", (&parts.init_containers, init_containers), is_step, findings);
    check_settings(pod, &parts, injection, settings, findings);
    if pod.init_containers.iter().any(|container| is_leftover_proxy(container, injection)) {
        refuse(&format!("container {PROXY_CONTAINER} has credentials that this step does not get"), findings);
    }
    let is_ours =
        |container: &Container<'_>| parts.has(container.name) || is_leftover_proxy(container, injection);
    step_container::check_mounts(pod, &is_ours, findings);

    if !is_step {
        findings.warn(format!(
            "no container runs the agent, although {INJECTED_ANNOTATION} says so: no input is pulled, and no output is pushed"
        ));
        return;
    }
    let words = agent_containers::exec_words(injection);
    let before = findings.problems.len();
    for container in wrapped {
        check_step(container, &words, &parts, injection, findings);
        check_image(pod, container, findings);
        // A pod has one step. Sentences about many containers help nobody.
        if findings.problems.len() > before {
            break;
        }
    }
}

fn refuse(what: &str, findings: &mut Findings) {
    findings.refuse(format!(
        "{INJECTED_ANNOTATION} says that this pod was rewritten, but {what}: create it again from the manifest as it was before, without this annotation and without the parts that were added for the annotations under {PREFIX}"
    ));
}

/// Refuses a part that differs in `place` from what the rewriting makes.
fn refuse_difference(part: &str, place: &str, findings: &mut Findings) {
    refuse(
        &format!(
            "{part} is not as it is made for this step, in {place} (where another webhook changed it, leave this one out there)"
        ),
        findings,
    );
}

/// Compares all items that have the name of a part with this part. Where `all` is set, each part
/// must be there.
fn check_parts(kind: &str, (parts, found): (&[Json<'_>], &[Json<'_>]), all: bool, findings: &mut Findings) {
    for part in parts {
        let name = part.name().unwrap_or_default();
        let mut same_named = found.iter().filter(|item| item.name() == part.name()).peekable();
        if all && same_named.peek().is_none() {
            refuse(&format!("there is no {kind} {name}"), findings);
        }
        if let Some(place) = same_named.find_map(|item| same_part::difference(part, item)) {
            refuse_difference(&format!("{kind} {name}"), &place, findings);
        }
    }
}

/// Checks what settings and policies of the cluster decide about the added containers: the image
/// and the user.
fn check_settings(
    pod: &Pod<'_>,
    parts: &Parts<'_>,
    injection: &Injection<'_>,
    settings: &Settings<'_>,
    findings: &mut Findings,
) {
    for container in pod.init_containers.iter().filter(|container| parts.has(container.name)) {
        let name = container.name;
        if !policy::allows_agent_image(settings, injection.step.image, container.image()) {
            refuse(&format!("container {name} has an image that the administrator does not allow"), findings);
        }
        if !agent_containers::may_be_user(pod, name, container.security("runAsUser")) {
            refuse(&format!("container {name} runs as another user than it was given"), findings);
        }
    }
}

/// Whether a container is a proxy whose credentials the step does not get any more, for example
/// since its cache was changed. A container of the user may have its name where the step needs no
/// proxy.
fn is_leftover_proxy(container: &Container<'_>, injection: &Injection<'_>) -> bool {
    let mounts = container.tree.items("volumeMounts");
    injection.credentials.is_none()
        && container.name == PROXY_CONTAINER
        && mounts.iter().any(|mount| mount.name() == Some(CREDENTIALS_VOLUME))
}

/// Checks what was added to the container of the step: the words in front of its command, the mount
/// of the agent, and variables. Everything else belongs to the user.
fn check_step(
    container: &Container<'_>,
    words: &[Json<'_>],
    parts: &Parts<'_>,
    injection: &Injection<'_>,
    findings: &mut Findings,
) {
    let name = container.name;
    let found = CommandPlace::of(container).agent_flags().unwrap_or_default();
    // The first word is the agent itself.
    let wanted = words.get(1..).unwrap_or_default();
    let is_made = found.split_at_checked(wanted.len()).is_some_and(|(general, own)| {
        let own = own.iter().filter(|word| !describes_container(word));
        general == wanted && own.eq(&agent_containers::container_words(container))
    });
    if !is_made {
        refuse(&format!("the command of container {name} is not what the annotations ask for"), findings);
    }
    let is_reserved = |variable: &Json<'_>| variable.name().is_some_and(step_container::belongs_to_agent);
    let mut check = |list: &str, added: &[Json<'_>], may_be_added: &dyn Fn(&Json<'_>) -> bool| {
        let found = container.tree.items(list);
        if let Some(place) = same_part::difference_of_list(list, (added, found), may_be_added) {
            refuse_difference(&format!("container {name}"), &format!("{list}{place}"), findings);
        }
    };
    check("volumeMounts", &parts.mounts, &|mount| {
        step_container::reserved_directory(mount, injection.step).is_none()
    });
    check("env", &parts.variables, &|variable| !is_reserved(variable));
}

/// Refuses a command that was read from another image than the container has now.
fn check_image(pod: &Pod<'_>, container: &Container<'_>, findings: &mut Findings) {
    let (name, image) = (container.name, container.image());
    let digest = image.rsplit_once('@').map(|(_, digest)| digest);
    if let Some(of) = pod.annotation(COMMAND_OF_IMAGE_ANNOTATION)
        && digest != Some(of)
    {
        refuse(
            &format!(
                "the command of container {name} was read from an image with another digest than that of {image} (where another webhook changed the image, let it keep the digest)"
            ),
            findings,
        );
    }
}

/// Whether a flag describes the container, for provenance and reuse. Other webhooks change what it
/// describes: they replace images and add variables. Older versions gave such flags to steps with
/// reuse alone. These flags decide about nothing but the provenance of the outputs and the key of
/// the step.
fn describes_container(word: &Json<'_>) -> bool {
    let flag = word.as_str().and_then(|word| word.strip_prefix("--")?.split_once('='));
    flag.is_some_and(|(name, _)| reuse::CONTAINER_FLAGS.contains(&name))
}
