//! Advances the engine's epoch, so that calls which run for long come back to the host.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use wasmtime::EngineWeak;

/// A thread that advances the epoch until it is dropped or the engine is gone.
pub(super) struct Watchdog {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    pub(super) fn start(engine: EngineWeak, tick: Duration) -> Self {
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new().name("guest-watchdog".to_owned()).spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(tick) {
                match engine.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => break,
                }
            }
        });
        // Without the thread guests still work, but nothing stops an endless loop.
        let thread = thread
            .inspect_err(|error| tracing::error!(%error, "no watchdog: guest calls have no deadline"))
            .ok();
        Self { stop: Some(stop), thread }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread only sleeps and advances the epoch: there is no panic to report.
            let _ = thread.join();
        }
    }
}
