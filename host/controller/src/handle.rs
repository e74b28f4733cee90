//! Replaces the active reconciler while watches, cache and queue go on.

use crate::active::ActiveReconciler;
use crate::reconciler::Reconciler;
use crate::roles::{Incompatible, Roles};
use crate::worker::Shared;
use orascache_contract::{Description, Observed};
use std::sync::Arc;

/// Replaces the active reconciler. A handle may outlive its controller; it changes nothing then.
#[derive(Clone)]
pub struct ReconcilerHandle {
    pub(crate) shared: Arc<Shared>,
}

impl ReconcilerHandle {
    /// Whether a reconciler with that description can become the active one.
    ///
    /// # Errors
    /// Says why not.
    pub fn check(&self, description: &Description) -> Result<(), Incompatible> {
        self.roles(description).map(|_| ())
    }

    /// Makes another reconciler the active one and queues every primary. Plans that are being
    /// carried out are not interrupted, and no watch is restarted. Returns how many primaries there
    /// are.
    ///
    /// # Errors
    /// When its description does not fit. The old reconciler stays active then.
    pub fn replace(&self, reconciler: Arc<dyn Reconciler>) -> Result<usize, Incompatible> {
        let roles = self.roles(&reconciler.describe())?;
        // This order misses no change: the last line queues all primaries, so that it covers every
        // change that came before.
        self.shared.cache.add_roles(&roles);
        self.shared.active.store(Arc::new(ActiveReconciler { reconciler, roles }));
        Ok(self.shared.enqueue_all())
    }

    /// Returns what a reconciler with that description would be shown now, for at most `at_most`
    /// primaries.
    ///
    /// # Errors
    /// When the description does not fit.
    pub fn observations(
        &self,
        description: &Description,
        at_most: usize,
    ) -> Result<Vec<Observed>, Incompatible> {
        let roles = self.roles(description)?;
        let keys = self.shared.cache.primaries();
        let observations = keys.iter().filter_map(|key| {
            let (view, texts) = self.shared.cache.view(key, &roles)?;
            Some(self.shared.observe(key, &view, texts))
        });
        Ok(observations.take(at_most).collect())
    }

    fn roles(&self, description: &Description) -> Result<Roles, Incompatible> {
        let first = &self.shared.description;
        if description.primary != first.primary {
            let (managed, found) = (first.primary.clone().into(), description.primary.clone().into());
            return Err(Incompatible::Primary { managed, found });
        }
        if description.field_manager != first.field_manager {
            return Err(Incompatible::FieldManager {
                used: first.field_manager.clone(),
                found: description.field_manager.clone(),
            });
        }
        Roles::of(description, self.shared.cache.watches())
    }
}
