//! The field walk: every field of a spec is changed on a live cache, and changed back. Each time the
//! cache ends up as a fresh cache with that spec would be, or admission refuses the change.
//!
//! The fields come from the schema of the CRD: a field without a line in [`lines`] fails the test.

mod access;
mod artifacts;
mod line;
mod pods;
mod storage;

use crate::reviewing;
use crate::reviewing::decided;
use crate::world;
use crate::world::World;
use kube::CustomResourceExt;
use line::Line;
use orascache_api::orascache::OrasCache;
use orascache_contract::{Context, Response};
use orascache_core::admission;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Fields whose content is a type of Kubernetes: one line stands for all of it.
const OF_KUBERNETES: [&str; 3] = ["affinity", "resources", "taskResources"];

/// Children that outlive the fields that made them: artifacts, the secret with which uploads under
/// way are signed, and the Service to which running steps were sent.
const KEPT: [&str; 3] =
    ["PersistentVolumeClaim/demo-data", "Secret/demo-http-secret", "Service/demo-registry"];

/// One line or more for each field of the spec.
fn lines() -> Vec<Line> {
    [access::lines(), artifacts::lines(), pods::lines(), storage::lines()].into_iter().flatten().collect()
}

#[test]
fn every_field_of_the_crd_has_a_line() {
    let crd = serde_json::to_value(OrasCache::crd()).unwrap();
    let mut fields = BTreeSet::new();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    collect(schema, "", &mut fields);
    let lines: BTreeSet<String> = lines().iter().map(|line| line.field.to_owned()).collect();
    let missing: Vec<_> = fields.difference(&lines).collect();
    assert!(missing.is_empty(), "these fields need a line in the walk: {missing:?}");
    let unknown: Vec<_> = lines.difference(&fields).collect();
    assert!(unknown.is_empty(), "the CRD does not have these fields: {unknown:?}");
}

/// Paths of the fields that have no fields of their own. Items of lists belong to their list.
fn collect(schema: &Value, path: &str, fields: &mut BTreeSet<String>) {
    match schema["properties"].as_object() {
        Some(members) if !OF_KUBERNETES.contains(&path) => {
            for (name, member) in members {
                let dot = if path.is_empty() { "" } else { "." };
                collect(member, &format!("{path}{dot}{name}"), fields);
            }
        }
        _ => {
            fields.insert(path.to_owned());
        }
    }
}

#[test]
fn every_line_changes_its_field() {
    for line in lines() {
        let pointer = format!("/{}", line.field.replace('.', "/"));
        assert_ne!(line.before.pointer(&pointer), line.after.pointer(&pointer), "{}", line.field);
    }
}

#[test]
fn every_change_of_a_live_cache_converges_or_is_refused() {
    for line in lines() {
        let mut world = settled(&line.before);
        let [there, back] = line.refused;
        walk(&mut world, &line.before, &line.after, there, line.field);
        if there.is_some() {
            world = settled(&line.after);
        }
        walk(&mut world, &line.after, &line.before, back, line.field);
    }
}

/// Changes the spec of a live cache, unless admission refuses that.
fn walk(world: &mut World, old: &Value, new: &Value, refused: Option<&str>, field: &str) {
    let response = review(world, old, new);
    let message = response.refusal().map(|refusal| refusal.message.clone());
    match (refused, message) {
        (None, None) => {}
        (Some(wanted), Some(message)) => {
            assert!(message.contains(wanted), "{field}, from {old} to {new}: {message}");
            return;
        }
        (wanted, found) => panic!("{field}, from {old} to {new}: {found:?} instead of {wanted:?}"),
    }
    let live = world.children.clone();
    world.edit(|spec| *spec = new.clone());
    world.settle();
    if new["suspend"] == true {
        assert_eq!(world.children, live, "{field}, from {old} to {new}: nothing may change");
        return;
    }
    let fresh = settled(new);
    let mut children = comparable(world);
    for (key, child) in comparable(&fresh) {
        let walked = children.remove(&key);
        assert_eq!(walked.as_ref(), Some(&child), "{field}, from {old} to {new}: {key}");
    }
    children.retain(|key, _| !KEPT.contains(&key.as_str()));
    assert!(children.is_empty(), "{field}, from {old} to {new}: {:?} is left", children.keys());
    assert_eq!(status(world), status(&fresh), "{field}, from {old} to {new}");
}

fn review(world: &World, old: &Value, new: &Value) -> Response {
    let with = |spec: &Value| {
        let mut cache = world.cache.clone();
        cache["spec"] = spec.clone();
        cache
    };
    let review = reviewing::wrap(&with(new), Some(&with(old)));
    decided(admission::review(&review, &Context::<String>::default()).expect("a review"))
}

/// A cache with this spec that has everything it asks for.
fn settled(spec: &Value) -> World {
    let mut world = World::new(spec.clone());
    world.related.push(world::secret("mysecret"));
    world.related.push(world::claim("scratch", "ReadWriteMany"));
    world.settle();
    world
}

/// The children without what tells one object from another of the same content.
fn comparable(world: &World) -> BTreeMap<String, Value> {
    let mut children = world.children.clone();
    for child in children.values_mut() {
        let metadata = child["metadata"].as_object_mut().unwrap();
        if metadata.get("ownerReferences") == Some(&json!([])) {
            // A claim that was released is patched from then on, and its digest is of what was applied.
            metadata["annotations"]
                .as_object_mut()
                .unwrap()
                .remove("cache.converged-computing.github.io/applied-hash");
        }
        metadata.remove("uid");
        metadata.remove("resourceVersion");
        metadata.remove("generation");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("cache.converged-computing.github.io/applied-generation");
        }
        if let Some(status) = child.get_mut("status").and_then(Value::as_object_mut) {
            status.remove("observedGeneration");
        }
    }
    children
}

/// The status without times and generations.
fn status(world: &World) -> Value {
    let mut status = world.cache["status"].clone();
    status.as_object_mut().unwrap().remove("observedGeneration");
    for condition in status["conditions"].as_array_mut().unwrap() {
        let condition = condition.as_object_mut().unwrap();
        condition.remove("lastTransitionTime");
        condition.remove("observedGeneration");
    }
    status
}
