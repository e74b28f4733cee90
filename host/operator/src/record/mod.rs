//! Keeps what the component was asked and what it said, so that decisions can be looked at and repeated elsewhere.
//!
//! Decisions are pure functions: input and output are all there is to know about one. `decision` is one of them,
//! `redact` leaves out what must not be kept, `form` is its text, `ring` the files, `recorder` the thread that
//! writes them, `read` reads them again. A decision is never held up: what cannot be taken in at once is dropped
//! and counted.

mod decision;
mod form;
mod metrics;
mod read;
mod recorder;
mod redact;
mod ring;

pub use decision::Decision;
pub use form::Record;
pub use read::{Damage, Found, Place, latest, records};
pub use recorder::{Recorder, StartError};
pub use redact::Redaction;
pub use ring::Bounds;

use std::path::PathBuf;

/// What is recorded, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder. It is made when missing, and must be this user's alone.
    pub directory: PathBuf,
    /// How much is kept.
    pub bounds: Bounds,
    /// Names beside the built-in ones whose values are left out; see [`Redaction`].
    pub redact: Vec<String>,
}

impl Options {
    /// The default bounds, and nothing left out but what always is.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), bounds: Bounds::default(), redact: Vec::new() }
    }
}
