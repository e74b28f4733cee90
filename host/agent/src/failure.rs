//! Why a step failed other than by its command.

use crate::exit;
use crate::signals::Cancelled;
use crate::transfer::TransferFailure;

/// The exit code of a failed step, and a sentence for its termination message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepFailure {
    /// The exit code.
    pub code: u8,
    /// What went wrong.
    pub sentence: String,
}

impl StepFailure {
    /// A failure.
    pub fn new(code: u8, sentence: impl Into<String>) -> Self {
        StepFailure { code, sentence: sentence.into() }
    }

    /// The end of a step by a signal that came before its command was started.
    pub fn cancelled(Cancelled(signal): Cancelled) -> Self {
        let sentence = format!("{signal} came before the command was started, so that it was not");
        StepFailure::new(exit::of_signal(signal as i32), sentence)
    }

    /// The failure of a transfer. `code` is that of failures which the request did not cause.
    pub fn of_transfer(failure: TransferFailure, code: u8) -> Self {
        match failure {
            TransferFailure::BadRequest(sentence) => StepFailure::new(exit::BAD_REQUEST, sentence),
            TransferFailure::Failed(sentence) => StepFailure::new(code, sentence),
            TransferFailure::Cancelled => StepFailure::new(code, "the transfer was given up"),
        }
    }
}
