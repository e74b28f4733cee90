//! Makes the primary the controller of an object that nothing controls, where both sides consent.
//! Nothing else of the object is written: the next plan sees it as a child, and edits of it are
//! judged as those of any child.

use super::{Context, target_of};
use crate::cache::Source;
use crate::consent;
use crate::force_limiter::ForceLimiter;
use crate::may_write::MayWrite;
use crate::owner::with_controller;
use crate::permit::Planned;
use crate::recipe::{self, Unfit};
use crate::requests::{Writer, api, failure, has_code, merge_patch};
use orascache_contract::{Failure, FailureReason, Generated, ObjectRef, Verb};
use serde_json::{Value, json};
use std::time::Instant;
use tokio::sync::watch;

/// How often a write is tried when the object changes meanwhile.
const ATTEMPTS: usize = 4;

/// The field that is written.
const OWNERS: &str = "metadata.ownerReferences";

pub(super) struct Adopter {
    client: Writer,
    may_write: watch::Receiver<MayWrite>,
    /// Somebody may remove the owner reference again and again.
    limiter: ForceLimiter,
}

/// What is to be done to an object that the primary does not control.
pub(super) enum Wanted<'a> {
    /// It is to be applied.
    Applied,
    /// It is a Secret that is to be filled with values, unless it has values already.
    Generated(&'a Generated),
}

impl Adopter {
    pub(super) fn new(client: Writer, may_write: watch::Receiver<MayWrite>) -> Self {
        Self { client, may_write, limiter: ForceLimiter::default() }
    }

    /// Makes the primary the controller of the object with the planned name. Returns true: the next
    /// plan is made from another state, also where the object is gone or is a child already.
    pub(super) async fn adopt(
        &self,
        context: &Context<'_>,
        planned: &Planned<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<bool, Vec<Failure>> {
        let (cache, view) = (context.cache, context.view);
        let (Some(target), Some(kind)) = (target_of(cache, planned), cache.kind(planned.kind)) else {
            return Ok(false);
        };
        let verb = match wanted {
            Wanted::Applied => Verb::Apply,
            Wanted::Generated(_) => Verb::Create,
        };
        let failed = |error: &kube::Error| vec![failure(target.clone(), verb, error)];
        let api = api(self.client.client(), kind, &planned.key.namespace);
        for attempt in 1.. {
            let found = api.get_opt(&planned.key.name).await.map_err(|error| failed(&error))?;
            let Some(found) = found else { return Ok(true) };
            let live = found.object().clone();
            let Some(stored) = cache.decode(planned.kind, found) else { return Ok(true) };
            if stored.controller.as_deref() == Some(&*view.uid) {
                cache.store(planned.kind, stored, Source::Write);
                return Ok(true);
            }
            let primary_kind = cache.primary_kind();
            consent::check(&live, &planned.object, primary_kind, context.key, cache.field_manager())
                .map_err(|why| vec![not_controlled(&target, verb, &why)])?;
            let now = Instant::now();
            if !self.limiter.allows(&stored.uid, OWNERS, now) {
                return Err(vec![removed_too_often(&target, verb)]);
            }
            let references = live.metadata("ownerReferences");
            let owners = with_controller(references, primary_kind, context.key, &view.uid)
                .map_err(|why| vec![not_controlled(&target, verb, &why)])?;
            let owners = owners.as_deref().or(references).unwrap_or("[]");
            let mut document = json!({"metadata": {
                "uid": *stored.uid,
                "resourceVersion": *stored.resource_version,
                "ownerReferences": serde_json::from_str::<Value>(owners).unwrap_or_default(),
            }});
            if let Wanted::Generated(generated) = wanted {
                let live = serde_json::from_str(live.text()).unwrap_or_default();
                fill(&mut document, &live, generated)
                    .await
                    .map_err(|unfit| vec![unfit_for(&target, unfit)])?;
            }
            let manager = cache.field_manager();
            match merge_patch(&self.client, kind, &planned.key, manager, document.to_string()).await {
                Ok(answer) => {
                    self.limiter.record(&stored.uid, &[OWNERS.to_owned()], now);
                    if let Some(stored) = cache.decode(planned.kind, answer) {
                        cache.store(planned.kind, stored, Source::Write);
                    }
                    return Ok(true);
                }
                // The next attempt is a write of its own.
                Err(error) if has_code(&error, &[409]) && attempt < ATTEMPTS => {
                    if !self.may_write.borrow().is_in_force() {
                        return Err(failed(&error));
                    }
                }
                Err(error) => return Err(failed(&error)),
            }
        }
        Ok(false)
    }
}

/// Adds the generated values, unless the Secret has one of them already.
async fn fill(document: &mut Value, live: &Value, generated: &Generated) -> Result<(), Unfit> {
    if !recipe::has_values(&generated.recipe, live) {
        let values = recipe::follow(generated, live).await?;
        document["stringData"] = values.into_iter().map(|(key, value)| (key, Value::String(value))).collect();
    }
    Ok(())
}

fn not_controlled(target: &ObjectRef, verb: Verb, why: &str) -> Failure {
    let message = format!("{target} {why}.");
    Failure { target: target.clone(), verb, code: 409, reason: FailureReason::NotControlled, message }
}

fn removed_too_often(target: &ObjectRef, verb: Verb) -> Failure {
    let message = format!(
        "{} {} is left without {OWNERS}, which somebody removes again and again.",
        target.kind.kind, target.name
    );
    Failure { target: target.clone(), verb, code: 409, reason: FailureReason::FieldOwnedByOther, message }
}

fn unfit_for(target: &ObjectRef, unfit: Unfit) -> Failure {
    let message = format!("{target}: {}", unfit.message);
    Failure { target: target.clone(), verb: Verb::Create, code: 0, reason: unfit.reason, message }
}
