//! Connects versions of the component with the controller, which knows reconcilers only.

use crate::attending::AttendantHandles;
use crate::version_events::VersionEvents;
use futures::future::BoxFuture;
use orascache_contract::{Description, GuestError, Observed, Plan};
use orascache_controller::{Reconciler, ReconcilerHandle};
use orascache_runtime::Version;
use orascache_runtime::hot_swap::{Change, HostError, SwapHost};
use std::sync::Arc;

/// A version of the component as the controller's reconciler.
pub(crate) struct VersionReconciler(pub(crate) Arc<Version>);

impl Reconciler for VersionReconciler {
    fn describe(&self) -> Description {
        self.0.describe().clone()
    }

    fn reconcile(&self, observed: Observed) -> BoxFuture<'_, Result<Plan, GuestError>> {
        Box::pin(async move { self.0.reconcile(&observed).await })
    }
}

/// The controller, as the place where another version takes over.
pub(crate) struct ControllerHost {
    pub(crate) handle: ReconcilerHandle,
    pub(crate) attendants: AttendantHandles,
    pub(crate) events: VersionEvents,
}

impl SwapHost for ControllerHost {
    fn observations(&self, description: &Description, at_most: usize) -> Result<Vec<Observed>, HostError> {
        Ok(self.handle.observations(description, at_most)?)
    }

    fn activate(&self, version: Arc<Version>) -> Result<usize, HostError> {
        self.attendants.check(&version)?;
        let primaries = self.handle.replace(Arc::new(VersionReconciler(version.clone())))?;
        self.attendants.replace(&version)?;
        Ok(primaries)
    }

    fn announce(&self, change: Change) -> BoxFuture<'_, ()> {
        Box::pin(self.events.publish(change))
    }
}
