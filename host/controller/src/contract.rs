//! The contract between the generic controller and whatever decides: plain Rust values that mirror
//! `wit/reconciler.wit`. The operator implements [`Reconciler`] with the component; tests implement it
//! with closures.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A kind of Kubernetes object, as the API server addresses it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kind {
    /// `group/version`, or `v1` for the core group.
    pub api_version: String,
    /// For example `StatefulSet`.
    pub kind: String,
    /// For example `statefulsets`.
    pub plural: String,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
}

/// What a guest manages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// What users write.
    pub primary: Kind,
    /// What a plan may apply or delete.
    pub owned: Vec<Kind>,
    /// Read-only inputs. Secrets arrive as metadata only.
    pub related: Vec<Kind>,
    /// Field manager of every server-side apply.
    pub field_manager: String,
}

/// Names one object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace; none for cluster-scoped objects.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// When present, only the object with this UID is meant.
    pub uid: Option<String>,
}

/// A write of the last plan that did not succeed, or that was held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The object that was to be written.
    pub target: ObjectRef,
    /// `apply`, `delete` or `create`.
    pub verb: String,
    /// HTTP status, 0 where no answer came.
    pub code: u16,
    /// Reason of the API server's Status (`Forbidden`, `Invalid`, ...) or one of this crate's own:
    /// `NotControlled` (the name is taken by an object that the primary does not control) and
    /// `FieldOwnedByOther` (fields were left to another manager).
    pub reason: String,
    /// A sentence.
    pub message: String,
}

/// Everything that a decision may depend on.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The primary as JSON text, managedFields pruned.
    pub primary: Arc<str>,
    /// Objects of the owned kinds whose controller is the primary.
    pub owned: Vec<Arc<str>>,
    /// Objects of the related kinds in the primary's namespace.
    pub related: Vec<Arc<str>>,
    /// Writes of the last plan that failed.
    pub failures: Vec<Failure>,
    /// Seconds since the Unix epoch.
    pub now: u64,
}

/// A Secret key that is filled with random bytes once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Generated {
    /// The Secret as JSON text, without that key.
    pub secret: String,
    /// The key in its `data`.
    pub key: String,
    /// How many random bytes.
    pub bytes: u32,
}

/// How serious an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// For information.
    Normal,
    /// Somebody should look.
    Warning,
}

/// What is recorded as an events.k8s.io/v1 Event about the primary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// How serious.
    pub severity: Severity,
    /// PascalCase reason.
    pub reason: String,
    /// PascalCase action.
    pub action: String,
    /// A sentence.
    pub note: String,
}

/// What to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Create-only Secrets.
    pub generate: Vec<Generated>,
    /// Server-side apply, in this order. JSON text.
    pub apply: Vec<String>,
    /// With a UID precondition each. Omission never deletes.
    pub delete: Vec<ObjectRef>,
    /// The primary with its new status, for the status subresource. JSON text.
    pub status: Option<String>,
    /// To record.
    pub events: Vec<Event>,
    /// Seconds until the primary wants to be looked at again.
    pub requeue_after: Option<u32>,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum DecideError {
    /// The input is not what the contract says; the sentence says where.
    #[error("the observed objects cannot be used: {0}")]
    InvalidInput(String),
    /// The guest reported a defect of its own.
    #[error("the guest failed: {0}")]
    Internal(String),
    /// The guest trapped, ran out of time or of memory; nothing it said may be used.
    #[error("the guest was stopped: {0}")]
    Stopped(String),
}

/// The deciding side: pure, synchronous, quick. Called from many threads at once.
pub trait Reconciler: Send + Sync + 'static {
    /// What is managed.
    fn describe(&self) -> Description;

    /// What to do about one primary.
    ///
    /// # Errors
    /// When no plan could be made; nothing is written then.
    fn reconcile(&self, observed: &Observed) -> Result<Plan, DecideError>;
}
