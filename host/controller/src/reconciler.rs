//! The side that decides.

use futures::future::BoxFuture;
use orascache_contract::{Description, GuestError, Observed, Plan};

/// Decides what should exist for a primary. Called by several workers at once.
///
/// Calls are level-triggered: whatever event led to a call, it gets everything that a plan may
/// depend on, and a primary whose children and status are as they should be gets an empty plan.
pub trait Reconciler: Send + Sync + 'static {
    /// Describes what the reconciler manages. The controller watches these kinds.
    fn describe(&self) -> Description;

    /// Plans what to do about one primary.
    ///
    /// # Errors
    /// When there is no plan. Nothing is written then, and the call is repeated after a backoff.
    fn reconcile(&self, observed: Observed) -> BoxFuture<'_, Result<Plan, GuestError>>;
}
