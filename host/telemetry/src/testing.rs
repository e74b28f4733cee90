//! A log that tests read.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::dispatcher::{Dispatch, set_default};
use tracing::field::{Field, Visit};
use tracing::span;
use tracing::{Event, Level, Metadata, Subscriber};

/// One log message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogMessage {
    /// Its level.
    pub level: Level,
    /// The module that logged it.
    pub target: String,
    /// Its text, followed by its fields as `name=value`.
    pub text: String,
}

impl LogMessage {
    /// Whether people are to look at it: a warning or an error.
    pub fn is_warning(&self) -> bool {
        self.level <= Level::WARN
    }
}

/// A subscriber that keeps all messages. Clones share them.
///
/// ```
/// use orascache_telemetry::testing::CapturedLog;
///
/// let log = CapturedLog::default();
/// tracing::subscriber::with_default(log.clone(), || tracing::warn!(peer = 7, "it is closed"));
/// assert_eq!(log.warnings(), ["it is closed peer=7"]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct CapturedLog(Arc<Mutex<Vec<LogMessage>>>);

impl CapturedLog {
    /// Runs a test on a runtime of its own, and gives it a log with the messages of that runtime's
    /// threads. Other threads of the process, such as those of other tests, log elsewhere.
    ///
    /// ```
    /// use orascache_telemetry::testing::CapturedLog;
    ///
    /// CapturedLog::of_runtime(|log| async move {
    ///     tokio::spawn(async { tracing::warn!("it is closed") }).await.unwrap();
    ///     std::thread::spawn(|| tracing::warn!("elsewhere")).join().unwrap();
    ///     assert_eq!(log.warnings(), ["it is closed"]);
    /// });
    /// ```
    ///
    /// # Panics
    /// When the system does not start the threads.
    #[allow(clippy::expect_used, reason = "this is for tests, whose failures are panics")]
    pub fn of_runtime<F: Future>(test: impl FnOnce(Self) -> F) -> F::Output {
        let log = Self::default();
        let dispatch = Dispatch::new(log.clone());
        let of_threads = dispatch.clone();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            // The thread keeps it until it ends.
            .on_thread_start(move || std::mem::forget(set_default(&of_threads)))
            .build()
            .expect("a runtime");
        let _of_this_thread = set_default(&dispatch);
        runtime.block_on(test(log))
    }

    /// All messages so far, in their order.
    pub fn messages(&self) -> Vec<LogMessage> {
        self.lock().clone()
    }

    /// Texts of the warnings and errors so far.
    pub fn warnings(&self) -> Vec<String> {
        self.lock()
            .iter()
            .filter(|message| message.is_warning())
            .map(|message| message.text.clone())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<LogMessage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscriber for CapturedLog {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        // Spans are not kept, so that they need not be told apart.
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let metadata = event.metadata();
        self.lock().push(LogMessage {
            level: *metadata.level(),
            target: metadata.target().to_owned(),
            text: text.message + &text.fields,
        });
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
