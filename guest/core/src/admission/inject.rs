//! Rewrites a pod so that the agent runs its step: a volume with the agent, an init container that
//! copies it there, a sidecar with a volume of credentials where there are any, and the agent in
//! front of the command.

use super::agent_containers::{exec_command, exec_image_command};
use super::image_program::Program;
use super::injection::Injection;
use super::parts::Parts;
use super::patch::Patch;
use super::pod::{Container, Pod};
use orascache_api::steps::{COMMAND_OF_IMAGE_ANNOTATION, INJECTED_ANNOTATION, INJECTED_VERSION};

/// The operations that rewrite the pod. They touch nothing else.
pub(crate) fn patch<'a>(
    pod: &Pod<'a>,
    container: &Container<'a>,
    injection: &Injection<'a>,
    program: Program<'a>,
) -> Patch<'a> {
    let mut patch = Patch::default();
    let has_annotations = pod.annotations().is_some();
    patch.set("/metadata/annotations", has_annotations, INJECTED_ANNOTATION, INJECTED_VERSION.into());
    let parts = Parts::of(pod, container, injection);
    let has_volumes = pod.spec.member("volumes").is_some();
    patch.insert("/spec/volumes", has_volumes, pod.spec.items("volumes").len(), parts.volumes);
    let has_init_containers = pod.spec.member("initContainers").is_some();
    patch.insert("/spec/initContainers", has_init_containers, 0, parts.init_containers);
    let path = format!("/spec/containers/{}", container.index);
    for (list, added) in [("volumeMounts", parts.mounts), ("env", parts.variables)] {
        let exists = container.tree.member(list).is_some();
        patch.insert(&format!("{path}/{list}"), exists, container.tree.items(list).len(), added);
    }
    if let Program::OfImage(of_image) = program {
        let digest = of_image.digest.into();
        patch.set("/metadata/annotations", true, COMMAND_OF_IMAGE_ANNOTATION, digest);
        patch.set(&path, true, "command", exec_image_command(container, injection, of_image.words));
    } else {
        let (list, command) = exec_command(container, injection);
        patch.replace(format!("{path}/{list}"), command);
    }
    patch
}
