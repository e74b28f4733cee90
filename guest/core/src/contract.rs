//! The values that cross the boundary, as plain Rust: `wit/` says the same in WIT.

use std::fmt;

/// A kind of Kubernetes object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// `group/version`, or `v1`.
    pub api_version: &'static str,
    /// For example `StatefulSet`.
    pub kind: &'static str,
    /// For example `statefulsets`.
    pub plural: &'static str,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

/// The headless Service.
pub const SERVICE: Kind = Kind { api_version: "v1", kind: "Service", plural: "services", namespaced: true };
/// Generated and moved secrets.
pub const SECRET: Kind = Kind { api_version: "v1", kind: "Secret", plural: "secrets", namespaced: true };
/// Storage.
pub const VOLUME_CLAIM: Kind = Kind {
    api_version: "v1",
    kind: "PersistentVolumeClaim",
    plural: "persistentvolumeclaims",
    namespaced: true,
};
/// The registry pods.
pub const STATEFUL_SET: Kind =
    Kind { api_version: "apps/v1", kind: "StatefulSet", plural: "statefulsets", namespaced: true };

/// What this guest manages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// What users write.
    pub primary: Kind,
    /// What a plan may apply or delete.
    pub owned: Vec<Kind>,
    /// Read-only inputs.
    pub related: Vec<Kind>,
    /// Field manager of all writes.
    pub field_manager: &'static str,
}

/// Names one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRef {
    /// Its kind, as text: failures may name any.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its plural name.
    pub plural: String,
    /// Whether it lives in a namespace.
    pub namespaced: bool,
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Only the object with this UID.
    pub uid: Option<String>,
}

/// A write of the last plan that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What was to be written.
    pub target: ObjectRef,
    /// `apply`, `delete` or `create`.
    pub verb: String,
    /// HTTP status, 0 where no answer came.
    pub code: u16,
    /// The API server's reason, or `NotControlled` or `FieldOwnedByOther`.
    pub reason: String,
    /// A sentence.
    pub message: String,
}

/// Everything that a decision may depend on.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// The cache, JSON text.
    pub primary: &'a str,
    /// Its children, JSON text.
    pub owned: &'a [String],
    /// Related objects of its namespace, JSON text.
    pub related: &'a [String],
    /// What went wrong last time.
    pub failures: &'a [Failure],
    /// Seconds since the Unix epoch.
    pub now: u64,
}

/// A Secret key that the host fills with random bytes once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// The Secret, JSON text.
    pub secret: String,
    /// The key.
    pub key: &'static str,
    /// How many random bytes.
    pub bytes: u32,
}

/// How serious an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// For information.
    Normal,
    /// Somebody should look.
    Warning,
}

/// What the host records about the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// How serious.
    pub severity: Severity,
    /// PascalCase.
    pub reason: &'static str,
    /// PascalCase.
    pub action: &'static str,
    /// A sentence.
    pub note: String,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Create-only.
    pub generate: Vec<Generated>,
    /// Server-side apply, in order.
    pub apply: Vec<String>,
    /// With UID.
    pub delete: Vec<ObjectRef>,
    /// The cache with its new status.
    pub status: Option<String>,
    /// To record.
    pub events: Vec<Event>,
    /// Seconds.
    pub requeue_after: Option<u32>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        *self == Plan::default()
    }
}

/// Why there is no decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The input is not what the contract says.
    InvalidInput(String),
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::InvalidInput(sentence) => formatter.write_str(sentence),
        }
    }
}

impl std::error::Error for Error {}

/// The answer to an admission request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Of the request.
    pub uid: String,
    /// Whether the request may go on.
    pub allowed: bool,
    /// HTTP status of a refusal.
    pub code: u16,
    /// Why it was refused.
    pub message: String,
    /// Shown to the user.
    pub warnings: Vec<String>,
    /// RFC 6902, JSON text.
    pub patch: Option<String>,
    /// Audit annotations.
    pub audit: Vec<(String, String)>,
}

/// What a review may depend on beside the request itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// Caches of the request's namespace, JSON text.
    pub objects: &'a [String],
    /// Whether what was asked for with [`Outcome::Need`] has been read from the API itself.
    pub complete: bool,
    /// The administrator's settings, JSON text; empty for the defaults.
    pub settings: &'a str,
    /// Seconds since the Unix epoch.
    pub now: u64,
}

/// What a review leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The answer.
    Decided(Verdict),
    /// These are not in the context: read them from the API and ask again.
    Need(Vec<ObjectRef>),
}
