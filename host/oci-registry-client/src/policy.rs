//! How long transfers may take.

use std::time::Duration;

/// How long a client waits for a registry.
#[derive(Clone, Copy, Debug)]
pub struct TransferPolicy {
    /// A request that failed for a passing reason is repeated until nothing was transferred for
    /// this long.
    pub patience: Duration,
    /// A connection on which nothing is transferred for this long is closed.
    pub stall: Duration,
}

impl Default for TransferPolicy {
    /// A patience of two minutes, and a stall limit of one.
    fn default() -> Self {
        TransferPolicy { patience: Duration::from_secs(120), stall: Duration::from_secs(60) }
    }
}

impl TransferPolicy {
    /// A policy that gives up when nothing was transferred for this long, also on a connection that
    /// stays open: a stall limit that is longer than the patience would hide it.
    pub fn patient(patience: Duration) -> Self {
        let stall = TransferPolicy::default().stall.min(patience).max(MIN_STALL);
        TransferPolicy { patience, stall }
    }
}

/// Shortest stall limit, so that an impatient caller still gets an answer from a slow registry.
const MIN_STALL: Duration = Duration::from_secs(1);
