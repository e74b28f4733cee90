//! How much a server takes on.

use std::time::Duration;

/// How much a [`Server`](crate::Server) takes on. Everything that a client could make grow is in here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest time from the headers of a request to its answer. Where the API server says that it waits less
    /// (`?timeout=5s`), nine tenths of that count.
    pub deadline: Duration,
    /// Reviews that run at the same time.
    pub running: usize,
    /// Requests beyond those that are read or wait for their turn. More are answered with 429.
    pub queued: usize,
    /// Bytes of one body. An API server sends up to three copies of an object, which etcd limits to 1.5 MiB each;
    /// controller-runtime has the same limit.
    pub body_bytes: usize,
    /// Bytes of all bodies that are being read or reviewed. What does not fit is answered with 429.
    pub all_bodies_bytes: usize,
    /// Open connections. More are closed at once.
    pub connections: usize,
    /// Time for a TLS handshake.
    pub handshake: Duration,
    /// Time from the handshake to the first request.
    pub first_request: Duration,
    /// Time without a request after which a connection is closed (between one and two times that). Longer than the
    /// 90 seconds after which API servers close theirs, so that no request meets a connection that is just going.
    pub idle: Duration,
    /// How long [`Server::shutdown`](crate::Server::shutdown) waits for running requests.
    pub shutdown: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            running: 64,
            queued: 256,
            body_bytes: 7 << 20,
            all_bodies_bytes: 64 << 20,
            connections: 1024,
            handshake: Duration::from_secs(10),
            first_request: Duration::from_secs(10),
            idle: Duration::from_secs(120),
            shutdown: Duration::from_secs(10),
        }
    }
}
