//! The status of the primary.

use super::{Context, Executor};
use crate::cache::Source;
use crate::permit::is_forbidden;
use crate::requests::{api, has_code};
use crate::watches::PRIMARY;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

impl Executor {
    /// Writes the status of the planned object, all of it, and nothing else of that object.
    ///
    /// Returns whether the answer has content that the plan was not made from: somebody changed the
    /// primary after the plan was made. The cache has that content now, and the watch's event,
    /// which is older than the answer, leads to no other plan.
    ///
    /// # Errors
    /// With a phrase.
    pub(super) async fn write_status(&self, context: &Context<'_>, status: &str) -> Result<bool, String> {
        let (cache, key) = (context.cache, context.key);
        let kind = cache.primary_kind();
        if is_forbidden(kind) {
            return Err(format!("plans never write objects of {}", kind.group()));
        }
        let planned: Value = serde_json::from_str(status).map_err(|error| error.to_string())?;
        // The UID keeps the status off a primary that was deleted and created again.
        let document = json!({
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {"name": key.name, "uid": context.view.uid},
            "status": planned.get("status"),
        });
        let parameters = PatchParams::apply(cache.field_manager()).force();
        let api = api(&self.client, kind, &key.namespace);
        match api.patch_status(&key.name, &parameters, &Patch::Apply(&document)).await {
            Ok(answer) => {
                let Some(stored) = cache.decode(PRIMARY, answer) else { return Ok(false) };
                let is_outdated = stored.content != context.view.content;
                cache.store(PRIMARY, stored, Source::Write);
                Ok(is_outdated)
            }
            // Deleted, or deleted and created again: the new primary gets a plan of its own.
            Err(error) if has_code(&error, &[404, 409]) => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }
}
