//! Lines for people, on standard error.

use std::fmt::Display;
use std::io::Write;

/// In front of every line, so that it is not taken for one of the command's.
pub const PREFIX: &str = "orascache: ";

/// Writes lines. A copy is as good as the original.
#[derive(Clone, Copy, Debug, Default)]
pub struct Log {
    debug: bool,
}

impl Log {
    /// With `debug`, [`Log::debug`] writes too.
    pub fn new(debug: bool) -> Self {
        Log { debug }
    }

    /// Writes a line.
    pub fn info(&self, text: impl Display) {
        // At once, so that lines of the command do not end up within it. Nobody can be told when it fails.
        let line = format!("{PREFIX}{text}\n");
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }

    /// Writes a line, if that was asked for.
    pub fn debug(&self, text: impl Display) {
        if self.debug {
            self.info(text);
        }
    }
}
