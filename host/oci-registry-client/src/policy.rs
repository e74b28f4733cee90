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
    /// As `patience`, for requests that write, while the registry says that it takes none for some
    /// time. The longer one of both counts.
    pub read_only: Duration,
}

impl Default for TransferPolicy {
    /// A patience of two minutes, and a stall limit of one.
    fn default() -> Self {
        TransferPolicy {
            patience: Duration::from_secs(120),
            stall: Duration::from_secs(60),
            read_only: Duration::ZERO,
        }
    }
}

impl TransferPolicy {
    /// A policy that gives up when nothing was transferred for this long, also on a connection that
    /// stays open: a stall limit that is longer than the patience would hide it.
    pub fn patient(patience: Duration) -> Self {
        let stall = TransferPolicy::default().stall.min(patience).max(MIN_STALL);
        TransferPolicy { patience, stall, ..TransferPolicy::default() }
    }

    /// The same policy, which waits as long as a garbage collection of a registry may take: about
    /// half an hour.
    pub fn through_collections(self) -> Self {
        TransferPolicy { read_only: COLLECTION, ..self }
    }
}

/// How long a registry may be read-only for a garbage collection, with the time in which it restarts
/// (`orascache-agent supervise-registry --limit`).
const COLLECTION: Duration = Duration::from_secs(31 * 60);

/// Shortest stall limit, so that an impatient caller still gets an answer from a slow registry.
const MIN_STALL: Duration = Duration::from_secs(1);
