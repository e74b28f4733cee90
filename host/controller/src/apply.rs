//! Server-side apply of one child: never adopts, takes back edits, leaves to others what they apply, and does
//! not repeat what changes nothing.

use crate::cache::{Cache, KindIndex, Source};
use crate::contract::{Failure, Kind, ObjectRef};
use crate::object::{Decoded, Key, Stored, api_resource};
use crate::ownership::{self, Judgement};
use crate::takeback::Takebacks;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::Value;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// How many objects are remembered whose apply changes nothing; there should be none.
const SETTLED: usize = 10_000;

/// How often a write is judged anew when the object changed meanwhile.
const ATTEMPTS: usize = 4;

pub(crate) struct Applier {
    client: Client,
    field_manager: String,
    takebacks: Takebacks,
    /// What an apply did not change: digests of the live object and of what was applied, by UID.
    settled: Mutex<HashMap<Box<str>, (u64, u64)>>,
}

/// The API object for one kind in one namespace.
pub(crate) fn api(client: &Client, kind: &Kind, namespace: &str) -> Api<Decoded> {
    let resource = api_resource(kind);
    if kind.namespaced {
        Api::namespaced_with(client.clone(), namespace, &resource)
    } else {
        Api::all_with(client.clone(), &resource)
    }
}

/// Names the object of that kind and key, whatever its UID.
pub(crate) fn target(kind: &Kind, key: &Key) -> ObjectRef {
    ObjectRef {
        kind: kind.clone(),
        namespace: (!key.namespace.is_empty()).then(|| key.namespace.to_string()),
        name: key.name.to_string(),
        uid: None,
    }
}

/// A failure from an error of the client.
pub(crate) fn failure(target: ObjectRef, verb: &str, error: &kube::Error) -> Failure {
    let (code, reason, message) = match error {
        kube::Error::Api(status) => (status.code, status.reason.clone(), status.message.clone()),
        other => (0, "Unreachable".to_owned(), other.to_string()),
    };
    Failure { target, verb: verb.to_owned(), code, reason, message }
}

/// Whether an answer says that the object changed since it was read.
fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

impl Applier {
    pub(crate) fn new(client: Client, field_manager: String) -> Self {
        Self { client, field_manager, takebacks: Takebacks::default(), settled: Mutex::default() }
    }

    /// Applies one child of the primary with this UID; returns whether anything changed. Failures are what the primary
    /// should tell about.
    pub(crate) async fn apply(
        &self,
        cache: &Cache,
        kind: KindIndex,
        key: &Key,
        desired: &Value,
        owner: &str,
    ) -> Result<bool, Vec<Failure>> {
        let Some(definition) = cache.kinds().get(kind) else { return Ok(false) };
        let target = target(definition, key);
        let failed = |error: &kube::Error| vec![failure(target.clone(), "apply", error)];
        let api = api(&self.client, definition, &key.namespace);
        let mut live = match cache.get(kind, key) {
            Some(live) => Some(live),
            // The watch may lag: nothing of that name may be adopted.
            None => self.read(&api, definition, key).await.map_err(|error| failed(&error))?,
        };
        for attempt in 1.. {
            if live.as_ref().is_some_and(|live| live.controller.as_deref() != Some(owner)) {
                return Err(vec![Failure {
                    target,
                    verb: "apply".to_owned(),
                    code: 409,
                    reason: "NotControlled".to_owned(),
                    message: format!(
                        "{} {key} exists and is not controlled by this object.",
                        definition.kind
                    ),
                }]);
            }
            let judgement = self.judge(desired, live.as_ref());
            let digest = digest(&judgement.desired);
            if let Some(live) = &live
                && self.is_settled(live, digest)
            {
                return left(&target, &judgement, false);
            }
            let mut document = judgement.desired.clone();
            pin(&mut document, live.as_ref());
            let mut parameters = PatchParams::apply(&self.field_manager);
            // What did not exist a moment ago is not taken by force from somebody who made it meanwhile.
            parameters.force = live.is_some();
            match api.patch(&key.name, &parameters, &Patch::Apply(&document)).await {
                Ok(answer) => {
                    let stored = answer.store(definition, &self.field_manager);
                    let changed = self.remember(live.as_ref(), stored.as_ref(), &judgement, digest);
                    if let Some(stored) = stored {
                        cache.store(kind, stored, Source::Write);
                    }
                    return left(&target, &judgement, changed);
                }
                Err(error) if is_conflict(&error) && attempt < ATTEMPTS => {
                    live = self.read(&api, definition, key).await.map_err(|error| failed(&error))?;
                    if let Some(live) = &live {
                        cache.store(kind, live.clone(), Source::Write);
                    }
                }
                Err(error) => return Err(failed(&error)),
            }
        }
        Ok(false)
    }

    async fn read(&self, api: &Api<Decoded>, kind: &Kind, key: &Key) -> Result<Option<Stored>, kube::Error> {
        Ok(api.get_opt(&key.name).await?.and_then(|object| object.store(kind, &self.field_manager)))
    }

    fn judge(&self, desired: &Value, live: Option<&Stored>) -> Judgement {
        let Some(live) = live.filter(|live| live.rivals.is_some()) else {
            return Judgement { desired: desired.clone(), taken_back: Vec::new(), left: Vec::new() };
        };
        let now = Instant::now();
        let object: Value = serde_json::from_str(&live.text).unwrap_or_default();
        ownership::judge(desired, &object, live.rivals.as_deref(), &|path| {
            self.takebacks.allows(&live.uid, path, now)
        })
    }

    fn is_settled(&self, live: &Stored, digest: u64) -> bool {
        let settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        settled
            .get(&live.uid)
            .is_some_and(|(seen, applied)| *applied == digest && *seen == content(&live.text))
    }

    fn remember(
        &self,
        before: Option<&Stored>,
        after: Option<&Stored>,
        judgement: &Judgement,
        digest: u64,
    ) -> bool {
        let Some(before) = before else { return true };
        let changed = after.is_none_or(|after| after.resource_version != before.resource_version);
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        if changed {
            settled.remove(&before.uid);
            self.takebacks.record(&before.uid, &judgement.taken_back, Instant::now());
        } else {
            // The server knows better (a normalised value); asking again would not change that.
            if settled.len() >= SETTLED {
                settled.clear();
            }
            settled.insert(before.uid.clone(), (content(&before.text), digest));
        }
        changed
    }
}

/// Ties the write to the state that was judged, so that nobody is overruled unseen.
fn pin(document: &mut Value, live: Option<&Stored>) {
    if let (Some(live), Some(metadata)) = (live, document.get_mut("metadata").and_then(Value::as_object_mut))
    {
        metadata.insert("uid".to_owned(), live.uid.to_string().into());
        metadata.insert("resourceVersion".to_owned(), live.resource_version.to_string().into());
    }
}

fn left(target: &ObjectRef, judgement: &Judgement, changed: bool) -> Result<bool, Vec<Failure>> {
    if judgement.left.is_empty() {
        return Ok(changed);
    }
    let fields: Vec<String> =
        judgement.left.iter().map(|(path, manager)| format!("{path} (set by {manager})")).collect();
    Err(vec![Failure {
        target: target.clone(),
        verb: "apply".to_owned(),
        code: 409,
        reason: "FieldOwnedByOther".to_owned(),
        message: format!(
            "{} {} keeps fields that another manager owns: {}.",
            target.kind.kind,
            target.name,
            fields.join(", ")
        ),
    }])
}

/// A digest of an object without its status and revision: what an apply could change.
pub(crate) fn content(text: &str) -> u64 {
    let mut object: Value = serde_json::from_str(text).unwrap_or_default();
    if let Some(members) = object.as_object_mut() {
        members.remove("status");
        if let Some(metadata) = members.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("resourceVersion");
        }
    }
    digest(&object)
}

fn digest(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.to_string().hash(&mut hasher);
    hasher.finish()
}
