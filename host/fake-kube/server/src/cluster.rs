//! One API server: its state, its settings and everything that its requests share.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::addresses::Addresses;
use crate::admission::{Admission, Webhooks};
use crate::faults::Faults;
use crate::logs::Logs;
use crate::requests::RequestLog;
use crate::state::State;
use crate::token::Token;
use crate::turns::Turns;

/// One API server.
pub struct Cluster {
    /// The objects and the served kinds.
    pub state: State,
    /// The admission plugin of the embedding program.
    pub admission: Arc<dyn Admission>,
    /// The admission webhooks.
    pub webhooks: Webhooks,
    /// The faults that tests inject.
    pub faults: Faults,
    /// The log of requests, for tests.
    pub requests: RequestLog,
    /// The logs of containers.
    pub logs: Logs,
    /// Allocates cluster IPs.
    pub addresses: Addresses,
    /// The token that requests must carry, if any.
    pub token: Option<Token>,
    /// How often watches get a bookmark.
    pub bookmark_interval: Duration,
    /// Runs large requests.
    pub turns: Turns,
    /// Becomes true when the server stops.
    pub stop: watch::Receiver<bool>,
}

/// The settings of an API server.
#[derive(Clone, Debug)]
pub struct ClusterSettings {
    /// How many changes per resource the history keeps.
    pub history: usize,
    /// How often watches get a bookmark.
    pub bookmark_interval: Duration,
    /// The token that requests must carry, if any.
    pub token: Option<Token>,
}

impl Cluster {
    /// A server with the built-in kinds and no objects.
    pub fn new(
        settings: ClusterSettings,
        admission: Arc<dyn Admission>,
        stop: watch::Receiver<bool>,
    ) -> Arc<Self> {
        let state = State::new(settings.history);
        Arc::new(Self {
            faults: Faults::new(state.store.clone()),
            state,
            admission,
            webhooks: Webhooks::default(),
            requests: RequestLog::default(),
            logs: Logs::default(),
            addresses: Addresses::default(),
            token: settings.token,
            bookmark_interval: settings.bookmark_interval,
            turns: Turns::default(),
            stop,
        })
    }
}

/// Returns when the server stops.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender was dropped: the server has stopped too.
    let _ = stop.wait_for(|stop| *stop).await;
}
