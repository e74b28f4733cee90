//! Bounds of everything that clients could make grow.

use std::time::Duration;

/// Bounds of a [`Server`](crate::Server): memory, connections, and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Longest time from the headers of a request to its answer. If the API server waits a shorter
    /// time (`?timeout=5s`), nine tenths of that count instead.
    pub deadline: Duration,
    /// Reviews that run at the same time.
    pub running: usize,
    /// Reviews that wait for their turn. Requests beyond `running` and `queued` get 429.
    pub queued: usize,
    /// Bytes of one body; a longer one gets 413. An API server sends up to three copies of an
    /// object, and etcd limits each to 1.5 MiB. controller-runtime has the same limit.
    pub body_bytes: usize,
    /// Bytes of all bodies that are arriving or under review. When they are used up, the oldest
    /// bodies that are still arriving make room; if that is not enough, the request gets 429.
    pub all_bodies_bytes: usize,
    /// Bodies that arrive at the same time. A further one takes the place of the oldest, which gets
    /// 429.
    pub arriving_bodies: usize,
    /// How long a body may arrive more slowly than `body_rate`. After that it gets 408.
    pub body_grace: Duration,
    /// Bytes per second at which a body has to arrive after `body_grace`, on average.
    pub body_rate: u32,
    /// Open connections. A further one takes the place of the oldest idle one: first of those that
    /// have had no review yet, such as unfinished TLS handshakes. Connections whose reviews hold a
    /// slot are not idle.
    pub connections: usize,
    /// Open connections of one peer address. A further one takes the place of the peer's oldest
    /// idle one. API servers use HTTP/1.1, and so one connection for each review at a time.
    pub connections_per_peer: usize,
    /// Requests at the same time on one HTTP/2 connection. RFC 9113 (6.5.2) advises at least 100.
    pub streams_per_connection: u32,
    /// Time for a TLS handshake.
    pub handshake: Duration,
    /// Time from the handshake to the first request.
    pub first_request: Duration,
    /// Time without a request after which a connection is closed: between one and two times that,
    /// and `first_request` more where the client does not let it be closed.
    /// It is longer than the 90 seconds after which API servers close idle connections, so that no
    /// request arrives on a connection that is being closed.
    pub idle: Duration,
    /// How long [`Server::shutdown`](crate::Server::shutdown) waits for running requests.
    pub shutdown: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            running: 64,
            queued: 256,
            body_bytes: 7 << 20,
            all_bodies_bytes: 64 << 20,
            arriving_bodies: 512,
            body_grace: Duration::from_secs(2),
            body_rate: 256 << 10,
            connections: 1024,
            connections_per_peer: 256,
            streams_per_connection: 100,
            handshake: Duration::from_secs(10),
            first_request: Duration::from_secs(10),
            idle: Duration::from_secs(120),
            shutdown: Duration::from_secs(10),
        }
    }
}
