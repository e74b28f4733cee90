//! Brings one child about: creates it, or applies it server-side. An apply takes edits back, leaves
//! fields to managers that apply them, and is not repeated when it changes nothing. An object that
//! the primary does not control is not applied.

use super::adopt::{Adopter, Wanted};
use super::{Context, target_of};
use crate::cache::{Cache, Source};
use crate::compressed::Compressed;
use crate::decoded::Decoded;
use crate::digest;
use crate::force_limiter::ForceLimiter;
use crate::may_write::MayWrite;
use crate::object::Stored;
use crate::ownership::{self, Judgement};
use crate::permit::Planned;
use crate::requests::{Applied, Writer, api, apply, create, failure, has_code, json_patch};
use crate::takeover;
use crate::text::{ObjectText, quoted};
use kube::Api;
use orascache_contract::{Failure, FailureReason, ObjectRef, Verb};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::watch;

/// How many objects are remembered whose apply changes nothing. Correct guests have none.
const MAX_SETTLED: usize = 10_000;

/// How often a write is tried when the object changes meanwhile.
const ATTEMPTS: usize = 4;

/// The next write of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Write {
    /// There is no object of that name.
    Create,
    /// Its fields of the creation become applied ones.
    TakeOver,
    Apply,
}

pub(super) struct Applier {
    client: Writer,
    may_write: watch::Receiver<MayWrite>,
    pub(super) adopter: Adopter,
    limiter: ForceLimiter,
    /// Applies that changed nothing: by UID, digests of the live object and of what was applied.
    settled: Mutex<HashMap<Box<str>, (u64, u64)>>,
}

impl Applier {
    pub(super) fn new(client: Writer, may_write: watch::Receiver<MayWrite>) -> Self {
        let adopter = Adopter::new(client.clone(), may_write.clone());
        Self { client, may_write, adopter, limiter: ForceLimiter::default(), settled: Mutex::default() }
    }

    /// Creates or applies one child of the primary; returns whether anything changed.
    pub(super) async fn apply(
        &self,
        context: &Context<'_>,
        planned: &Planned<'_>,
    ) -> Result<bool, Vec<Failure>> {
        let (cache, owner) = (context.cache, &*context.view.uid);
        let (Some(target), Some(kind)) = (target_of(cache, planned), cache.kind(planned.kind)) else {
            return Ok(false);
        };
        let key = &planned.key;
        let failed = |error: &kube::Error| vec![failure(target.clone(), Verb::Apply, error)];
        let api = api(self.client.client(), kind, &key.namespace);
        let mut live = cache.get(planned.kind, key);
        let mut is_taken_over = false;
        for attempt in 1.. {
            let (write, judgement, digest) = match &live {
                None => (Write::Create, Judgement::default(), 0),
                Some(live) if live.controller.as_deref() != Some(owner) => {
                    return self.adopter.adopt(context, planned, &Wanted::Applied).await;
                }
                Some(live) => {
                    let judgement = self.judge(planned, live, cache.field_manager());
                    let digest = digest::of(judgement.remaining.as_deref().unwrap_or(planned.object.text()));
                    if self.is_settled(live, digest) {
                        return report_left_fields(&target, &judgement, false);
                    }
                    let needs_takeover = live.has_created_fields && !is_taken_over;
                    (if needs_takeover { Write::TakeOver } else { Write::Apply }, judgement, digest)
                }
            };
            let answer = match write {
                Write::Create => {
                    let object = planned.object.text().to_owned();
                    create(&self.client, kind, &key.namespace, cache.field_manager(), object).await
                }
                Write::TakeOver => self.take_over(&api, cache, planned).await,
                Write::Apply => {
                    let document = pinned(planned, &judgement, live.as_deref());
                    let manager = cache.field_manager();
                    apply(&self.client, kind, key, Applied::Object, manager, document).await
                }
            };
            match answer {
                Ok(answer) => {
                    let stored = cache.decode(planned.kind, answer).map(Arc::new);
                    if let Some(stored) = &stored {
                        cache.store(planned.kind, stored.clone(), Source::Write);
                    }
                    if let Write::TakeOver = write {
                        (live, is_taken_over) = (stored, true);
                        // The apply is a write of its own.
                        if self.may_write.borrow().is_in_force() {
                            continue;
                        }
                        return Ok(true);
                    }
                    let changed = self.remember(live.as_deref(), stored.as_deref(), &judgement, digest);
                    return report_left_fields(&target, &judgement, changed);
                }
                Err(error) if is_outdated(write, &error) && attempt < ATTEMPTS => {
                    live = read(&api, cache, planned).await.map_err(|error| failed(&error))?;
                    if let Some(live) = &live {
                        cache.store(planned.kind, live.clone(), Source::Write);
                    }
                    // The next attempt is a write of its own.
                    if !self.may_write.borrow().is_in_force() {
                        return Err(failed(&error));
                    }
                }
                Err(error) => return Err(failed(&error)),
            }
        }
        Ok(false)
    }

    /// Makes our fields applied ones. The answer of an object that needs no takeover any more is
    /// its current state.
    async fn take_over(
        &self,
        api: &Api<Decoded>,
        cache: &Cache,
        planned: &Planned<'_>,
    ) -> Result<Decoded, kube::Error> {
        let live = api.get(&planned.key.name).await?;
        let patch = takeover::patch(&live.tree(), cache.field_manager());
        let (Some(patch), Some(kind)) = (patch, cache.kind(planned.kind)) else { return Ok(live) };
        let body = serde_json::to_vec(&patch).map_err(kube::Error::SerdeError)?;
        json_patch(&self.client, kind, &planned.key, cache.field_manager(), body).await
    }

    /// Nobody but us set fields of most objects, so that nothing has to be read of them.
    fn judge(&self, planned: &Planned<'_>, live: &Stored, field_manager: &str) -> Judgement {
        if live.managers.is_none() {
            return Judgement::default();
        }
        let now = Instant::now();
        let tree = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
        let (desired, object) = (tree(planned.object.text()), tree(&live.text()));
        let managers = live.managers.as_deref().map(Compressed::open);
        ownership::judge(&desired, &object, managers.as_deref(), field_manager, &|path| {
            self.limiter.allows(&live.uid, path, now)
        })
    }

    fn is_settled(&self, live: &Stored, digest: u64) -> bool {
        let settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        settled.get(&live.uid).is_some_and(|(seen, applied)| *applied == digest && *seen == live.content)
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
            self.limiter.record(&before.uid, &judgement.taken_back, Instant::now());
        } else {
            // The API server normalises a value, so that it never equals what the guest wants.
            if settled.len() >= MAX_SETTLED {
                settled.clear();
            }
            settled.insert(before.uid.clone(), (before.content, digest));
        }
        changed
    }
}

async fn read(
    api: &Api<Decoded>,
    cache: &Cache,
    planned: &Planned<'_>,
) -> Result<Option<Arc<Stored>>, kube::Error> {
    let found = api.get_opt(&planned.key.name).await?;
    Ok(found.and_then(|object| cache.decode(planned.kind, object)).map(Arc::new))
}

/// Whether the object is in another state than the one that the write was for: it was changed or
/// deleted, or it exists, because the answer to an earlier creation was lost, the cache lags
/// behind, or the name is taken. A creation that is answered with 404 has no namespace or no kind.
fn is_outdated(write: Write, error: &kube::Error) -> bool {
    has_code(error, &[409]) || (write != Write::Create && has_code(error, &[404]))
}

/// What is applied, tied to the state that was judged: a change by somebody else in between leads to
/// a conflict.
fn pinned(planned: &Planned<'_>, judgement: &Judgement, live: Option<&Stored>) -> String {
    let (uid, revision) = match live {
        Some(live) => (quoted(&live.uid), quoted(&live.resource_version)),
        None => return planned.object.text().to_owned(),
    };
    let pins = [("uid", &*uid), ("resourceVersion", &*revision)];
    match &judgement.remaining {
        Some(remaining) => ObjectText::new(&**remaining).with_metadata(&pins),
        None => planned.object.with_metadata(&pins),
    }
}

/// A failure that names the fields that were left to other managers, if any were.
fn report_left_fields(
    target: &ObjectRef,
    judgement: &Judgement,
    changed: bool,
) -> Result<bool, Vec<Failure>> {
    if judgement.left.is_empty() {
        return Ok(changed);
    }
    let fields: Vec<String> =
        judgement.left.iter().map(|(path, manager)| format!("{path} (set by {manager})")).collect();
    Err(vec![Failure {
        target: target.clone(),
        verb: Verb::Apply,
        code: 409,
        reason: FailureReason::FieldOwnedByOther,
        message: format!(
            "{} {} keeps fields that another manager owns: {}.",
            target.kind.kind,
            target.name,
            fields.join(", ")
        ),
    }])
}
