//! The stored objects and the served kinds.

use std::sync::{Arc, PoisonError, RwLock};

use crate::catalogue::Catalogue;
use crate::store::Store;

/// The stored objects and the served kinds.
pub struct State {
    /// The objects.
    pub store: Arc<Store>,
    catalogue: RwLock<Arc<Catalogue>>,
}

impl State {
    /// The built-in kinds and no objects. `history` is the number of changes that are kept per
    /// resource.
    pub fn new(history: usize) -> Self {
        let store = Arc::new(Store::new(history));
        let catalogue = Catalogue::builtin();
        for kind in catalogue.kinds() {
            store.open(&kind.table);
        }
        Self { store, catalogue: RwLock::new(Arc::new(catalogue)) }
    }

    /// The served kinds as they are now.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.catalogue.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes the served kinds.
    pub fn change_catalogue(&self, change: impl FnOnce(&mut Catalogue)) {
        let mut current = self.catalogue.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = Catalogue::clone(&current);
        change(&mut next);
        *current = Arc::new(next);
    }
}
