//! The decisions of [`orascache_core`] as a component: the guest that is embedded in the operator.
//!
//! Built for `wasm32-unknown-unknown`, it has no imports at all. It also compiles natively, where
//! it exports nothing, so that ordinary tools check it.

#[cfg(target_arch = "wasm32")]
mod allocator;

use orascache_guest_sdk::{
    Admission, AttendedKind, Context, Description, Error, Observed, Outcome, Plan, Reconciler,
};

/// The guest that manages OrasCaches.
struct OrasCaches;

impl Reconciler for OrasCaches {
    fn describe() -> Description {
        orascache_core::describe()
    }

    fn reconcile(observed: &Observed<String>) -> Result<Plan, Error> {
        orascache_core::reconcile(observed)
    }

    fn attended() -> Vec<AttendedKind> {
        orascache_core::gates::attended()
    }

    fn attend(observed: &Observed<String>) -> Result<Plan, Error> {
        orascache_core::gates::attend(observed)
    }
}

impl Admission for OrasCaches {
    fn review(review: &str, context: &Context<String>) -> Result<Outcome, Error> {
        orascache_core::admission::review(review, context)
    }

    fn check_settings(settings: &str) -> Result<(), Error> {
        orascache_core::admission::check_settings(settings)
    }
}

orascache_guest_sdk::export!(OrasCaches);
