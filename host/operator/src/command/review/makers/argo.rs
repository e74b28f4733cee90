//! Workflows of Argo: a template of theirs is a container with what belongs to its pod, and no pod
//! template.

use super::{Made, Maker, object_at, path_of};
use orascache_api::steps::{ANNOTATION_PREFIX, annotation, well_known};
use serde_json::{Map, Value, json};

/// API group of Argo's kinds.
pub(super) const GROUP: &str = "argoproj.io";
/// The container of a template with one.
const MAIN: &str = "main";
/// What Argo puts in front of the command of each container.
const EXECUTOR: [&str; 3] = ["/var/run/argo/argoexec", "emissary", "--"];
/// What stands for a value that is known when the workflow runs.
const STAND_IN: &str = "x";

/// The pods of a workflow's templates. `spec` is a pointer to the workflow's spec.
pub(super) fn pods(maker: &Maker<'_>, spec: &str) -> Vec<Made> {
    let Some(workflow) = maker.object.pointer(spec) else { return Vec::new() };
    let templates = workflow.get("templates").and_then(Value::as_array);
    let templates = templates.into_iter().flatten().enumerate();
    templates
        .filter_map(|(position, template)| {
            let containers = containers(template)?;
            Some(pod(maker, workflow, template, containers, format!("{spec}/templates/{position}")))
        })
        .collect()
}

/// The containers of a template that runs a pod, and not a graph of others.
fn containers(template: &Value) -> Option<Vec<Value>> {
    let main = template.get("container").or_else(|| template.get("script"));
    let mut all = match main {
        Some(container) => vec![named(container, MAIN)],
        None => template.pointer("/containerSet/containers")?.as_array()?.clone(),
    };
    all.extend(template.get("sidecars").and_then(Value::as_array).into_iter().flatten().cloned());
    for container in &mut all {
        if let Some(members) = container.as_object_mut() {
            let own = members.get("command").and_then(Value::as_array).cloned().unwrap_or_default();
            // Argo looks up what an image starts.
            let own = if own.is_empty() { vec![json!(STAND_IN)] } else { own };
            let words = EXECUTOR.iter().map(|word| json!(word)).chain(own).collect();
            members.insert("command".to_owned(), Value::Array(words));
            members.remove("source");
        }
    }
    Some(all)
}

fn named(container: &Value, name: &str) -> Value {
    let mut container = container.clone();
    if let Some(members) = container.as_object_mut() {
        members.insert("name".to_owned(), name.into());
    }
    container
}

fn pod(
    maker: &Maker<'_>,
    workflow: &Value,
    template: &Value,
    containers: Vec<Value>,
    pointer: String,
) -> Made {
    let name = |container: &Value| container.get("name").and_then(Value::as_str).map(str::to_owned);
    let names: Vec<String> = containers.iter().filter_map(name).collect();
    let main = names.iter().find(|name| *name == MAIN).or(names.last()).cloned().unwrap_or_default();

    let mut all = vec![json!({"name": "wait", "image": "argoexec", "command": ["argoexec", "wait"]})];
    all.extend(containers);
    let mut spec = json!({"restartPolicy": "Never", "containers": all});
    if let Some(members) = spec.as_object_mut() {
        // A template's own value counts before the workflow's.
        for field in ["securityContext", "hostNetwork", "dnsPolicy", "dnsConfig", "nodeSelector"] {
            if let Some(value) = template.get(field).or_else(|| workflow.get(field)) {
                members.insert(field.to_owned(), value.clone());
            }
        }
        let volumes = [workflow, template].into_iter().filter_map(|owner| owner.get("volumes")?.as_array());
        let volumes: Vec<Value> = volumes.flatten().cloned().collect();
        if !volumes.is_empty() {
            members.insert("volumes".to_owned(), volumes.into());
        }
        if let Some(containers) = template.get("initContainers") {
            members.insert("initContainers".to_owned(), containers.clone());
        }
    }

    let mut metadata = json!({"annotations": {well_known::DEFAULT_CONTAINER: main}});
    for (owner, field) in [(workflow, "podMetadata"), (template, "metadata")] {
        for map in ["labels", "annotations"] {
            let given = owner.get(field).and_then(|metadata| metadata.get(map)).and_then(Value::as_object);
            if let (Some(given), Some(all)) = (given, object_at(&mut metadata, map)) {
                all.extend(given.clone());
            }
        }
    }
    let unknown = fill_in(&mut metadata);
    let object = maker.pod(&json!({"metadata": metadata, "spec": spec}));
    let annotations = format!("{}.metadata.annotations", path_of(&pointer));
    Made { pointer, annotations, object, unknown }
}

/// Puts a stand-in into step annotations with values that Argo knows when the workflow runs. Says
/// why nothing can be decided where a cache is named by such a value.
fn fill_in(metadata: &mut Value) -> Option<String> {
    let annotations: &mut Map<String, Value> = object_at(metadata, "annotations")?;
    let cache = format!("{ANNOTATION_PREFIX}{}", annotation::CACHE);
    let mut unknown = None;
    for (key, value) in annotations.iter_mut().filter(|(key, _)| key.starts_with(ANNOTATION_PREFIX)) {
        let Some(text) = value.as_str() else { continue };
        let Some(filled) = without_placeholders(text) else { continue };
        if *key == cache {
            unknown = Some(format!(
                "{key} is {text}, which is known when the workflow runs: review a pod of the workflow"
            ));
        }
        *value = filled.into();
    }
    unknown
}

/// The text with stand-ins; `None` where it has no placeholders.
fn without_placeholders(text: &str) -> Option<String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("{{") {
        filled.push_str(before);
        filled.push_str(STAND_IN);
        rest = behind.split_once("}}").map_or("", |(_, rest)| rest);
    }
    if filled.is_empty() {
        return None;
    }
    filled.push_str(rest);
    Some(filled)
}
