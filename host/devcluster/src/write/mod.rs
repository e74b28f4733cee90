//! Writes: from a decoded body to a stored object.
//!
//! The order is the API server's: decode, check fields, default, track managers, prepare (reset what
//! the client may not set), admit, validate, store.

pub mod actions;
pub mod create;
pub mod delete;
mod fields;
mod lifecycle;
mod metadata;
mod propose;
pub mod scale;
mod strategy;
pub mod update;

use std::sync::Arc;

use apimachinery::managed_fields::Manager;
use apimachinery::status::ApiError;
use serde_json::Value;

use crate::admission::{Operation, Request, User, Versioned};
use crate::catalogue::Kind;
use crate::cluster::Cluster;
use crate::http::query::FieldValidation;

pub use propose::PatchType;

/// Everything about a write request but its body.
pub struct Write {
    /// The kind that is written.
    pub kind: Arc<Kind>,
    /// The namespace of the path.
    pub namespace: Option<String>,
    /// The subresource of the path.
    pub subresource: Option<String>,
    /// The field manager.
    pub manager: String,
    /// Store nothing.
    pub dry_run: bool,
    /// What to do about unknown fields.
    pub validation: FieldValidation,
    /// When the request came.
    pub now: String,
    /// Collected for `Warning` headers.
    pub warnings: Vec<String>,
}

impl Write {
    /// A write of the server's own, for example a definition's status.
    pub fn internal(kind: Arc<Kind>, namespace: Option<&str>, subresource: Option<&str>) -> Self {
        Self {
            kind,
            namespace: namespace.map(str::to_owned),
            subresource: subresource.map(str::to_owned),
            manager: "kube-apiserver".to_owned(),
            dry_run: false,
            validation: FieldValidation::Ignore,
            now: crate::clock::now(),
            warnings: Vec::new(),
        }
    }

    /// Notes the write in the managed fields of the new state.
    pub(crate) fn track(&self, old: Option<&Value>, new: &mut Value) {
        let api_version = self.kind.api_version();
        let manager = Manager {
            name: &self.manager,
            subresource: self.subresource.as_deref(),
            api_version: &api_version,
            time: &self.now,
        };
        apimachinery::managed_fields::track_update(&self.kind.schema, old, new, &manager);
    }

    /// Asks admission; a patched object's changes belong to the same manager.
    async fn admit(
        &mut self,
        cluster: &Cluster,
        operation: Operation,
        name: &str,
        object: Option<Value>,
        old: Option<&Value>,
    ) -> Result<Option<Value>, ApiError> {
        if !cluster.admission.watches(&self.kind.group, &self.kind.plural) {
            return Ok(object);
        }
        let versioned = |name: &str| Versioned {
            group: self.kind.group.clone(),
            version: self.kind.version.clone(),
            name: name.to_owned(),
        };
        let request = Request {
            operation,
            kind: versioned(&self.kind.kind),
            resource: versioned(&self.kind.plural),
            subresource: self.subresource.clone(),
            namespace: self.namespace.clone(),
            name: name.to_owned(),
            object: object.clone(),
            old_object: old.cloned(),
            dry_run: self.dry_run,
            user: User::default(),
        };
        let admitted = cluster.admission.admit(request).await?;
        self.warnings.extend(admitted.warnings);
        match (object, admitted.object) {
            (Some(before), Some(mut after)) if before != after => {
                self.track(Some(&before), &mut after);
                Ok(Some(after))
            }
            (before, _) => Ok(before),
        }
    }
}
