//! Which copies there should be, and what differs from that. Pure: the same input gives the same plan.

use crate::bindings::exports::orascache::operator::reconciler::{Observed, Plan};
use crate::bindings::exports::orascache::operator::types::{Event, ObjectRef, Severity};
use crate::kind;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// On every copy: a digest of what was applied, so that a key which leaves the source leaves the copy too.
const APPLIED: &str = "lab.example.com/applied";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mirror {
    api_version: String,
    kind: String,
    metadata: Metadata,
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

#[derive(Deserialize)]
struct ConfigMap {
    metadata: Metadata,
    #[serde(flatten)]
    content: Content,
}

/// What is copied. `immutable` is not: a copy must be able to follow a source that was made anew.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    #[serde(default)]
    data: BTreeMap<String, String>,
    #[serde(default)]
    binary_data: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    namespace: Option<String>,
    uid: String,
    generation: Option<i64>,
    deletion_timestamp: Option<String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_generation: Option<i64>,
    /// Sources that have a copy.
    copies: usize,
    /// Sources that do not exist. A copy that was made of one stays until the source leaves the list.
    missing: Vec<String>,
    /// Names of copies that objects of somebody else have.
    taken: Vec<String>,
    /// Writes that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failures: Vec<String>,
}

/// What to do about one mirror.
///
/// # Errors
/// A sentence when an object is not what its kind promises.
pub(crate) fn reconcile(observed: &Observed) -> Result<Plan, String> {
    let mirror: Mirror = parse("the ConfigMapMirror", &observed.primary)?;
    let mut plan = Plan {
        generate: Vec::new(),
        apply: Vec::new(),
        delete: Vec::new(),
        status: None,
        events: Vec::new(),
        requeue_after: None,
    };
    if mirror.metadata.deletion_timestamp.is_some() {
        // Garbage collection takes the copies; making them anew would hold it up.
        return Ok(plan);
    }
    let copies = by_name(&observed.owned)?;
    let others = by_name(&observed.related)?;
    let mut status = Status {
        observed_generation: mirror.metadata.generation,
        failures: observed.failures.iter().map(|failure| failure.message.clone()).collect(),
        ..Status::default()
    };
    let mut wanted = BTreeSet::new();
    for source in &mirror.spec.sources {
        let name = format!("{}{source}", mirror.spec.prefix);
        match others.get(source) {
            None => status.missing.push(source.clone()),
            Some(_) if others.contains_key(&name) => status.taken.push(name.clone()),
            Some(original) => {
                let (copy, digest) = (copies.get(&name), digest(&original.content));
                status.copies += usize::from(copy.is_some());
                if !copy.is_some_and(|copy| is_current(copy, original, &digest)) {
                    plan.apply.push(mirror.copy(original, &name, &digest));
                }
            }
        }
        wanted.insert(name);
    }
    // Omission deletes nothing: what nobody wants any more has to be named.
    let unwanted = copies.values().filter(|copy| !wanted.contains(&copy.metadata.name));
    for copy in unwanted.filter(|copy| copy.metadata.deletion_timestamp.is_none()) {
        plan.delete.push(ObjectRef {
            kind: kind("v1", "ConfigMap", "configmaps"),
            namespace: copy.metadata.namespace.clone(),
            name: copy.metadata.name.clone(),
            uid: Some(copy.metadata.uid.clone()),
        });
    }
    let before = mirror.status.as_ref();
    for name in &status.taken {
        // Once, not at every look.
        if !before.is_some_and(|before| before.taken.contains(name)) {
            plan.events.push(name_taken(name));
        }
    }
    if before != Some(&status) {
        plan.status = Some(mirror.with_status(&status));
    }
    Ok(plan)
}

impl Mirror {
    fn copy(&self, original: &ConfigMap, name: &str, digest: &str) -> String {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": name,
                "namespace": self.metadata.namespace,
                "annotations": {APPLIED: digest},
                // The host never touches an object that its primary does not control.
                "ownerReferences": [{
                    "apiVersion": self.api_version, "kind": self.kind, "name": self.metadata.name,
                    "uid": self.metadata.uid, "controller": true,
                }],
            },
            "data": original.content.data,
            "binaryData": original.content.binary_data,
        })
        .to_string()
    }

    fn with_status(&self, status: &Status) -> String {
        json!({
            "apiVersion": self.api_version, "kind": self.kind,
            "metadata": {"name": self.metadata.name, "namespace": self.metadata.namespace},
            "status": status,
        })
        .to_string()
    }
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

/// Whether a copy has everything of its source. What others added to it is theirs.
fn is_current(copy: &ConfigMap, original: &ConfigMap, digest: &str) -> bool {
    let has = |have: &BTreeMap<String, String>, want: &BTreeMap<String, String>| {
        want.iter().all(|(key, value)| have.get(key) == Some(value))
    };
    copy.metadata.annotations.get(APPLIED).is_some_and(|applied| applied == digest)
        && has(&copy.content.data, &original.content.data)
        && has(&copy.content.binary_data, &original.content.binary_data)
}

/// FNV-1a, 64 bits (datatracker.ietf.org/doc/html/draft-eastlake-fnv): nobody gains by a collision here.
fn digest(content: &Content) -> String {
    let text = json!(content).to_string();
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

fn by_name(texts: &[String]) -> Result<BTreeMap<String, ConfigMap>, String> {
    texts
        .iter()
        .map(|text| parse::<ConfigMap>("a ConfigMap", text).map(|map| (map.metadata.name.clone(), map)))
        .collect()
}

fn parse<'a, T: Deserialize<'a>>(what: &str, text: &'a str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| format!("{what} cannot be read: {error}"))
}

#[cfg(test)]
mod tests;
