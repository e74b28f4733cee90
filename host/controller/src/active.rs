//! The reconciler that decides now.

use crate::reconciler::Reconciler;
use crate::roles::Roles;
use std::sync::Arc;

/// The active reconciler, with the roles that its description gives to the kinds. Both change
/// together, so that no reconciler is shown what another one asked for.
pub(crate) struct ActiveReconciler {
    pub(crate) reconciler: Arc<dyn Reconciler>,
    pub(crate) roles: Roles,
}
