//! The trait that the server calls for every review.

use futures::future::BoxFuture;
use orascache_contract::Response;

/// Decides about reviews.
///
/// A review should take little time: tens of microseconds of CPU, sometimes a read from the API
/// server. The server runs it in a task of its own, or begins it in that of the connection if the
/// reviewer is cooperative. If it panics, the request gets status 500. If it takes longer than the
/// API server waits, the request gets status 504 and the future is dropped.
pub trait Reviewer: Send + Sync + 'static {
    /// Decides. `review` is the body of the request, valid UTF-8 and otherwise unchecked. From an
    /// API server it is an `AdmissionReview` of `admission.k8s.io/v1`.
    ///
    /// A refusal whose code is not an HTTP error (400 to 599) is answered with 403.
    fn review<'a>(&'a self, review: &'a str) -> BoxFuture<'a, Result<Response, ReviewError>>;

    /// Whether every poll of a review returns within some ten milliseconds, however long the review
    /// takes. The server polls a short review of such a reviewer once in the connection's task,
    /// which saves a task for each review that ends at once.
    fn is_cooperative(&self) -> bool {
        false
    }
}

/// Why a review has no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// The body is not a review. The server answers 400.
    #[error("{0}")]
    Invalid(String),
    /// There is no decision. The server answers 500, so that the API server applies the webhook's
    /// `failurePolicy`.
    #[error("{0}")]
    Failed(String),
}
