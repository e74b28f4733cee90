//! Runs the requests of an HTTP/2 connection in the connection's own task.
//!
//! A request in a task of its own costs two switches between tasks, often to another thread and
//! back. The headers of its answer are then sent before its body is there, in a packet of their
//! own. In the same task both go out together.

use super::hyper_connection::Connection;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use hyper::rt::Executor;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// How long requests are answered in a row before the connection itself gets its turn.
const SLICE: Duration = Duration::from_millis(1);

type Request = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Takes the requests that hyper begins.
#[derive(Clone, Default)]
pub(super) struct NewRequests(Arc<Mutex<Vec<Request>>>);

impl NewRequests {
    /// Locks. No code panics while it holds this lock, so that poisoning means nothing.
    fn lock(&self) -> MutexGuard<'_, Vec<Request>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for NewRequests {
    fn execute(&self, request: F) {
        self.lock().push(Box::pin(request));
    }
}

/// A connection with its requests. Dropping it drops them.
pub(super) struct WithRequests<C> {
    connection: Pin<Box<C>>,
    new: NewRequests,
    running: FuturesUnordered<Request>,
}

impl<C> WithRequests<C> {
    /// `new` is the executor that the connection was made with.
    pub(super) fn new(connection: C, new: NewRequests) -> Self {
        Self { connection: Box::pin(connection), new, running: FuturesUnordered::new() }
    }
}

impl<C: Connection> Future for WithRequests<C> {
    type Output = hyper::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        let Self { connection, new, running } = &mut *self;
        // A request that sends something wakes the connection.
        let ended = connection.as_mut().poll(cx);
        running.extend(new.lock().drain(..));
        if ended.is_ready() {
            return ended;
        }
        let began = Instant::now();
        while let Poll::Ready(Some(())) = running.poll_next_unpin(cx) {
            if began.elapsed() > SLICE {
                cx.waker().wake_by_ref();
                break;
            }
        }
        Poll::Pending
    }
}

impl<C: Connection> Connection for WithRequests<C> {
    fn graceful_shutdown(mut self: Pin<&mut Self>) {
        self.connection.as_mut().graceful_shutdown();
    }
}
