//! Mutating webhooks, called one after another. Each sees the changes of the earlier ones
//! (`plugin/webhook/mutating`).

use std::collections::HashSet;

use fake_kube_apimachinery::status::ApiError;
use json_patch::Patch;
use serde_json::Value;
use tokio::time::Instant;
use tracing::warn;

use super::caller::Caller;
use super::configuration::Webhook;
use super::failure::{self, Failure};
use super::{Attributes, Operation, Phase, matching};
use crate::catalogue::Kind;
use crate::state::State;
use crate::write;

/// Which webhooks are called a second time.
#[derive(Default)]
struct Reinvocation {
    /// Called webhooks with `reinvocationPolicy: IfNeeded`, with no change since their call.
    asked: HashSet<usize>,
    /// Called webhooks with `reinvocationPolicy: IfNeeded`, with a change since their call.
    wanted: HashSet<usize>,
}

impl Reinvocation {
    fn object_changed(&mut self) {
        self.wanted.extend(self.asked.drain());
    }
}

/// Calls the webhooks in order, and then once more those that want to see later changes.
///
/// # Errors
/// The refusal of a webhook.
pub async fn run(
    state: &State,
    caller: &Caller,
    webhooks: &[Webhook],
    attributes: &mut Attributes,
    warnings: &mut Vec<String>,
) -> Result<(), ApiError> {
    let mut again = Reinvocation::default();
    let mut changed = false;
    for (index, webhook) in webhooks.iter().enumerate() {
        changed |= visit(state, caller, webhook, index, attributes, &mut again, warnings).await?;
    }
    if !changed {
        return Ok(());
    }
    // The default plugins run again first. Their changes count as later changes for all webhooks.
    if admit_again(attributes) {
        again.object_changed();
    }
    for (index, webhook) in webhooks.iter().enumerate() {
        if again.wanted.contains(&index) {
            visit(state, caller, webhook, index, attributes, &mut again, warnings).await?;
        }
    }
    Ok(())
}

fn admit_again(attributes: &mut Attributes) -> bool {
    if attributes.request.operation != Operation::Create || attributes.subresource().is_some() {
        return false;
    }
    let Some(object) = attributes.request.object.as_mut() else { return false };
    let before = object.clone();
    write::admit_for_create(&attributes.kind, object);
    *object != before
}

/// Calls one webhook, if it matches the request. Returns whether it has changed the object.
async fn visit(
    state: &State,
    caller: &Caller,
    webhook: &Webhook,
    index: usize,
    attributes: &mut Attributes,
    again: &mut Reinvocation,
    warnings: &mut Vec<String>,
) -> Result<bool, ApiError> {
    let Some(kind) = matching::matching_version(state, webhook, attributes)? else { return Ok(false) };
    let result = call(caller, webhook, attributes, &kind, warnings).await;
    let changed = matches!(result, Ok(true));
    if changed {
        again.object_changed();
    }
    if webhook.reinvocable {
        again.asked.insert(index);
    }
    match result {
        Ok(_) => Ok(changed),
        Err(Failure::Refused(error)) => Err(error),
        Err(Failure::Call(why)) => {
            let sentence = failure::sentence(&webhook.name, &why);
            if !webhook.ignores_failures {
                return Err(ApiError::internal(&sentence));
            }
            warn!("{sentence}; the request goes on");
            if attributes.deadline <= Instant::now() { Err(failure::out_of_time()) } else { Ok(false) }
        }
    }
}

async fn call(
    caller: &Caller,
    webhook: &Webhook,
    attributes: &mut Attributes,
    kind: &Kind,
    warnings: &mut Vec<String>,
) -> Result<bool, Failure> {
    let object = attributes.object_as(kind);
    let answer = caller.ask(Phase::Mutating, webhook, attributes, kind, object.as_ref()).await?;
    warnings.extend(answer.warnings);
    if !answer.allowed {
        return Err(Failure::Refused(failure::denied(&webhook.name, answer.status.as_ref())));
    }
    let Some(patch) = answer.patch else { return Ok(false) };
    let Some(before) = object else {
        return Err(Failure::Refused(ApiError::internal(&format!(
            "admission webhook {:?} attempted to modify the object, which is not supported for this operation",
            webhook.name
        ))));
    };
    let after = patched(&before, &patch).map_err(|why| Failure::Refused(ApiError::internal(&why)))?;
    attributes.take_over(kind, &before, after).map_err(Failure::Refused)
}

fn patched(object: &Value, patch: &Patch) -> Result<Value, String> {
    let mut patched = object.clone();
    json_patch::patch(&mut patched, patch).map_err(|error| error.to_string())?;
    Ok(patched)
}
