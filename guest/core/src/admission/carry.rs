//! Carries the rewriting of a pod over an update, so that the manifest it was made from can be applied again.
//! Nothing is refused and nothing is decided anew: what the user did change is left for the API server to judge.

use super::findings::Findings;
use super::patch::Patch;
use super::pod::{Container, Pod, items, member, name_of};
use super::step::ours;
use super::target;
use super::template::quoted;
use crate::json::Json;
use orascache_api::steps::{AGENT_VOLUME, INJECTED_ANNOTATION, INSTALL_CONTAINER, PROXY_CONTAINER, env};

/// The operations that give the new pod what the old one was given.
pub(crate) fn patch(new: &Pod<'_>, old: &Pod<'_>, findings: &mut Findings) -> Patch {
    let mut patch = Patch::default();
    if let Some(marker) = old.annotation(INJECTED_ANNOTATION)
        && new.annotation(INJECTED_ANNOTATION).is_none()
    {
        patch.set("/metadata/annotations", new.annotations().is_some(), INJECTED_ANNOTATION, &quoted(marker));
    }
    restore("/spec", (old.spec, new.spec), "volumes", &|name| name == AGENT_VOLUME, &mut patch);
    let is_ours = |name: &str| name == INSTALL_CONTAINER || name == PROXY_CONTAINER;
    restore("/spec", (old.spec, new.spec), "initContainers", &is_ours, &mut patch);
    for old in old.containers.iter().filter(|container| target::is_wrapped(container)) {
        if let Some(new) = new.container(old.name) {
            carry_container(new, old, &mut patch);
        }
    }
    if !ours(new.annotations()).eq(ours(old.annotations())) {
        findings.warn("the annotations under @ are read when a pod is created: delete the pod and create it again for the new ones to count", &[]);
    }
    patch
}

fn carry_container(new: &Container<'_>, old: &Container<'_>, patch: &mut Patch) {
    let at = ["/spec/containers/", &new.index.to_string()].concat();
    let is_variable = |name: &str| matches!(name, env::POD | env::NAMESPACE | env::JOB | env::INDEX);
    restore(&at, (old.tree, new.tree), "env", &is_variable, patch);
    restore(&at, (old.tree, new.tree), "volumeMounts", &|name| name == AGENT_VOLUME, patch);
    // A command that is neither the wrapped nor the original one is a change, which the API server refuses.
    let separator = old.command().iter().position(|word| word.as_str() == Some("--"));
    let original = separator.and_then(|separator| old.command().get(separator + 1..));
    if original == Some(new.command()) {
        patch.replace(&[&at, "/command"].concat(), &Json::Array(old.command().to_vec()).to_text());
    }
}

/// Puts those items of a list back that are ours and missing, where they were.
fn restore(
    at: &str,
    (old, new): (&Json<'_>, &Json<'_>),
    list: &str,
    is_ours: &dyn Fn(&str) -> bool,
    patch: &mut Patch,
) {
    let mut length = items(new, list).len();
    let mut exists = member(new, list).is_some();
    let path = [at, "/", list].concat();
    for (index, item) in items(old, list).iter().enumerate() {
        let Some(name) = name_of(item) else { continue };
        if is_ours(name) && !items(new, list).iter().any(|other| name_of(other) == Some(name)) {
            patch.insert(&path, exists, index.min(length), &[item.to_text()]);
            length += 1;
            exists = true;
        }
    }
}
