//! Admission: who is asked before a write is stored, and may change, refuse or comment on it.
//!
//! The order is that of kube-apiserver, whose `k8s.io/apiserver/pkg/admission/plugin/webhook` this follows:
//! the plugins that every server has, an [`Admission`] of the embedding program, the mutating webhooks one after
//! another (and once more those that want to see the changes of later ones); then, after validation by the kind,
//! the validating webhooks side by side. All of it happens again when a write is retried after a conflict.
//!
//! The webhooks are those of the stored configurations; `configuration` reads them, `rules`, `matching` and
//! `conditions` say which are asked, `review` is what they are asked, `client` and `services` how, `mutating`
//! and `validating` what becomes of the answers.

mod attributes;
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
    /// The object's name; empty while it is not generated, and when a collection is deleted.
    pub name: String,
    /// The object as it would be stored, or the body of an action; `None` for deletions.
    pub object: Option<Value>,
    /// The object as it is stored; `None` for creations.
    pub old_object: Option<Value>,
    /// The options of the operation, for example a `CreateOptions` of meta.k8s.io/v1.
    pub options: Value,
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

/// Decides about writes within the server's process, before webhooks do.
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
