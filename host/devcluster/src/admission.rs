//! The seam for admission: called for every write between defaulting and validation.
//!
//! The default, [`AdmitAll`], does nothing. An implementation may patch the object, add warnings or
//! refuse the request; it is asked again when the write is retried after a conflict.

use apimachinery::status::ApiError;
use futures::future::BoxFuture;
use serde_json::Value;

/// What is done to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// It is new.
    Create,
    /// It replaces the old one.
    Update,
    /// It goes.
    Delete,
    /// A subresource that is an action, for example `pods/binding`.
    Connect,
}

impl Operation {
    /// As AdmissionReview spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
        }
    }
}

/// Group, version and a kind or resource name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned {
    /// API group.
    pub group: String,
    /// API version.
    pub version: String,
    /// The kind, or the plural resource name.
    pub name: String,
}

/// Who sends the request. The embedded API knows one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user's name.
    pub name: String,
    /// The user's groups.
    pub groups: Vec<String>,
}

impl Default for User {
    fn default() -> Self {
        Self {
            name: "system:admin".into(),
            groups: vec!["system:masters".into(), "system:authenticated".into()],
        }
    }
}

/// A write to be admitted.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is done.
    pub operation: Operation,
    /// The kind.
    pub kind: Versioned,
    /// The resource.
    pub resource: Versioned,
    /// For example `status`.
    pub subresource: Option<String>,
    /// The object's namespace.
    pub namespace: Option<String>,
    /// The object's name, also when it was generated.
    pub name: String,
    /// The object as it would be stored; `None` for deletions.
    pub object: Option<Value>,
    /// The object as it is stored; `None` for creations.
    pub old_object: Option<Value>,
    /// Nothing is stored.
    pub dry_run: bool,
    /// Who asks.
    pub user: User,
}

/// What admission decided about a request that it does not refuse.
#[derive(Clone, Debug, Default)]
pub struct Admitted {
    /// The object to store instead, when it was patched.
    pub object: Option<Value>,
    /// Sentences for `Warning` headers.
    pub warnings: Vec<String>,
}

/// Decides about writes.
pub trait Admission: Send + Sync {
    /// Admits the request, or refuses it with the error that the client gets.
    fn admit(&self, request: Request) -> BoxFuture<'_, Result<Admitted, ApiError>>;

    /// Whether requests to this resource are looked at; building a [`Request`] costs copies.
    fn watches(&self, _group: &str, _resource: &str) -> bool {
        true
    }
}

/// Admits everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct AdmitAll;

impl Admission for AdmitAll {
    fn admit(&self, _request: Request) -> BoxFuture<'_, Result<Admitted, ApiError>> {
        Box::pin(std::future::ready(Ok(Admitted::default())))
    }

    fn watches(&self, _group: &str, _resource: &str) -> bool {
        false
    }
}
