//! How a command fails, and the runtime for its asynchronous part.

use anyhow::Context;

/// Why a command did not succeed.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The input is usable, and the answer is no (exit code 1).
    Refused(anyhow::Error),
    /// The input or the arguments are not usable (exit code 2).
    Unusable(anyhow::Error),
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Failed::Refused(error)
    }
}

/// Runs the asynchronous part of a command.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no threads for the asynchronous runtime")
}
