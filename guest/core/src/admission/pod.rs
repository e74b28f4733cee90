//! A pod, or a Job's template of one, as far as the rewriting looks at it.

use super::findings::Findings;
use crate::json::Json;
use orascache_api::steps::well_known;

/// Where a pod stands in the reviewed object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stands {
    /// The object is a pod.
    Itself,
    /// The object is a Job.
    InTemplate,
}

/// A borrowed pod.
#[derive(Debug)]
pub(crate) struct Pod<'a> {
    pub(crate) stands: Stands,
    pub(crate) metadata: Option<&'a Json<'a>>,
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

/// A member that is there: null counts as absent.
pub(crate) fn member<'a>(object: &'a Json<'a>, name: &str) -> Option<&'a Json<'a>> {
    object.member(name)
}

/// The items of a member that is a list, none where it is absent.
pub(crate) fn items<'a>(object: &'a Json<'a>, name: &str) -> &'a [Json<'a>] {
    object.get(name).and_then(Json::as_array).unwrap_or_default()
}

/// A member of a member.
pub(crate) fn member_of<'a>(object: &'a Json<'a>, first: &str, second: &str) -> Option<&'a Json<'a>> {
    member(member(object, first)?, second)
}

/// The name of a list item.
pub(crate) fn name_of<'a>(item: &'a Json<'a>) -> Option<&'a str> {
    item.get("name").and_then(Json::as_str)
}

impl<'a> Pod<'a> {
    /// Reads a pod. The API server sends well-typed objects; others do not, and are told so.
    pub(crate) fn read(owner: &'a Json<'a>, stands: Stands, findings: &mut Findings) -> Option<Pod<'a>> {
        let base = stands.field();
        let Some(spec @ Json::Object(_)) = member(owner, "spec") else {
            findings.refuse("% must be an object", &[base]);
            return None;
        };
        let before = findings.problems.len();
        let containers = containers_of(spec, base, "containers", findings);
        let init_containers = containers_of(spec, base, "initContainers", findings);
        named_items(spec, &[base, ".volumes"].concat(), "volumes", findings);
        for (list, all) in [("containers", &containers), ("initContainers", &init_containers)] {
            for container in all {
                let at = [base, ".", list, "[", &container.index.to_string(), "]"].concat();
                check_container(container, &at, findings);
            }
        }
        (findings.problems.len() == before).then(|| Pod {
            stands,
            metadata: member(owner, "metadata"),
            spec,
            containers,
            init_containers,
        })
    }

    pub(crate) fn annotations(&self) -> Option<&'a Json<'a>> {
        member(self.metadata?, "annotations")
    }

    pub(crate) fn annotation(&self, name: &str) -> Option<&'a str> {
        self.annotations()?.get(name)?.as_str()
    }

    pub(crate) fn has_label(&self, name: &str) -> bool {
        self.metadata.and_then(|metadata| member_of(metadata, "labels", name)).is_some()
    }

    /// The container that the pod itself calls the one that people mean.
    pub(crate) fn default_container(&self) -> Option<&'a str> {
        self.annotation(well_known::DEFAULT_CONTAINER)
    }

    /// Containers and init containers.
    pub(crate) fn all_containers(&self) -> impl Iterator<Item = &Container<'a>> {
        self.containers.iter().chain(&self.init_containers)
    }

    pub(crate) fn container(&self, name: &str) -> Option<&Container<'a>> {
        self.containers.iter().find(|container| container.name == name)
    }
}

impl<'a> Container<'a> {
    /// The command's words; none where the image's entrypoint is meant.
    pub(crate) fn command(&self) -> &'a [Json<'a>] {
        items(self.tree, "command")
    }

    pub(crate) fn security(&self, name: &str) -> Option<&'a Json<'a>> {
        member_of(self.tree, "securityContext", name)
    }

    /// A quantity as it is written, for example of `limits` and `cpu`.
    pub(crate) fn resource(&self, bound: &str, name: &str) -> Option<&'a Json<'a>> {
        member(member_of(self.tree, "resources", bound)?, name)
    }
}

impl Stands {
    /// Path of the pod's spec, for messages.
    pub(crate) fn field(self) -> &'static str {
        match self {
            Stands::Itself => "spec",
            Stands::InTemplate => "spec.template.spec",
        }
    }
}

fn containers_of<'a>(
    spec: &'a Json<'a>,
    base: &str,
    list: &'static str,
    findings: &mut Findings,
) -> Vec<Container<'a>> {
    let mut found = Vec::new();
    for (index, tree) in named_items(spec, &[base, ".", list].concat(), list, findings).iter().enumerate() {
        if let Some(name) = name_of(tree) {
            found.push(Container { index, name, tree });
        }
    }
    found
}

/// Items of a list whose items have names; what is not like that is reported.
fn named_items<'a>(object: &'a Json<'a>, at: &str, list: &str, findings: &mut Findings) -> &'a [Json<'a>] {
    let items: &[_] = match member(object, list) {
        None => &[],
        Some(Json::Array(items)) => items,
        Some(other) => {
            findings.refuse("% must be a list, not %", &[at, other.type_name()]);
            &[]
        }
    };
    for (index, item) in items.iter().enumerate() {
        if name_of(item).is_none() {
            findings.refuse("%[%] must be an object with a name", &[at, &index.to_string()]);
        }
    }
    items
}

fn check_container(container: &Container<'_>, at: &str, findings: &mut Findings) {
    for list in ["command", "args"] {
        match member(container.tree, list) {
            None => {}
            Some(Json::Array(words)) if words.iter().all(|word| word.as_str().is_some()) => {}
            Some(_) => findings.refuse("%.% must be a list of strings", &[at, list]),
        }
    }
    named_items(container.tree, &[at, ".env"].concat(), "env", findings);
    named_items(container.tree, &[at, ".volumeMounts"].concat(), "volumeMounts", findings);
}
