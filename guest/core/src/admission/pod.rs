//! A pod, or a Job's template of one, as far as the injection reads it.

use crate::findings::Findings;
use crate::json::{Json, count_steps};
use orascache_api::steps::well_known;
use std::collections::BTreeMap;

/// Where a pod comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PodSource {
    /// The reviewed object is the pod.
    Pod,
    /// The reviewed object is a Job, and the pod its template.
    JobTemplate,
}

impl PodSource {
    /// Path of the pod's spec in the reviewed object, for messages.
    pub(crate) fn spec_path(self) -> &'static str {
        match self {
            PodSource::Pod => "spec",
            PodSource::JobTemplate => "spec.template.spec",
        }
    }
}

/// A borrowed pod.
#[derive(Debug)]
pub(crate) struct Pod<'a> {
    pub(crate) source: PodSource,
    metadata: Option<&'a Json<'a>>,
    pub(crate) spec: &'a Json<'a>,
    pub(crate) containers: Vec<Container<'a>>,
    pub(crate) init_containers: Vec<Container<'a>>,
}

/// One of its containers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Container<'a> {
    pub(crate) index: usize,
    pub(crate) name: &'a str,
    pub(crate) tree: &'a Json<'a>,
}

impl<'a> Pod<'a> {
    /// Reads a pod. The API server sends well-typed objects; other clients get a sentence about
    /// each wrong type.
    pub(crate) fn read(owner: &'a Json<'a>, source: PodSource, findings: &mut Findings) -> Option<Pod<'a>> {
        let path = source.spec_path();
        let Some(spec @ Json::Object(_)) = owner.member("spec") else {
            findings.refuse(format!("{path} must be an object"));
            return None;
        };
        let before = findings.problems.len();
        let containers = containers_of(spec, path, "containers", findings);
        let init_containers = containers_of(spec, path, "initContainers", findings);
        named_items(spec, path, "volumes", findings);
        for (list, all) in [("containers", &containers), ("initContainers", &init_containers)] {
            for container in all {
                check_types(container, &format!("{path}.{list}[{}]", container.index), findings);
            }
        }
        (findings.problems.len() == before).then(|| Pod {
            source,
            metadata: owner.member("metadata"),
            spec,
            containers,
            init_containers,
        })
    }

    pub(crate) fn annotations(&self) -> Option<&'a Json<'a>> {
        self.metadata?.member("annotations")
    }

    pub(crate) fn annotation(&self, key: &str) -> Option<&'a str> {
        self.annotations()?.get(key)?.as_str()
    }

    pub(crate) fn has_label(&self, key: &str) -> bool {
        self.metadata.and_then(|metadata| metadata.member_of("labels", key)).is_some()
    }

    /// Whether there is a map of labels.
    pub(crate) fn has_labels(&self) -> bool {
        self.labels().is_some()
    }

    pub(crate) fn label(&self, key: &str) -> Option<&'a str> {
        self.labels()?.get(key)?.as_str()
    }

    fn labels(&self) -> Option<&'a Json<'a>> {
        self.metadata?.member("labels")
    }

    /// The container that an annotation of the pod calls its main one.
    pub(crate) fn default_container(&self) -> Option<&'a str> {
        self.annotation(well_known::DEFAULT_CONTAINER)
    }

    /// Containers and init containers.
    pub(crate) fn all_containers(&self) -> impl Iterator<Item = &Container<'a>> {
        self.containers.iter().chain(&self.init_containers).inspect(|_| count_steps(1))
    }

    /// The containers by their names, to look up many of them.
    pub(crate) fn containers_by_name(&self) -> BTreeMap<&'a str, &Container<'a>> {
        let mut by_name = BTreeMap::new();
        by_name.extend(self.containers.iter().map(|container| (container.name, container)));
        by_name
    }

    pub(crate) fn container(&self, name: &str) -> Option<&Container<'a>> {
        self.containers.iter().find(|container| {
            count_steps(1);
            container.name == name
        })
    }
}

impl<'a> Container<'a> {
    /// The command's words; empty where the image's entrypoint runs.
    pub(crate) fn command(&self) -> &'a [Json<'a>] {
        self.tree.items("command")
    }

    /// The image; empty where none is written.
    pub(crate) fn image(&self) -> &'a str {
        self.tree.member("image").and_then(Json::as_str).unwrap_or_default()
    }

    /// A member of the security context.
    pub(crate) fn security(&self, name: &str) -> Option<&'a Json<'a>> {
        self.tree.member_of("securityContext", name)
    }

    /// A quantity as it is written. `kind` is `requests` or `limits`, `name` as in `cpu`.
    pub(crate) fn resource(&self, kind: &str, name: &str) -> Option<&'a Json<'a>> {
        self.tree.member_of("resources", kind)?.member(name)
    }
}

fn containers_of<'a>(
    spec: &'a Json<'a>,
    path: &str,
    list: &'static str,
    findings: &mut Findings,
) -> Vec<Container<'a>> {
    let items = named_items(spec, path, list, findings).iter().enumerate();
    items.filter_map(|(index, tree)| Some(Container { index, name: tree.name()?, tree })).collect()
}

/// Items of a list whose items have names. Reports everything that is not so.
fn named_items<'a>(object: &'a Json<'a>, path: &str, list: &str, findings: &mut Findings) -> &'a [Json<'a>] {
    let items: &[_] = match object.member(list) {
        None => &[],
        Some(Json::Array(items)) => items,
        Some(other) => {
            findings.refuse(format!("{path}.{list} must be a list, not {}", other.type_name()));
            &[]
        }
    };
    for (index, item) in items.iter().enumerate() {
        if item.name().is_none() {
            findings.refuse(format!("{path}.{list}[{index}] must be an object with a name"));
        }
    }
    items
}

fn check_types(container: &Container<'_>, path: &str, findings: &mut Findings) {
    for list in ["command", "args"] {
        match container.tree.member(list) {
            None => {}
            Some(Json::Array(words)) if words.iter().all(|word| word.as_str().is_some()) => {}
            Some(_) => findings.refuse(format!("{path}.{list} must be a list of strings")),
        }
    }
    named_items(container.tree, path, "env", findings);
    named_items(container.tree, path, "volumeMounts", findings);
}
