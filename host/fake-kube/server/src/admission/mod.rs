//! Admission: plugins and webhooks that change or refuse a write before it is stored.
//!
//! The order is that of kube-apiserver, whose `k8s.io/apiserver/pkg/admission/plugin/webhook` this
//! follows:
//! 1. the default plugins;
//! 2. the [`Admission`] plugin of the embedding program;
//! 3. the mutating webhooks one after another, and once more those with `reinvocationPolicy:
//!    IfNeeded` when later ones have changed the object;
//! 4. validation by the kind;
//! 5. the validating webhooks in parallel.
//!
//! All of it is repeated when a write is retried after a conflict.
//!
//! `configuration` reads the stored configurations; `rules`, `matching` and `conditions` select the
//! webhooks for a request; `review` has the question and the answer; `caller`, `client`, `services`
//! and `tls` make the call; `mutating` and `validating` use the answers.

mod attributes;
mod caller;
mod client;
mod conditions;
mod configuration;
mod failure;
mod matching;
mod mutating;
mod review;
mod rules;
mod services;
mod tls;
mod validating;
mod webhooks;

use fake_kube_apimachinery::status::ApiError;
use futures::future::BoxFuture;
use serde_json::Value;

pub(crate) use attributes::Attributes;
pub(crate) use configuration::Phase;
pub(crate) use webhooks::Webhooks;

/// The operation of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The object is created.
    Create,
    /// The object is changed.
    Update,
    /// The object is deleted.
    Delete,
    /// The request is an action, for example `pods/exec`. This server has none of these.
    Connect,
}

impl Operation {
    /// The name of the operation in an AdmissionReview.
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

/// The user who sends the request. This server knows one user.
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
    /// The operation.
    pub operation: Operation,
    /// The kind.
    pub kind: Versioned,
    /// The resource.
    pub resource: Versioned,
    /// For example `status`.
    pub subresource: Option<String>,
    /// The object's namespace.
    pub namespace: Option<String>,
    /// The object's name; empty while it is not generated, and when a collection is deleted.
    pub name: String,
    /// The object as it would be stored, or the body of an action; `None` for deletions.
    pub object: Option<Value>,
    /// The object as it is stored; `None` for creations.
    pub old_object: Option<Value>,
    /// The options of the operation, for example a `CreateOptions` of meta.k8s.io/v1.
    pub options: Value,
    /// Whether nothing is to be stored.
    pub dry_run: bool,
    /// The user who sends the request.
    pub user: User,
}

/// The result of admission for a request that is not refused.
#[derive(Clone, Debug, Default)]
pub struct Admitted {
    /// The object to store instead, when it was patched.
    pub object: Option<Value>,
    /// Texts of `Warning` headers.
    pub warnings: Vec<String>,
}

/// An admission plugin in the server's process, called before the webhooks.
pub trait Admission: Send + Sync {
    /// Admits the request.
    ///
    /// # Errors
    /// The refusal that the client gets.
    fn admit(&self, request: Request) -> BoxFuture<'_, Result<Admitted, ApiError>>;

    /// Whether the plugin wants requests to this resource. Other requests need not be copied into a
    /// [`Request`].
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
