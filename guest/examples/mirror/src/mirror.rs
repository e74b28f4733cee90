//! Which copies there should be, and what differs from that. Pure: the same input gives the same plan.

use crate::CONFIG_MAP;
use orascache_guest_sdk::{Child, Error, Event, Object, Observed, Plan, Severity, json, parse};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What users write, beside the metadata.
#[derive(Deserialize)]
struct Mirror {
    spec: Spec,
    #[serde(default)]
    status: Option<Status>,
}

#[derive(Deserialize)]
struct Spec {
    #[serde(default)]
    sources: BTreeSet<String>,
    /// The CRD has a default.
    prefix: String,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_generation: Option<i64>,
    /// Sources that have a copy.
    copies: usize,
    /// Sources that do not exist. A copy that was made of one stays until the source leaves the list.
    missing: Vec<String>,
    /// Names of copies that other objects have.
    taken: Vec<String>,
    /// Writes that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failures: Vec<String>,
}

/// What to do about one mirror.
///
/// # Errors
/// When an object is not what its kind promises; the sentence says which.
pub(crate) fn reconcile(observed: &Observed<String>) -> Result<Plan, Error> {
    let primary = Object::parse("the ConfigMapMirror", &observed.primary)?;
    let mirror: Mirror = parse("the ConfigMapMirror", &observed.primary)?;
    let mut plan = Plan::default();
    if primary.is_being_deleted() {
        // The garbage collector deletes the copies. Making them anew would delay it.
        return Ok(plan);
    }
    let copies = Object::parse_all("owned ConfigMap", &observed.owned)?;
    let others = Object::parse_all("related ConfigMap", &observed.related)?;
    let others: BTreeMap<&str, &Object> = others.iter().map(|object| (object.name(), object)).collect();
    let mut status = Status {
        observed_generation: primary["metadata"]["generation"].as_i64(),
        failures: observed.failures.iter().map(|failure| failure.message.clone()).collect(),
        ..Status::default()
    };
    let mut wanted = BTreeSet::new();
    for source in &mirror.spec.sources {
        let name = format!("{}{source}", mirror.spec.prefix);
        match others.get(source.as_str()) {
            None => status.missing.push(source.clone()),
            Some(_) if others.contains_key(name.as_str()) => status.taken.push(name.clone()),
            Some(original) => {
                status.copies += usize::from(copies.iter().any(|copy| copy.name() == name));
                copy_of(original, &primary, &name).apply_unless_current(&copies, &mut plan);
            }
        }
        wanted.insert(name);
    }
    // What a plan leaves out stays: copies that are no longer wanted have to be named.
    for copy in copies.iter().filter(|copy| !wanted.contains(copy.name()) && !copy.is_being_deleted()) {
        plan.delete.push(copy.reference(&CONFIG_MAP));
    }
    let before = mirror.status.unwrap_or_default();
    for name in status.taken.iter().filter(|name| !before.taken.contains(name)) {
        plan.events.push(name_taken(name));
    }
    plan.status = primary.with_status(&json!(status));
    Ok(plan)
}

/// A copy of a ConfigMap. `immutable` is not copied: a copy must be able to follow a source that was made anew.
fn copy_of(original: &Object, primary: &Object, name: &str) -> Child {
    primary
        .child(&CONFIG_MAP, name)
        .with("data", original["data"].clone())
        .with("binaryData", original["binaryData"].clone())
}

fn name_taken(name: &str) -> Event {
    Event {
        severity: Severity::Warning,
        reason: "NameTaken".into(),
        action: "Copy".into(),
        note: format!(
            "ConfigMap {name} exists and is not a copy of this mirror: remove it, or set another spec.prefix."
        ),
    }
}

#[cfg(test)]
mod tests;
