//! The thread that writes records, and the queue before it.

use super::metrics::{Dropped, Metrics};
use super::redact::Left;
use super::ring::{Appended, OpenError, Ring};
use super::{Decision, Options, Record, Redaction};
use crate::engine::Guest;
use prometheus_client::registry::Registry;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, TrySendError, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

/// Decisions that may wait for the writer.
const WAITING: usize = 1_024;
/// Bytes that they may keep in memory.
const WAITING_BYTES: usize = 32 << 20;

/// Why recording cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is no thread.
    #[error("there is no thread for recording: {0}")]
    Thread(#[source] io::Error),
}

/// Takes decisions in, and writes them when there is time. Dropping it writes what was taken in.
pub struct Recorder {
    queue: Option<SyncSender<Message>>,
    /// Bytes that wait.
    waiting: Arc<AtomicUsize>,
    metrics: Metrics,
    directory: PathBuf,
    thread: Option<JoinHandle<()>>,
}

enum Message {
    Decided { at: u64, size: usize, by: Arc<Guest>, decision: Box<Decision> },
    Flush(Sender<()>),
}

impl Recorder {
    /// Opens the folder and starts the thread.
    ///
    /// # Errors
    /// When the folder cannot be used; the sentence says what to do.
    pub fn start(options: Options, registry: &mut Registry) -> Result<Self, StartError> {
        let ring = Ring::open(&options.directory, options.bounds)?;
        let metrics = Metrics::register(registry);
        let (queue, messages) = sync_channel(WAITING);
        let waiting = Arc::new(AtomicUsize::new(0));
        let writer = Writer {
            ring,
            redaction: Redaction::new(options.redact),
            metrics: metrics.clone(),
            waiting: waiting.clone(),
            complaint: String::new(),
        };
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || writer.run(&messages))
            .map_err(StartError::Thread)?;
        let directory = options.directory;
        Ok(Self { queue: Some(queue), waiting, metrics, directory, thread: Some(thread) })
    }

    /// Takes in what a guest decided. Never waits: when the writer is behind, the decision is dropped and counted.
    pub fn record(&self, by: &Arc<Guest>, decision: Decision) {
        let size = decision.size();
        let waiting = self.waiting.fetch_add(size, Ordering::Relaxed);
        let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
        let message = Message::Decided { at, size, by: by.clone(), decision: Box::new(decision) };
        let sent = match &self.queue {
            Some(queue) if waiting + size <= WAITING_BYTES => queue.try_send(message),
            _ => Err(TrySendError::Full(message)),
        };
        if sent.is_err() {
            self.waiting.fetch_sub(size, Ordering::Relaxed);
            self.metrics.dropped(Dropped::Busy);
        }
    }

    /// Waits until everything that was taken in is in the files. Blocks the thread.
    pub fn flush(&self) {
        let (done, flushed) = channel();
        // Without a writer there is nothing to wait for.
        if self.queue.as_ref().is_some_and(|queue| queue.send(Message::Flush(done)).is_ok()) {
            let _ = flushed.recv();
        }
    }

    /// Where the records are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // A panic in it was reported where it happened.
            let _ = thread.join();
        }
    }
}

struct Writer {
    ring: Ring,
    redaction: Redaction,
    metrics: Metrics,
    waiting: Arc<AtomicUsize>,
    /// What was logged last, so that a lasting problem is logged once.
    complaint: String,
}

impl Writer {
    fn run(mut self, messages: &Receiver<Message>) {
        loop {
            let message = match messages.try_recv() {
                Ok(message) => message,
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {
                    // Nothing waits: what was written so far survives the end of this process.
                    self.flush();
                    match messages.recv() {
                        Ok(message) => message,
                        Err(_) => break,
                    }
                }
            };
            match message {
                Message::Decided { at, size, by, decision } => {
                    self.write(at, &by, *decision);
                    self.waiting.fetch_sub(size, Ordering::Relaxed);
                }
                Message::Flush(done) => {
                    self.flush();
                    // Whoever asked may have gone.
                    let _ = done.send(());
                }
            }
        }
        self.flush();
    }

    fn write(&mut self, at: u64, by: &Guest, decision: Decision) {
        let (decision, redacted, altered) = match self.redaction.apply(&decision) {
            Left::All => (decision, false, false),
            Left::Part(left) => {
                let recorded = left.again(by);
                let altered = !recorded.decides_like(&decision);
                (recorded, true, altered)
            }
            Left::Unreadable => return self.metrics.dropped(Dropped::Unreadable),
        };
        let component = by.interface().digest.clone();
        let record = Record { at, component, redacted, altered, decision };
        let appended = record.to_line().map_err(io::Error::from).and_then(|line| self.ring.append(&line));
        match appended {
            Ok(Appended::Kept) => {
                self.metrics.written.inc();
                if altered {
                    self.metrics.altered.inc();
                }
                self.metrics.bytes.set(i64::try_from(self.ring.bytes()).unwrap_or(i64::MAX));
            }
            Ok(Appended::TooLarge) => self.metrics.dropped(Dropped::TooLarge),
            Err(error) => {
                self.metrics.dropped(Dropped::Failed);
                self.complain(&error);
            }
        }
    }

    fn flush(&mut self) {
        match self.ring.flush() {
            Ok(()) => {}
            Err(error) => self.complain(&error),
        }
    }

    fn complain(&mut self, error: &io::Error) {
        let complaint = error.to_string();
        if complaint != self.complaint {
            tracing::warn!(%error, "decisions cannot be recorded just now; they are made all the same");
            self.complaint = complaint;
        }
    }
}
