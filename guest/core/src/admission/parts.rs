//! The parts that the rewriting adds to a pod. The patch of a new pod contains them, and a pod that
//! was rewritten before is compared with them.

use super::agent_containers::{agent_mount, install_container, proxy_container};
use super::injection::Injection;
use super::pod::{Container, Pod};
use super::step_container;
use crate::authority::Authority;
use crate::json::Json;
use orascache_api::steps::{AGENT_VOLUME, INPUT_WAIT_REMAINING_ANNOTATION, env, well_known};
use orascache_api::template::{Placeholder, Placeholders};

/// Everything that is added, but the words in front of the command.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) volumes: Vec<Json<'a>>,
    /// They come before the init containers of the user.
    pub(crate) init_containers: Vec<Json<'a>>,
    /// Of the container of the step.
    pub(crate) mounts: Vec<Json<'a>>,
    /// Of the container of the step.
    pub(crate) variables: Vec<Json<'a>>,
}

impl<'a> Parts<'a> {
    /// The parts for one container of a pod.
    pub(crate) fn of(pod: &Pod<'a>, container: &Container<'a>, injection: &Injection<'a>) -> Self {
        let (step, network) = (injection.step, &injection.network);
        let agent = Json::object([
            ("name", Some(AGENT_VOLUME.into())),
            ("emptyDir", Some(Json::object([("sizeLimit", Some("64Mi".into()))]))),
        ]);
        let mut parts = Parts {
            volumes: vec![agent],
            init_containers: vec![install_container(pod, container, injection)],
            mounts: vec![agent_mount(true)],
            variables: placeholders(pod, step.placeholders()),
        };
        parts.variables.extend(step.input_wait.map(|_| {
            let annotation = format!("metadata.annotations['{INPUT_WAIT_REMAINING_ANNOTATION}']");
            field(env::INPUT_WAIT_REMAINING, annotation)
        }));
        if let Some(credentials) = &injection.credentials {
            parts.volumes.push(credentials.volume(!step.inputs.is_empty(), !step.outputs.is_empty()));
            let placeholders = placeholders(pod, step.placeholders_of_uris());
            parts.init_containers.push(proxy_container(pod, container, injection, placeholders));
        } else {
            parts.variables.extend(network.variables());
            parts.mounts.extend(network.authority.as_ref().map(|_| Authority::mount()));
        }
        parts.volumes.extend(network.authority.as_ref().map(Authority::volume));
        parts
    }

    /// Whether an init container of this name is added.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.init_containers.iter().any(|part| part.name() == Some(name))
    }
}

/// Variables from the downward API for those placeholders that occur. A new pod has the labels that
/// they need, or is refused. A copy of a rewritten pod may have lost them: `kubectl debug` removes
/// labels, and keeps annotations.
fn placeholders<'a>(pod: &Pod<'_>, wanted: Placeholders) -> Vec<Json<'a>> {
    [Placeholder::Pod, Placeholder::Namespace, Placeholder::Job, Placeholder::Index]
        .into_iter()
        .filter(|placeholder| wanted.contains(*placeholder))
        .map(|placeholder| {
            let in_map = |(map, key): (&str, &str)| format!("{map}['{key}']");
            let path = match placeholder {
                Placeholder::Pod => "metadata.name".to_owned(),
                Placeholder::Namespace => "metadata.namespace".to_owned(),
                Placeholder::Job => in_map((
                    "metadata.labels",
                    step_container::job_label(pod).unwrap_or(well_known::JOB_NAME),
                )),
                Placeholder::Index => in_map(
                    step_container::index_field(pod).unwrap_or(("metadata.labels", well_known::POD_INDEX)),
                ),
            };
            field(placeholder.variable(), path)
        })
        .collect()
}

/// A variable with the value of a field of the pod.
fn field<'a>(name: &'static str, path: String) -> Json<'a> {
    let field = Json::object([("fieldPath", Some(path.into()))]);
    Json::object([
        ("name", Some(name.into())),
        ("valueFrom", Some(Json::object([("fieldRef", Some(field))]))),
    ])
}
