//! The state that all requests share.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;

use crate::addresses::Addresses;
use crate::admission::{Admission, Webhooks};
use crate::catalogue::Catalogue;
use crate::faults::Faults;
use crate::requests::RequestLog;
use crate::store::Store;
use crate::token::Token;

/// The state of one API server.
pub struct Cluster {
    /// The objects.
    pub store: Arc<Store>,
    catalogue: RwLock<Arc<Catalogue>>,
    /// The admission plugin of the embedding program.
    pub admission: Arc<dyn Admission>,
    /// The admission webhooks.
    pub webhooks: Webhooks,
    /// The faults that tests inject.
    pub faults: Faults,
    /// The log of requests, for tests.
    pub requests: RequestLog,
    /// Allocates cluster IPs.
    pub addresses: Addresses,
    /// The token that requests must carry, if any.
    pub token: Option<Token>,
    /// How often watches get a bookmark.
    pub bookmark_interval: Duration,
    /// Becomes true when the server stops.
    pub stop: watch::Receiver<bool>,
}

/// The numbers and secrets that a cluster is made with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many changes per resource the history keeps.
    pub history: usize,
    /// How often watches get a bookmark.
    pub bookmark_interval: Duration,
    /// The token that requests must carry, if any.
    pub token: Option<Token>,
}

impl Cluster {
    /// A cluster with the built-in kinds and no objects.
    pub fn new(settings: Settings, admission: Arc<dyn Admission>, stop: watch::Receiver<bool>) -> Arc<Self> {
        let store = Arc::new(Store::new(settings.history));
        let catalogue = Catalogue::builtin();
        for kind in catalogue.kinds() {
            store.open(&kind.table);
        }
        Arc::new(Self {
            faults: Faults::new(store.clone()),
            store,
            catalogue: RwLock::new(Arc::new(catalogue)),
            admission,
            webhooks: Webhooks::default(),
            requests: RequestLog::default(),
            addresses: Addresses::default(),
            token: settings.token,
            bookmark_interval: settings.bookmark_interval,
            stop,
        })
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
    // An error means that the sender was dropped: the server has stopped too.
    let _ = stop.wait_for(|stop| *stop).await;
}
