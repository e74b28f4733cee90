//! Rewrites a pod so that the agent runs its step: a volume with the agent, an init container that puts it there, a
//! sidecar for credentials where there are any, and the agent in front of the command.

use super::agent::{self, Endpoint};
use super::bounds::Bounds;
use super::findings::Findings;
use super::patch::Patch;
use super::pod::{Container, Pod, items, member};
use super::step::Step;
use super::target;
use super::template::{fill, quoted};
use orascache_api::steps::{AGENT_DIRECTORY, AGENT_VOLUME, INJECTED_ANNOTATION, INJECTED_VERSION, env};

/// A step with everything that its annotations leave to others.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) step: &'a Step<'a>,
    pub(crate) endpoint: Endpoint<'a>,
    /// Secret with credentials.
    pub(crate) credentials: Option<&'a str>,
    /// Image that carries the agent.
    pub(crate) image: &'a str,
    /// Bounds of the sidecar.
    pub(crate) proxy: Bounds<'a>,
}

/// Whether a pod was rewritten before. Both signs are asked for: an annotation is copied easily, and a command
/// alone may come from somebody who took a pod as an example.
pub(crate) fn is_injected(pod: &Pod<'_>) -> bool {
    pod.annotation(INJECTED_ANNOTATION).is_some() && pod.containers.iter().any(target::is_wrapped)
}

/// The operations that rewrite the pod. Nothing is touched but what is listed here.
pub(crate) fn patch(pod: &Pod<'_>, container: &Container<'_>, plan: &Plan<'_>) -> Patch {
    let mut patch = Patch::default();
    let marker = quoted(INJECTED_VERSION);
    patch.set("/metadata/annotations", pod.annotations().is_some(), INJECTED_ANNOTATION, &marker);
    let volume = fill(r#"{"name":"%","emptyDir":{"sizeLimit":"64Mi"}}"#, &[AGENT_VOLUME]);
    let has_volumes = member(pod.spec, "volumes").is_some();
    patch.insert("/spec/volumes", has_volumes, items(pod.spec, "volumes").len(), &[volume]);

    let variables = variables(pod, plan.step);
    let mut first = vec![agent::install_container(pod, container, plan)];
    if let Some(secret) = plan.credentials {
        first.push(agent::proxy_container(pod, container, plan, secret, &variables));
    }
    patch.insert("/spec/initContainers", member(pod.spec, "initContainers").is_some(), 0, &first);

    let at = fill("/spec/containers/%", &[&container.index.to_string()]);
    let mount = fill(r#"{"name":"%","mountPath":"%","readOnly":true}"#, &[AGENT_VOLUME, AGENT_DIRECTORY]);
    for (list, added) in [("volumeMounts", vec![mount]), ("env", variables)] {
        let exists = member(container.tree, list).is_some();
        let path = fill("%/%", &[&at, list]);
        patch.insert(&path, exists, items(container.tree, list).len(), &added);
    }
    patch.replace(&fill("%/command", &[&at]), &agent::exec_command(container, plan));
    patch
}

/// The downward API for those placeholders that occur.
fn variables(pod: &Pod<'_>, step: &Step<'_>) -> Vec<String> {
    let wanted = step.placeholders();
    let index = target::index_field(pod);
    let fields = [
        (env::POD, wanted.pod.then_some(("metadata.name", ""))),
        (env::NAMESPACE, wanted.namespace.then_some(("metadata.namespace", ""))),
        (env::JOB, target::job_label(pod).filter(|_| wanted.job).map(|label| ("metadata.labels", label))),
        (env::INDEX, index.filter(|_| wanted.index)),
    ];
    let mut variables = Vec::new();
    for (name, field) in fields {
        if let Some((map, key)) = field {
            let entry = if key.is_empty() { String::new() } else { fill("['%']", &[key]) };
            variables.push(fill(
                r#"{"name":"%","valueFrom":{"fieldRef":{"fieldPath":"%%"}}}"#,
                &[name, map, &entry],
            ));
        }
    }
    variables
}

/// The container that takes part, checked as far as the cache does not matter.
pub(crate) fn prepare<'p, 'a>(
    pod: &'p Pod<'a>,
    step: &Step<'_>,
    findings: &mut Findings,
) -> Option<&'p Container<'a>> {
    let container = target::choose(pod, step, findings)?;
    target::check(pod, container, step, findings);
    target::warn(pod, container, step, findings);
    Some(container)
}
