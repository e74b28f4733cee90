//! Carries the injected parts of a pod over an update, so that the manifest that it was made from
//! can be applied again. Nothing is decided anew: the API server judges the changes of the user.
//! Only images of the added containers are refused that settings do not allow.

use super::command_place::CommandPlace;
use super::patch::Patch;
use super::pod::{Container, Pod};
use super::policy;
use super::step_container;
use crate::findings::Findings;
use crate::json::Json;
use crate::settings::Settings;
use crate::step_annotations;
use orascache_api::steps::{
    AGENT_VOLUME, ANNOTATION_PREFIX as PREFIX, AUTHORITY_VOLUME, COMMAND_OF_IMAGE_ANNOTATION,
    CREDENTIALS_VOLUME, INJECTED_ANNOTATION, INSTALL_CONTAINER, PROXY_CONTAINER,
};

/// Refuses an update that gives an added container an image that is not allowed: images are almost
/// all that an update can change of a pod's containers. An image that stays is not looked at, so
/// that finalizers can always be removed.
pub(crate) fn check_images(new: &Pod<'_>, old: &Pod<'_>, settings: &Settings<'_>, findings: &mut Findings) {
    for added in [INSTALL_CONTAINER, PROXY_CONTAINER] {
        let is_added = |container: &&Container<'_>| container.name == added;
        let before = old.init_containers.iter().find(is_added).map(Container::image);
        let is_refused = |container: &Container<'_>| {
            let image = container.image();
            Some(image) != before && !policy::allows_agent_image(settings, None, image)
        };
        if new.init_containers.iter().filter(is_added).any(is_refused) {
            findings.refuse(format!(
                "spec.initContainers: {added} gets an image that the administrator does not allow: set it back, or write one that the setting allowedAgentImages allows"
            ));
        }
    }
}

/// The operations that give the new pod the injected parts of the old one.
pub(crate) fn patch<'a>(new: &Pod<'a>, old: &Pod<'a>, findings: &mut Findings) -> Patch<'a> {
    let mut patch = Patch::default();
    let mut has_annotations = new.annotations().is_some();
    for key in [INJECTED_ANNOTATION, COMMAND_OF_IMAGE_ANNOTATION] {
        if let Some(value) = old.annotation(key)
            && new.annotation(key).is_none()
        {
            patch.set("/metadata/annotations", has_annotations, key, value.into());
            has_annotations = true;
        }
    }
    let is_our_volume = |name: &str| matches!(name, AGENT_VOLUME | CREDENTIALS_VOLUME | AUTHORITY_VOLUME);
    restore("/spec", (old.spec, new.spec), "volumes", &is_our_volume, &mut patch);
    restore("/spec", (old.spec, new.spec), "initContainers", &step_container::is_added, &mut patch);
    let new_containers = new.containers_by_name();
    let is_of_image = old.annotation(COMMAND_OF_IMAGE_ANNOTATION).is_some();
    for old in old.containers.iter().filter(|container| step_container::is_wrapped(container)) {
        if let Some(new) = new_containers.get(old.name) {
            carry_container(new, old, is_of_image, &mut patch);
        }
    }
    if !step_annotations::of(new.annotations()).eq(step_annotations::of(old.annotations())) {
        findings.warn(format!(
            "the annotations under {PREFIX} are read when a pod is created: delete the pod and create it again for the new ones to count"
        ));
    }
    patch
}

/// `is_of_image` says that the command was not in the manifest of the pod.
fn carry_container<'a>(new: &Container<'a>, old: &Container<'a>, is_of_image: bool, patch: &mut Patch<'a>) {
    let path = format!("/spec/containers/{}", new.index);
    restore(&path, (old.tree, new.tree), "env", &step_container::is_agent_variable, patch);
    let is_our_mount = |name: &str| matches!(name, AGENT_VOLUME | AUTHORITY_VOLUME);
    restore(&path, (old.tree, new.tree), "volumeMounts", &is_our_mount, patch);
    // A command that is neither the wrapped nor the original one is a change, which the API server
    // refuses.
    let place = CommandPlace::of(old);
    let before = || Json::Array(old.tree.items(place.list).to_vec());
    if is_of_image && new.command().is_empty() {
        patch.set(&path, true, place.list, before());
    } else if place.unwrapped().is_some_and(|original| original == new.tree.items(place.list)) {
        patch.replace(format!("{path}/{}", place.list), before());
    }
}

/// Inserts the injected items of a list that are missing, where they were. `is_injected` accepts a
/// few names only.
fn restore<'a>(
    path: &str,
    (old, new): (&Json<'a>, &Json<'a>),
    list: &str,
    is_injected: &dyn Fn(&str) -> bool,
    patch: &mut Patch<'a>,
) {
    let (old_items, new_items) = (old.items(list), new.items(list));
    let mut present: Vec<&str> = Vec::new();
    for name in new_items.iter().filter_map(Json::name).filter(|name| is_injected(name)) {
        if !present.contains(&name) {
            present.push(name);
        }
    }
    let mut length = new_items.len();
    let mut exists = new.member(list).is_some();
    let path = format!("{path}/{list}");
    for (index, item) in old_items.iter().enumerate() {
        let Some(name) = item.name() else { continue };
        if is_injected(name) && !present.contains(&name) {
            patch.insert(&path, exists, index.min(length), vec![item.clone()]);
            present.push(name);
            length += 1;
            exists = true;
        }
    }
}
