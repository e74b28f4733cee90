//! The state that all requests share.

use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use tokio::sync::watch;

use crate::addresses::Addresses;
use crate::admission::{Admission, Webhooks};
use crate::catalogue::Catalogue;
use crate::faults::Faults;
use crate::requests::RequestLog;
use crate::store::Store;

/// One embedded cluster.
pub struct Cluster {
    /// The objects.
    pub store: Arc<Store>,
    catalogue: RwLock<Arc<Catalogue>>,
    /// Decides about writes.
    pub admission: Arc<dyn Admission>,
    /// The admission webhooks.
    pub webhooks: Webhooks,
    /// What tests inject.
    pub faults: Faults,
    /// What was asked.
    pub requests: RequestLog,
    /// Cluster IPs.
    pub addresses: Addresses,
    /// How often watches get a bookmark.
    pub bookmark_interval: Duration,
    /// Becomes true when the server stops.
    pub stop: watch::Receiver<bool>,
    this: Weak<Cluster>,
}

impl Cluster {
    /// A cluster with the built-in kinds and no objects.
    pub fn new(
        history: usize,
        bookmark_interval: Duration,
        admission: Arc<dyn Admission>,
        stop: watch::Receiver<bool>,
    ) -> Arc<Self> {
        let store = Arc::new(Store::new(history));
        let catalogue = Catalogue::builtin();
        for kind in catalogue.kinds() {
            store.open(&kind.table);
        }
        Arc::new_cyclic(|this| Self {
            faults: Faults::new(store.clone()),
            store,
            catalogue: RwLock::new(Arc::new(catalogue)),
            admission,
            webhooks: Webhooks::default(),
            requests: RequestLog::default(),
            addresses: Addresses::default(),
            bookmark_interval,
            stop,
            this: this.clone(),
        })
    }

    /// The cluster for background work; `None` while it is being dropped.
    pub fn handle(&self) -> Option<Arc<Self>> {
        self.this.upgrade()
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

/// Returns when the server stops.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the server is gone, which is a way of stopping too.
    let _ = stop.wait_for(|stop| *stop).await;
}
