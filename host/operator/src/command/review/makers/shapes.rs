//! Finds what a controller makes pods of by its shape, in objects of any kind: a pod template has
//! `spec.containers`, the template of a Job has `spec.template.spec.containers`.

use serde_json::Value;

/// What is made of a part of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Pods: it is a pod template.
    Pod,
    /// Jobs: it is the template of a Job.
    Job,
    /// It is an object with a kind of its own, which is applied as it is.
    Object,
}

/// Such a part.
#[derive(Debug)]
pub(super) struct Shape<'a> {
    pub(super) pointer: String,
    pub(super) form: Form,
    pub(super) node: &'a Value,
}

/// How deep is looked. No kind in use comes near.
const MAX_DEPTH: usize = 32;

/// All parts of an object of which something is made.
pub(super) fn find(object: &Value) -> Vec<Shape<'_>> {
    let mut found = Vec::new();
    for (name, member) in object.as_object().into_iter().flatten() {
        // The object's own metadata and status are not what it asks for.
        if !matches!(name.as_str(), "metadata" | "status") {
            walk(member, &below("", name), MAX_DEPTH, &mut found);
        }
    }
    found
}

fn walk<'a>(node: &'a Value, pointer: &str, depth: usize, found: &mut Vec<Shape<'a>>) {
    if depth == 0 {
        return;
    }
    if let Some(form) = form_of(node, pointer) {
        // A spec with containers in an object's own place is that of no template.
        found.push(Shape { pointer: pointer.to_owned(), form, node });
        return;
    }
    match node {
        Value::Object(members) => {
            for (name, member) in members {
                walk(member, &below(pointer, name), depth - 1, found);
            }
        }
        Value::Array(items) => {
            for (position, item) in items.iter().enumerate() {
                walk(item, &below(pointer, &position.to_string()), depth - 1, found);
            }
        }
        _ => {}
    }
}

fn form_of(node: &Value, pointer: &str) -> Option<Form> {
    let is_text = |name: &str| node.get(name).is_some_and(Value::is_string);
    if is_text("apiVersion") && is_text("kind") && node.get("metadata").is_some() {
        return Some(Form::Object);
    }
    if is_place_of_jobs(pointer) && node.pointer("/spec/template").is_some_and(is_pod_template) {
        return Some(Form::Job);
    }
    is_pod_template(node).then_some(Form::Pod)
}

fn is_pod_template(node: &Value) -> bool {
    let containers = node.pointer("/spec/containers").and_then(Value::as_array);
    containers.is_some_and(|containers| !containers.is_empty() && containers.iter().all(Value::is_object))
}

/// Where CronJobs and JobSets have templates of Jobs.
fn is_place_of_jobs(pointer: &str) -> bool {
    let mut names = pointer.rsplit('/');
    match names.next() {
        Some("jobTemplate") => true,
        Some("template") => names.nth(1) == Some("replicatedJobs"),
        _ => false,
    }
}

fn below(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}
