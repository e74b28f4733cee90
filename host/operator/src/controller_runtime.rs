//! The controller has a runtime with one thread of its own.
//!
//! A reconcile is a chain of short tasks of the HTTP client and of the controller. Where two threads
//! take them in turn, each task wakes the other thread, which costs more than it saves: a fifth of
//! the processor time of a new cache. Guest calls that take long go on in threads of their own, as in
//! any runtime. Reviews have the other runtime, with a thread for each processor.

use anyhow::Context;
use kube::Client;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use tokio::runtime::{Builder, Handle, Runtime};

/// The thread of the controller. It ends when this is dropped, which an asynchronous task must not
/// do.
pub struct ControllerThread(Runtime);

impl ControllerThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start() -> anyhow::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).thread_name("controller").enable_all().build();
        runtime.map(Self).context("no thread for the controller")
    }

    /// Where the controller runs, with a client whose connections are served there too. `connect`
    /// makes the client.
    ///
    /// # Errors
    /// Those of `connect`.
    pub fn place(&self, connect: impl FnOnce() -> anyhow::Result<Client>) -> anyhow::Result<ControllerPlace> {
        let _entered = self.0.enter();
        Ok(ControllerPlace { client: connect()?, runtime: self.0.handle().clone() })
    }
}

/// Where the controller runs.
#[derive(Clone)]
pub struct ControllerPlace {
    pub(crate) client: Client,
    runtime: Handle,
}

impl ControllerPlace {
    /// The runtime and the client of the calling task.
    pub(crate) fn current(client: Client) -> Self {
        Self { client, runtime: Handle::current() }
    }

    /// Runs a future in the calling task. What it spawns, and the connections that it opens, belong
    /// to this place.
    pub(crate) async fn within<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        poll_fn(|context| {
            let _entered = self.runtime.enter();
            future.as_mut().poll(context)
        })
        .await
    }
}

impl fmt::Debug for ControllerPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("ControllerPlace").field(&self.runtime).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{ControllerPlace, ControllerThread};
    use crate::operator::{AGENT, connect};
    use kube::Config;

    #[test]
    fn what_is_spawned_within_a_place_runs_on_the_thread_of_the_controller() {
        let thread = ControllerThread::start().expect("a thread");
        let config = Config::new("http://127.0.0.1:1".parse().expect("an address"));
        let place = thread.place(|| connect(config, AGENT)).expect("a client");
        let other = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let name_of = |place: ControllerPlace| {
            other.block_on(place.within(async {
                let spawned = tokio::spawn(async { std::thread::current().name().map(str::to_owned) });
                spawned.await.expect("no panic")
            }))
        };
        assert_eq!(name_of(place.clone()).as_deref(), Some("controller"));
        let current = other.block_on(async { ControllerPlace::current(place.client.clone()) });
        assert_ne!(name_of(current).as_deref(), Some("controller"));
    }
}
