//! Bounds the open connections, of all peers and of each.
//!
//! When a bound is reached, the oldest idle connection is closed and the new one is admitted.
//! Clients that open connections and send nothing therefore keep nobody out.

use super::limits::ServerLimits;
use crate::metrics::ConnectionMetrics;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// All open connections.
pub(super) struct ConnectionTable {
    most: usize,
    most_per_peer: usize,
    /// Numbers that ascend with each connection and request, in place of times.
    sequence: AtomicU64,
    open: Mutex<HashMap<u64, Arc<Entry>>>,
    metrics: ConnectionMetrics,
}

struct Entry {
    peer: IpAddr,
    /// Reviews that hold a slot.
    reviews: AtomicUsize,
    /// Whether any review has held a slot.
    had_review: AtomicBool,
    /// Sequence number of the connection or of its last request.
    last_active: AtomicU64,
    evicted: CancellationToken,
}

impl Entry {
    /// Sort key for evicting idle connections; the lowest goes first. None for a connection that is
    /// not idle.
    fn eviction_order(&self) -> Option<(bool, u64)> {
        let idle = self.reviews.load(Ordering::SeqCst) == 0;
        idle.then(|| (self.had_review.load(Ordering::Relaxed), self.last_active.load(Ordering::Relaxed)))
    }
}

impl ConnectionTable {
    pub(super) fn new(limits: &ServerLimits, metrics: ConnectionMetrics) -> Self {
        Self {
            most: limits.connections.max(1),
            most_per_peer: limits.connections_per_peer.max(1),
            sequence: AtomicU64::new(0),
            open: Mutex::default(),
            metrics,
        }
    }

    /// Admits a connection. None if a bound is reached and no connection is idle.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<AdmittedConnection> {
        // The same address, whether the socket is of IPv4 or of both.
        let peer = peer.to_canonical();
        let mut open = self.lock();
        let of_peer = open.values().filter(|entry| entry.peer == peer).count();
        if of_peer >= self.most_per_peer {
            self.evict(&mut open, |entry| entry.peer == peer)?;
        } else if open.len() >= self.most {
            self.evict(&mut open, |_| true)?;
        }
        let number = self.sequence.fetch_add(1, Ordering::Relaxed);
        let entry = Arc::new(Entry {
            peer,
            reviews: AtomicUsize::new(0),
            had_review: AtomicBool::new(false),
            last_active: AtomicU64::new(number),
            evicted: CancellationToken::new(),
        });
        open.insert(number, entry.clone());
        self.metrics.open.inc();
        Some(AdmittedConnection { table: self.clone(), number, entry })
    }

    /// Closes the oldest idle connection, if there is one: the process has no file descriptors
    /// left.
    pub(super) fn make_room(&self) {
        let _ = self.evict(&mut self.lock(), |_| true);
    }

    fn evict(&self, open: &mut HashMap<u64, Arc<Entry>>, among: impl Fn(&Entry) -> bool) -> Option<()> {
        let candidates = open.iter().filter(|(_, entry)| among(entry));
        let ordered = candidates.filter_map(|(number, entry)| Some((entry.eviction_order()?, *number)));
        let (_, number) = ordered.min()?;
        let entry = open.remove(&number)?;
        entry.evicted.cancel();
        self.metrics.open.dec();
        self.metrics.evicted.inc();
        Some(())
    }

    /// Locks. No code panics while it holds this lock, so that poisoning means nothing.
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Entry>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One open connection. When this is dropped, it leaves the table.
pub(super) struct AdmittedConnection {
    table: Arc<ConnectionTable>,
    number: u64,
    entry: Arc<Entry>,
}

impl AdmittedConnection {
    /// Notes a request, which makes this the connection that is evicted last.
    pub(super) fn note_request(&self) {
        self.entry.last_active.store(self.table.sequence.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Notes a review that holds a slot, until what is returned is dropped. The connection is not
    /// idle as long.
    pub(super) fn note_review(&self) -> RunningReview {
        self.entry.had_review.store(true, Ordering::Relaxed);
        self.entry.reviews.fetch_add(1, Ordering::SeqCst);
        RunningReview(self.entry.clone())
    }

    /// Whether no review holds a slot.
    pub(super) fn is_idle(&self) -> bool {
        self.entry.reviews.load(Ordering::SeqCst) == 0
    }

    /// Returns when a new connection has taken the place of this one.
    pub(super) async fn evicted(&self) {
        self.entry.evicted.cancelled().await;
    }
}

impl Drop for AdmittedConnection {
    fn drop(&mut self) {
        if self.table.lock().remove(&self.number).is_some() {
            self.table.metrics.open.dec();
        }
    }
}

/// A review that holds a slot.
pub(super) struct RunningReview(Arc<Entry>);

impl Drop for RunningReview {
    fn drop(&mut self) {
        self.0.reviews.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn table(connections: usize, connections_per_peer: usize) -> Arc<ConnectionTable> {
        let limits = ServerLimits { connections, connections_per_peer, ..ServerLimits::default() };
        Arc::new(ConnectionTable::new(&limits, ConnectionMetrics::default()))
    }

    fn peer(number: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, number])
    }

    fn is_evicted(connection: &AdmittedConnection) -> bool {
        connection.evicted().now_or_never().is_some()
    }

    #[test]
    fn the_oldest_idle_connection_makes_room() {
        let table = table(3, 3);
        let open: Vec<_> = (0..3).map(|number| table.admit(peer(number)).unwrap()).collect();
        open[0].note_request();
        let further = table.admit(peer(3)).unwrap();
        assert!(!is_evicted(&open[0]) && is_evicted(&open[1]) && !is_evicted(&open[2]));
        drop(further);
        let _free = table.admit(peer(4)).unwrap();
        assert!(!is_evicted(&open[2]), "a closed connection leaves its place");
        assert_eq!((table.metrics.open.get(), table.metrics.evicted.get()), (3, 1));
    }

    #[test]
    fn connections_without_a_review_are_evicted_first() {
        let table = table(2, 2);
        let reviewed = table.admit(peer(0)).unwrap();
        drop(reviewed.note_review());
        let silent = table.admit(peer(1)).unwrap();
        silent.note_request();
        let _further = table.admit(peer(2)).unwrap();
        assert!(is_evicted(&silent) && !is_evicted(&reviewed));
    }

    #[test]
    fn a_connection_with_a_running_review_stays() {
        let table = table(1, 1);
        let busy = table.admit(peer(0)).unwrap();
        let review = busy.note_review();
        assert!(table.admit(peer(0)).is_none() && table.admit(peer(1)).is_none());
        assert!(!is_evicted(&busy) && !busy.is_idle());
        drop(review);
        assert!(table.admit(peer(1)).is_some());
        assert!(is_evicted(&busy));
    }

    #[test]
    fn a_peer_at_its_bound_takes_nothing_from_others() {
        let table = table(10, 2);
        let other = table.admit(peer(9)).unwrap();
        let many: Vec<_> = (0..5).map(|_| table.admit(peer(0)).unwrap()).collect();
        let evicted: Vec<bool> = many.iter().map(is_evicted).collect();
        assert_eq!(evicted, [true, true, true, false, false]);
        assert!(!is_evicted(&other));
        let mapped = "::ffff:10.0.0.0".parse().unwrap();
        let _same_peer = table.admit(mapped).unwrap();
        assert!(is_evicted(&many[3]), "an IPv4-mapped address is the same peer");
    }

    #[test]
    fn make_room_evicts_one_idle_connection() {
        let table = table(10, 10);
        table.make_room();
        let (first, second) = (table.admit(peer(0)).unwrap(), table.admit(peer(0)).unwrap());
        table.make_room();
        assert!(is_evicted(&first) && !is_evicted(&second));
    }
}
