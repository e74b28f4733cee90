//! Rewrites a pod so that the agent runs its step: a volume with the agent, an init container that
//! copies it there, a sidecar with a volume of credentials where there are any, and the agent in
//! front of the command.

use super::agent_containers::{credentials_volume, exec_command, install_container, proxy_container};
use super::injection::Injection;
use super::patch::Patch;
use super::pod::{Container, Pod};
use super::step::Step;
use super::step_container;
use crate::json::Json;
use orascache_api::steps::{AGENT_DIRECTORY, AGENT_VOLUME, INJECTED_ANNOTATION, INJECTED_VERSION};
use orascache_api::template::Placeholder;

/// The operations that rewrite the pod. They touch nothing else.
pub(crate) fn patch<'a>(pod: &Pod<'a>, container: &Container<'a>, injection: &Injection<'a>) -> Patch<'a> {
    let mut patch = Patch::default();
    let has_annotations = pod.annotations().is_some();
    patch.set("/metadata/annotations", has_annotations, INJECTED_ANNOTATION, INJECTED_VERSION.into());
    let mut volumes = vec![Json::object([
        ("name", Some(AGENT_VOLUME.into())),
        ("emptyDir", Some(Json::object([("sizeLimit", Some("64Mi".into()))]))),
    ])];
    volumes.extend(injection.credentials.map(|secret| credentials_volume(injection, secret)));
    let has_volumes = pod.spec.member("volumes").is_some();
    patch.insert("/spec/volumes", has_volumes, pod.spec.items("volumes").len(), volumes);

    let variables = variables(pod, injection.step);
    let mut first = vec![install_container(pod, container, injection)];
    if injection.credentials.is_some() {
        first.push(proxy_container(pod, container, injection, &variables));
    }
    patch.insert("/spec/initContainers", pod.spec.member("initContainers").is_some(), 0, first);

    let path = format!("/spec/containers/{}", container.index);
    let mount = Json::object([
        ("name", Some(AGENT_VOLUME.into())),
        ("mountPath", Some(AGENT_DIRECTORY.into())),
        ("readOnly", Some(true.into())),
    ]);
    for (list, added) in [("volumeMounts", vec![mount]), ("env", variables)] {
        let exists = container.tree.member(list).is_some();
        patch.insert(&format!("{path}/{list}"), exists, container.tree.items(list).len(), added);
    }
    patch.replace(format!("{path}/command"), exec_command(container, injection));
    patch
}

/// Variables from the downward API for those placeholders that occur.
fn variables<'a>(pod: &Pod<'_>, step: &Step<'_>) -> Vec<Json<'a>> {
    let wanted = step.placeholders();
    [Placeholder::Pod, Placeholder::Namespace, Placeholder::Job, Placeholder::Index]
        .into_iter()
        .filter(|placeholder| wanted.contains(*placeholder))
        .filter_map(|placeholder| {
            let in_map = |(map, key): (&str, &str)| format!("{map}['{key}']");
            let path = match placeholder {
                Placeholder::Pod => "metadata.name".to_owned(),
                Placeholder::Namespace => "metadata.namespace".to_owned(),
                Placeholder::Job => in_map(("metadata.labels", step_container::job_label(pod)?)),
                Placeholder::Index => in_map(step_container::index_field(pod)?),
            };
            let field = Json::object([("fieldPath", Some(path.into()))]);
            Some(Json::object([
                ("name", Some(placeholder.variable().into())),
                ("valueFrom", Some(Json::object([("fieldRef", Some(field))]))),
            ]))
        })
        .collect()
}
