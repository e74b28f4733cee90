//! Reads the rest of refused bodies. Otherwise a client that is still sending may see a closed
//! connection in place of the answer.

use bytes::Bytes;
use http::Request;
use http::header::EXPECT;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long the rest of a body is read.
const DRAIN_TIME: Duration = Duration::from_secs(2);
/// How many times the largest allowed body is read.
const DRAIN_BODIES: usize = 2;
/// Bodies that are drained at the same time. Further ones are dropped.
const MOST: usize = 64;

/// Drains bodies in tasks of their own.
pub(super) struct Drain {
    permits: Arc<Semaphore>,
    bytes: usize,
}

impl Drain {
    /// `body_bytes` is the length of the largest allowed body.
    pub(super) fn new(body_bytes: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(MOST)), bytes: body_bytes.saturating_mul(DRAIN_BODIES) }
    }

    /// Reads and drops the rest of a body, within bounds. Requests with `Expect: 100-continue` are
    /// not drained: their clients send the body only when asked for it.
    pub(super) fn start(&self, request: Request<Incoming>) {
        let (parts, mut body) = request.into_parts();
        if body.is_end_stream() || parts.headers.contains_key(EXPECT) {
            return;
        }
        let Ok(permit) = self.permits.clone().try_acquire_owned() else { return };
        let mut left = self.bytes;
        tokio::spawn(tokio::time::timeout(DRAIN_TIME, async move {
            let _permit = permit;
            while let Some(Ok(frame)) = body.frame().await {
                match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
                    Some(rest) => left = rest,
                    None => return,
                }
            }
        }));
    }
}
