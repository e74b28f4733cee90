//! A request during admission, with its objects in the versions that webhooks ask for.

use std::sync::Arc;

use fake_kube_apimachinery::status::ApiError;
use serde_json::Value;
use tokio::time::Instant;

use super::Request;
use crate::catalogue::Kind;
use crate::write;

/// A request and the kind that it is about.
pub struct Attributes {
    /// The request as reviews describe it.
    pub request: Request,
    /// The kind of the path.
    pub kind: Arc<Kind>,
    /// When the request times out.
    pub deadline: Instant,
}

impl Attributes {
    /// The subresource of the path.
    pub fn subresource(&self) -> Option<&str> {
        self.request.subresource.as_deref()
    }

    /// The object in another version of its kind.
    pub fn object_as(&self, kind: &Kind) -> Option<Value> {
        self.request.object.as_ref().map(|object| self.convert(object, &self.kind, kind))
    }

    /// The old object in another version of its kind.
    pub fn old_object_as(&self, kind: &Kind) -> Option<Value> {
        self.request.old_object.as_ref().map(|object| self.convert(object, &self.kind, kind))
    }

    /// Replaces the object by the one that a webhook has patched, which is in the version of
    /// `kind`.
    ///
    /// Returns whether the webhook has changed it.
    ///
    /// # Errors
    /// 500 when the patched object cannot be decoded.
    pub fn take_over(&mut self, kind: &Kind, before: &Value, mut patched: Value) -> Result<bool, ApiError> {
        if !self.kind.is_body(self.subresource()) {
            let changed = patched != *before;
            self.request.object = Some(patched);
            return Ok(changed);
        }
        write::decode_again(kind, &mut patched).map_err(|error| ApiError::internal(&error.message))?;
        let changed = patched != *before;
        write::default(kind, &mut patched);
        self.request.object = Some(self.convert(&patched, kind, &self.kind));
        Ok(changed)
    }

    fn convert(&self, object: &Value, from: &Kind, to: &Kind) -> Value {
        let same = from.group == to.group && from.version == to.version;
        if same || !self.kind.is_body(self.subresource()) {
            return object.clone();
        }
        to.view(from.to_storage(object))
    }
}
