//! The contract with whoever decides about reviews.

use futures::future::BoxFuture;

/// Decides about reviews.
///
/// The work is expected to be short (tens of microseconds of CPU, sometimes a read from the API). It runs in a task
/// of its own: when it panics the request is answered with 500, and when it takes longer than the API server waits
/// the request is answered with 504 and the future is dropped.
pub trait Reviewer: Send + Sync + 'static {
    /// Decides. `review` is the body of the request as it came, an `AdmissionReview` of `admission.k8s.io/v1` if
    /// the sender is an API server; nothing but UTF-8 was checked.
    fn review<'a>(&'a self, review: &'a str) -> BoxFuture<'a, Result<Verdict, ReviewError>>;
}

/// What was decided about a review: the `response` of an `AdmissionReview`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// `request.uid` of the review. The API server discards answers with another one.
    pub uid: String,
    /// Whether the request may go on.
    pub allowed: bool,
    /// HTTP status that a refused user gets, 400 to 599; anything else becomes 403. Without meaning when allowed.
    pub code: u16,
    /// Why it was refused, for the user. Without meaning when allowed.
    pub message: String,
    /// Shown to the user, refused or not. The API server wants them short: longer ones than 256 characters, and
    /// what exceeds 4096 characters in total, are cut.
    pub warnings: Vec<String>,
    /// Changes to the object, JSON text of an RFC 6902 patch. Only where it is allowed and by a mutating webhook.
    pub patch: Option<String>,
    /// Annotations for the audit log, by key; the API server puts the webhook's name before the keys.
    pub audit: Vec<(String, String)>,
}

/// Why there is no verdict.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// What came is not a review. Answered with 400.
    #[error("{0}")]
    Invalid(String),
    /// It could not be decided. Answered with 500, so that the API server applies the webhook's `failurePolicy`.
    #[error("{0}")]
    Failed(String),
}
