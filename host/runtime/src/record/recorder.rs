//! The thread that writes records, and the queue before it.

use super::metrics::{Dropped, Metrics};
use super::redact::Redacted;
use super::ring::{Appended, Capacity, OpenError, Ring};
use super::{Decision, Record, Redaction};
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
/// Bytes of memory that they may keep.
const WAITING_BYTES: usize = 32 << 20;

/// What is recorded, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder. It is made when missing, and must be this user's alone.
    pub directory: PathBuf,
    /// How much is kept.
    pub capacity: Capacity,
    /// Names beside the built-in ones whose values are left out; see [`Redaction`].
    pub redact: Vec<String>,
}

impl Options {
    /// The default capacity, and nothing left out but what always is.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), capacity: Capacity::default(), redact: Vec::new() }
    }
}

/// Why recording cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The system gives no thread.
    #[error("there is no thread for recording: {0}")]
    Thread(#[source] io::Error),
}

/// Queues decisions, and writes them from a thread of its own. Dropping it writes what is queued.
pub struct Recorder {
    queue: Option<SyncSender<Message>>,
    /// Bytes of the decisions in the queue.
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
    /// Opens the folder and starts the thread. Metrics are registered as `records_written` and so
    /// on: the registry gives them a prefix.
    ///
    /// # Errors
    /// When the folder cannot be used; the sentence says what to do.
    pub fn start(options: Options, registry: &mut Registry) -> Result<Self, StartError> {
        let ring = Ring::open(&options.directory, options.capacity)?;
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

    /// Queues what a guest decided. Never waits: when the queue is full, the decision is dropped
    /// and counted.
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

    /// Waits until everything in the queue is in the files. Blocks the thread.
    pub fn flush(&self) {
        let (done, flushed) = channel();
        // Sending fails when the writer has ended; then there is nothing to wait for.
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
            // The panic hook has reported a panic of the thread.
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
                    // There is time: what was written so far then survives the end of this process.
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
                    // The caller of `flush` may have been dropped.
                    let _ = done.send(());
                }
            }
        }
        self.flush();
    }

    fn write(&mut self, at: u64, by: &Guest, decision: Decision) {
        let (decision, redacted, altered) = match self.redaction.apply(by.describe(), &decision) {
            Redacted::Unchanged => (decision, false, false),
            Redacted::Changed(input) => {
                let recorded = input.again(by);
                let altered = !recorded.decides_like(&decision);
                (recorded, true, altered)
            }
            Redacted::Unreadable => return self.metrics.dropped(Dropped::Unreadable),
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
            tracing::warn!(%error, "decisions cannot be recorded just now; the operator works on without records");
            self.complaint = complaint;
        }
    }
}
