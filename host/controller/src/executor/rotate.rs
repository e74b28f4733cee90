//! Replaces values of Secrets that were generated.

use super::{Context, Executor, target_of};
use crate::cache::Source;
use crate::object::is_secret;
use crate::permit::Planned;
use crate::recipe;
use crate::requests::{api, failure, has_code, merge_patch};
use orascache_contract::{Failure, FailureReason, Rotation, Verb};
use serde_json::{Value, json};

/// What is wrong with a plan that does not say which state of the Secret it was made from.
const NO_STATE: &str =
    "The plan does not name the state of the Secret: give metadata.uid and metadata.resourceVersion.";

impl Executor {
    /// Makes one change of a Secret, unless it is in another state than the one that the plan was
    /// made from. Returns whether the next plan is made from another state.
    pub(super) async fn rotate(
        &self,
        context: &Context<'_>,
        planned: Planned<'_>,
        rotation: &Rotation,
    ) -> Result<bool, Vec<Failure>> {
        let (cache, Planned { kind: index, key, object }) = (context.cache, &planned);
        let object: Value = serde_json::from_str(object.text()).unwrap_or_default();
        let (Some(target), Some(kind)) = (target_of(cache, &planned), cache.kind(*index)) else {
            return Ok(false);
        };
        let fails = |reason: FailureReason, message: &str| {
            let message = format!("{target}: {message}");
            vec![Failure { target: target.clone(), verb: Verb::Patch, code: 0, reason, message }]
        };
        if !is_secret(kind) {
            return Err(fails(FailureReason::NotPermitted, "Only values of Secrets are replaced."));
        }
        let member = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        let state = (member("/metadata/uid"), member("/metadata/resourceVersion"));
        let (Some(uid), Some(version)) = state else {
            return Err(fails(FailureReason::Invalid, NO_STATE));
        };
        let api = api(self.client.client(), kind, &key.namespace);
        let failed = |error: &kube::Error| vec![failure(target.clone(), Verb::Patch, error)];
        let mut conflict = None;
        loop {
            let live = api.get_opt(&key.name).await.map_err(|error| failed(&error))?;
            // The watch shows that it is gone.
            let Some(live) = live else { return Ok(false) };
            let content = live.tree();
            let Some(stored) = cache.decode(*index, live) else { return Ok(false) };
            if stored.controller.as_deref() != Some(&*context.view.uid) {
                return Err(fails(FailureReason::NotControlled, "It does not belong to the primary."));
            }
            if *stored.uid != *uid || *stored.resource_version != *version {
                cache.store(*index, stored, Source::Write);
                return Ok(true);
            }
            if let Some(conflict) = &conflict {
                return Err(failed(conflict));
            }
            let changes = recipe::rotate(rotation, &content)
                .await
                .map_err(|unfit| fails(unfit.reason.clone(), &unfit.message))?;
            let document = document(&object, uid, version, changes);
            let manager = cache.field_manager();
            match merge_patch(&self.client, kind, key, manager, document.to_string()).await {
                Ok(answer) => {
                    if let Some(stored) = cache.decode(*index, answer) {
                        cache.store(*index, stored, Source::Write);
                    }
                    return Ok(true);
                }
                // Somebody else changed it, which the next look shows.
                Err(error) if has_code(&error, &[409]) => conflict = Some(error),
                Err(error) => return Err(failed(&error)),
            }
        }
    }
}

/// The merge patch (RFC 7386): what the plan sets, and the values that change, for a Secret in this
/// state and no other.
fn document(planned: &Value, uid: &str, version: &str, changes: recipe::Changes) -> Value {
    let mut document = json!({
        "metadata": {"uid": uid, "resourceVersion": version},
        "data": planned.get("data").cloned().unwrap_or_else(|| json!({})),
    });
    for name in ["annotations", "labels"] {
        if let Some(map) = planned.get("metadata").and_then(|metadata| metadata.get(name)) {
            document["metadata"][name] = map.clone();
        }
    }
    for (key, value) in changes {
        document["data"][&key] = value.map_or(Value::Null, Value::String);
    }
    document
}
