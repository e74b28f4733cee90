//! Rewrites a pod so that the agent runs its step: a volume with the agent, an init container that puts it there, a
//! sidecar for credentials where there are any, and the agent in front of the command.

use super::agent::{self, Endpoint};
use super::findings::Findings;
use super::patch::Patch;
use super::pod::{Container, Pod, items, member};
use super::step::Step;
use super::target;
use crate::json::Json;
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
}

/// Whether a pod was rewritten before. Both signs are asked for: an annotation is copied easily, and a command
/// alone may come from somebody who took a pod as an example.
pub(crate) fn is_injected(pod: &Pod<'_>) -> bool {
    pod.annotation(INJECTED_ANNOTATION).is_some() && pod.containers.iter().any(target::is_wrapped)
}

/// The operations that rewrite the pod. Nothing is touched but what is listed here.
pub(crate) fn patch<'a>(pod: &Pod<'a>, container: &Container<'a>, plan: &Plan<'a>) -> Patch<'a> {
    let mut patch = Patch::default();
    patch.set(
        "/metadata/annotations",
        pod.annotations().is_some(),
        INJECTED_ANNOTATION,
        INJECTED_VERSION.into(),
    );
    let volume = Json::object([
        ("name", Some(AGENT_VOLUME.into())),
        ("emptyDir", Some(Json::object([("sizeLimit", Some("64Mi".into()))]))),
    ]);
    let has = |object: &'a Json<'a>, list| member(object, list).is_some();
    patch.insert("/spec/volumes", has(pod.spec, "volumes"), items(pod.spec, "volumes").len(), vec![volume]);

    let variables = variables(pod, plan.step);
    let mut first = vec![agent::install_container(pod, container, plan)];
    if let Some(secret) = plan.credentials {
        first.push(agent::proxy_container(pod, container, plan, secret, variables.clone()));
    }
    patch.insert("/spec/initContainers", has(pod.spec, "initContainers"), 0, first);

    let at = ["/spec/containers/", &container.index.to_string()].concat();
    let list = |name| [&at, "/", name].concat();
    let mount = Json::object([
        ("name", Some(AGENT_VOLUME.into())),
        ("mountPath", Some(AGENT_DIRECTORY.into())),
        ("readOnly", Some(true.into())),
    ]);
    let length = |name| items(container.tree, name).len();
    patch.insert(
        &list("volumeMounts"),
        has(container.tree, "volumeMounts"),
        length("volumeMounts"),
        vec![mount],
    );
    patch.insert(&list("env"), has(container.tree, "env"), length("env"), variables);
    let mut command = agent::exec_command(container, plan);
    command.extend(container.command().iter().cloned());
    patch.replace(list("command"), Json::Array(command));
    patch
}

/// The downward API for those placeholders that occur.
fn variables<'a>(pod: &Pod<'_>, step: &Step<'_>) -> Vec<Json<'a>> {
    let wanted = step.placeholders();
    let map_entry = |map: &str, key: &str| ["metadata.", map, "['", key, "']"].concat();
    let mut variables = Vec::new();
    let mut variable = |name: &'static str, field: String| {
        let reference = Json::object([("fieldPath", Some(field.into()))]);
        variables.push(Json::object([
            ("name", Some(name.into())),
            ("valueFrom", Some(Json::object([("fieldRef", Some(reference))]))),
        ]));
    };
    if wanted.pod {
        variable(env::POD, "metadata.name".to_owned());
    }
    if wanted.namespace {
        variable(env::NAMESPACE, "metadata.namespace".to_owned());
    }
    if let Some(label) = target::job_label(pod).filter(|_| wanted.job) {
        variable(env::JOB, map_entry("labels", label));
    }
    if let Some((map, key)) = target::index_field(pod).filter(|_| wanted.index) {
        variable(env::INDEX, map_entry(map, key));
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
