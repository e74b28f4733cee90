//! The status of the primary.

use super::{Context, Executor};
use crate::cache::Source;
use crate::permit::is_forbidden;
use crate::requests::{Applied, apply, has_code};
use crate::text::{ObjectText, quoted};
use crate::watches::PRIMARY;
use orascache_contract::Kind;
use serde_json::value::RawValue;

impl Executor {
    /// Writes the status of the planned object, all of it, and nothing else of that object.
    ///
    /// Returns whether the answer has content that the plan was not made from: somebody changed the
    /// primary after the plan was made. The cache has that content now, and the watch's event,
    /// which is no newer than the answer, leads to no other plan.
    ///
    /// # Errors
    /// With a phrase.
    pub(super) async fn write_status(&self, context: &Context<'_>, status: &str) -> Result<bool, String> {
        let (cache, key) = (context.cache, context.key);
        let kind = cache.primary_kind();
        if is_forbidden(kind) {
            return Err(format!("plans never write objects of {}", kind.group()));
        }
        // The API server checks the rest of it.
        let planned: &RawValue = serde_json::from_str(status).map_err(|error| error.to_string())?;
        let planned = ObjectText::new(planned.get());
        let document = document(kind, context, planned.member("status").unwrap_or("null"));
        match apply(&self.client, kind, key, Applied::Status, cache.field_manager(), document).await {
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

/// What is applied. The UID keeps the status off a primary that was deleted and created again.
fn document(kind: &Kind, context: &Context<'_>, status: &str) -> String {
    let (api_version, kind) = (quoted(&kind.api_version), quoted(&kind.kind));
    let (name, uid) = (quoted(&context.key.name), quoted(&context.view.uid));
    format!(
        r#"{{"apiVersion":{api_version},"kind":{kind},"metadata":{{"name":{name},"uid":{uid}}},"status":{status}}}"#
    )
}
