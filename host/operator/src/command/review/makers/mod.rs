//! Objects of which a controller makes pods: CronJobs, Deployments, JobSets, workflows.
//!
//! Decisions are made about pods and Jobs. So what is reviewed here is what the controller would
//! send to the API server: the Pod or the Job, with the labels and annotations that it adds as far
//! as decisions depend on them. `shapes` finds pod templates in any object; `argo`, `flux` and
//! `tekton` know kinds that have none; `additions` knows what certain controllers add to a template.

mod additions;
mod argo;
mod flux;
mod shapes;
mod tekton;

use serde_json::{Map, Value, json};
use shapes::Form;

/// A UID for objects that no API server has given one.
pub(super) const NO_UID: &str = "00000000-0000-0000-0000-000000000000";

/// A Pod or a Job that a controller would create.
#[derive(Debug)]
pub(super) struct Made {
    /// JSON pointer to what it is made of.
    pub(super) pointer: String,
    /// Path of the annotations that reach its pod.
    pub(super) annotations: String,
    /// The object.
    pub(super) object: Value,
    /// Why it cannot be reviewed, where it depends on what is known later only.
    pub(super) unknown: Option<String>,
}

/// The object of which something is made.
struct Maker<'a> {
    object: &'a Value,
    api_version: &'a str,
    kind: &'a str,
    name: &'a str,
}

/// Everything that a controller would make of an object. Empty for an object in which no pod
/// template is found.
pub(super) fn made_by(object: &Value) -> Vec<Made> {
    let maker = Maker::of(object);
    match (maker.group(), maker.kind) {
        (argo::GROUP, "Workflow" | "WorkflowTemplate" | "ClusterWorkflowTemplate") => {
            argo::pods(&maker, "/spec")
        }
        (argo::GROUP, "CronWorkflow") => argo::pods(&maker, "/spec/workflowSpec"),
        (flux::GROUP, "MiniCluster") => flux::job(&maker).into_iter().collect(),
        (group, kind) if tekton::hands_on_annotations(group, kind) => tekton::pods(&maker),
        _ => shapes::find(object).into_iter().flat_map(|shape| maker.make(shape)).collect(),
    }
}

/// Whether the annotations of an object itself reach the pods that are made of it.
pub(super) fn hands_on_annotations(object: &Value) -> bool {
    let maker = Maker::of(object);
    tekton::hands_on_annotations(maker.group(), maker.kind)
}

/// The pod that the Job controller would make.
pub(super) fn pod_of_job(job: &Value) -> Option<Made> {
    let pointer = "/spec/template";
    let maker = Maker::of(job);
    let mut pod = maker.pod(job.pointer(pointer)?);
    additions::of_job(&maker, &mut pod);
    Some(Made::of(pointer.to_owned(), pod))
}

/// The path of what a JSON pointer names, as people write it: `spec.template`.
pub(super) fn path_of(pointer: &str) -> String {
    let mut path = String::new();
    for name in pointer.split('/').skip(1) {
        if name.bytes().all(|byte| byte.is_ascii_digit()) {
            path.push_str(&format!("[{name}]"));
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&name.replace("~1", "/").replace("~0", "~"));
        }
    }
    path
}

impl Made {
    /// Made of a template whose annotations reach the pod.
    fn of(pointer: String, object: Value) -> Self {
        let annotations = format!("{}.metadata.annotations", path_of(&pointer));
        Made { pointer, annotations, object, unknown: None }
    }
}

impl<'a> Maker<'a> {
    fn of(object: &'a Value) -> Self {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        Self {
            object,
            api_version: text("/apiVersion").unwrap_or_default(),
            kind: text("/kind").unwrap_or_default(),
            name: text("/metadata/name").or_else(|| text("/metadata/generateName")).unwrap_or("unnamed"),
        }
    }

    fn group(&self) -> &'a str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    fn make(&self, shape: shapes::Shape<'_>) -> Vec<Made> {
        match shape.form {
            Form::Pod => {
                let mut pod = self.pod(shape.node);
                additions::of_pod(self, &shape.pointer, &mut pod);
                if additions::is_run_by_a_job(self, &shape.pointer) {
                    pod = self.job_of_pod(pod);
                }
                vec![Made::of(shape.pointer, pod)]
            }
            Form::Job => vec![Made::of(shape.pointer, self.job(shape.node))],
            Form::Object => {
                let inner = self.in_namespace(shape.node.clone());
                if matches!(inner.get("kind").and_then(Value::as_str), Some("Pod" | "Job")) {
                    return vec![Made::of(shape.pointer, inner)];
                }
                let mut below = made_by(&inner);
                for made in &mut below {
                    made.annotations = format!("{}.{}", path_of(&shape.pointer), made.annotations);
                    made.pointer.insert_str(0, &shape.pointer);
                }
                below
            }
        }
    }

    /// A pod of a template.
    fn pod(&self, template: &Value) -> Value {
        let spec = template.get("spec").cloned().unwrap_or_default();
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": self.metadata(template), "spec": spec})
    }

    /// A Job of a Job's template.
    fn job(&self, template: &Value) -> Value {
        let spec = template.get("spec").cloned().unwrap_or_default();
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": self.metadata(template), "spec": spec})
    }

    /// A Job that runs a pod, for controllers that do not make the pod themselves.
    fn job_of_pod(&self, mut pod: Value) -> Value {
        let mut template = json!({"spec": pod.get_mut("spec").map(Value::take)});
        let mut metadata = pod.get_mut("metadata").map(Value::take).unwrap_or_default();
        if let (Some(metadata), Some(members)) = (metadata.as_object_mut(), template.as_object_mut()) {
            metadata.retain(|field, _| matches!(field.as_str(), "labels" | "annotations"));
            members.insert("metadata".to_owned(), Value::Object(metadata.clone()));
        }
        self.job(&json!({"spec": {"template": template}}))
    }

    /// The metadata of a template, completed by that of an object which this one controls.
    fn metadata(&self, template: &Value) -> Value {
        let mut metadata =
            template.get("metadata").and_then(Value::as_object).cloned().unwrap_or_else(Map::new);
        metadata.retain(|field, _| matches!(field.as_str(), "labels" | "annotations" | "finalizers"));
        metadata.insert("generateName".to_owned(), format!("{}-", self.name.trim_end_matches('-')).into());
        let owner = json!({
            "apiVersion": self.api_version, "kind": self.kind, "name": self.name,
            "uid": NO_UID, "controller": true,
        });
        metadata.insert("ownerReferences".to_owned(), json!([owner]));
        if let Some(namespace) = self.object.pointer("/metadata/namespace") {
            metadata.insert("namespace".to_owned(), namespace.clone());
        }
        Value::Object(metadata)
    }

    /// An object within this one, which is created in the same namespace if it names none.
    fn in_namespace(&self, mut object: Value) -> Value {
        let namespace = self.object.pointer("/metadata/namespace").cloned();
        let metadata = object.get_mut("metadata").and_then(Value::as_object_mut);
        if let (Some(metadata), Some(namespace)) = (metadata, namespace) {
            metadata.entry("namespace").or_insert(namespace);
        }
        object
    }
}

/// The member of an object under a name, which is made an object if it is none.
fn object_at<'v>(owner: &'v mut Value, name: &str) -> Option<&'v mut Map<String, Value>> {
    let place = owner.as_object_mut()?.entry(name).or_insert_with(|| json!({}));
    if !place.is_object() {
        *place = json!({});
    }
    place.as_object_mut()
}

#[cfg(test)]
mod tests;
