//! Log lines on standard error.

use std::fmt::Display;
use std::io::Write;

/// Prefix of every line, which distinguishes it from lines of the command.
pub const PREFIX: &str = "orascache: ";

/// Writes log lines.
#[derive(Clone, Copy, Debug, Default)]
pub struct Log {
    debug: bool,
}

impl Log {
    /// A log, for which `debug` says whether [`Log::debug`] writes.
    pub fn new(debug: bool) -> Self {
        Log { debug }
    }

    /// Writes a line.
    pub fn info(&self, text: impl Display) {
        // One call writes the line, so that no line of the command gets into it. An error cannot be
        // reported anywhere.
        let line = format!("{PREFIX}{text}\n");
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }

    /// Writes a line for debugging, if they are wanted.
    pub fn debug(&self, text: impl Display) {
        if self.debug {
            self.info(text);
        }
    }
}
