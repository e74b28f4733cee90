//! Writes: from a decoded body to a stored object.
//!
//! The order is the API server's: decode, check fields, fill in defaults, track managers, mutating
//! admission, reset the fields that the client may not set, validate, validating admission, store.

pub mod actions;
mod admit;
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
use std::time::Duration;

use fake_kube_apimachinery::managed_fields::Manager;
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::catalogue::Kind;
use crate::http::query::FieldValidation;

pub(crate) use fields::decode_again;
pub use propose::{Change, PatchType};
pub(crate) use strategy::{admit_for_create, default};

/// The longest that a request may take, webhooks included (`requestTimeoutUpperBound` of
/// kube-apiserver).
pub const TIME_LIMIT: Duration = Duration::from_secs(34);

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
    /// Whether nothing is to be stored.
    pub dry_run: bool,
    /// The options of the operation as reviews show them to webhooks, without their kind.
    pub options: Map<String, Value>,
    /// When the request times out.
    pub deadline: Instant,
    /// Whether admission is skipped: the write is the server's own, or part of a request that was
    /// admitted.
    pub exempt: bool,
    /// What to do about unknown and duplicate fields.
    pub validation: FieldValidation,
    /// The time of the request, RFC 3339.
    pub now: String,
    /// Texts of the `Warning` headers of the answer.
    pub warnings: Vec<String>,
}

impl Write {
    /// A write that the server itself makes, for example of a definition's status.
    pub fn internal(kind: Arc<Kind>, namespace: Option<&str>, subresource: Option<&str>) -> Self {
        Self {
            kind,
            namespace: namespace.map(str::to_owned),
            subresource: subresource.map(str::to_owned),
            manager: "kube-apiserver".to_owned(),
            dry_run: false,
            options: Map::new(),
            deadline: Instant::now() + TIME_LIMIT,
            exempt: true,
            validation: FieldValidation::Ignore,
            now: crate::clock::now(),
            warnings: Vec::new(),
        }
    }

    /// Records the write in the managed fields of the new state.
    pub(crate) fn track(&self, old: Option<&Value>, new: &mut Value) {
        let api_version = self.kind.api_version();
        let manager = Manager {
            name: &self.manager,
            subresource: self.subresource.as_deref(),
            api_version: &api_version,
            time: &self.now,
        };
        fake_kube_apimachinery::managed_fields::track_update(&self.kind.schema, old, new, &manager);
    }
}
