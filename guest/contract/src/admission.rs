//! Reviews of requests to the API server.

use crate::{ArtifactAnswer, ArtifactQuestion, ObjectRef};
use std::sync::Arc;

/// What a review may depend on beside the request. `T` is the type of JSON text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct Context<T = Arc<str>> {
    /// Primaries that the request may refer to, JSON text: all of its namespace, or some of them where
    /// there are many.
    pub objects: Vec<T>,
    /// True when the host has looked for everything that the guest asked for with
    /// [`Outcome::Need`].
    pub complete: bool,
    /// Answers to the guest's questions.
    pub answers: Vec<ArtifactAnswer>,
    /// The administrator's settings, JSON text; empty for the guest's defaults.
    pub settings: T,
    /// Seconds since the Unix epoch.
    pub now: u64,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Refusal {
    /// HTTP status for the client, 400 to 599.
    pub code: u16,
    /// A sentence for the client.
    pub message: String,
}

/// Whether the request may go on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub enum Verdict {
    /// It may, with this change of the object where there is one: JSON Patch (RFC 6902), JSON text.
    Allowed(Option<String>),
    /// It may not.
    Refused(Refusal),
}

/// The answer to a request: `response` of an AdmissionReview.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Response {
    /// `request.uid` of the review. The API server discards answers with another one.
    pub uid: String,
    /// Whether the request may go on.
    pub verdict: Verdict,
    /// Sentences for the client, whatever the verdict.
    pub warnings: Vec<String>,
    /// Keys and values for the API server's audit log.
    pub audit: Vec<(String, String)>,
}

impl Response {
    /// The request may go on unchanged.
    pub fn allowed(uid: impl Into<String>) -> Self {
        Self::new(uid, Verdict::Allowed(None))
    }

    /// The request may go on with this JSON Patch.
    pub fn patched(uid: impl Into<String>, patch: String) -> Self {
        Self::new(uid, Verdict::Allowed(Some(patch)))
    }

    /// The request may not go on. `code` is the HTTP status for the client, 400 to 599.
    pub fn refused(uid: impl Into<String>, code: u16, message: impl Into<String>) -> Self {
        Self::new(uid, Verdict::Refused(Refusal { code, message: message.into() }))
    }

    fn new(uid: impl Into<String>, verdict: Verdict) -> Self {
        Self { uid: uid.into(), verdict, warnings: Vec::new(), audit: Vec::new() }
    }

    /// Whether the request may go on.
    pub fn is_allowed(&self) -> bool {
        matches!(self.verdict, Verdict::Allowed(_))
    }

    /// The change of the object, JSON Patch as JSON text.
    pub fn patch(&self) -> Option<&str> {
        match &self.verdict {
            Verdict::Allowed(patch) => patch.as_deref(),
            Verdict::Refused(_) => None,
        }
    }

    /// Why the request is refused.
    pub fn refusal(&self) -> Option<&Refusal> {
        match &self.verdict {
            Verdict::Allowed(_) => None,
            Verdict::Refused(refusal) => Some(refusal),
        }
    }
}

/// What the guest must know before it can answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct Needs {
    /// Objects that are not in the context: primaries, or namespaces (of these, the labels).
    pub objects: Vec<ObjectRef>,
    /// Questions to registries.
    pub questions: Vec<ArtifactQuestion>,
}

/// What a review leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub enum Outcome {
    /// The answer.
    Decided(Response),
    /// The host looks for these and asks again with [`Context::complete`].
    Need(Needs),
}
