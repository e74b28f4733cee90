//! Keeps the input and output of guests' calls, so that decisions can be looked at and replayed
//! elsewhere.
//!
//! Decisions are pure functions: input and output are all there is to know about one. `decision` is
//! one of them; `redact` leaves out what must not be kept; `line` is the text of a record, and
//! `version1` the text that earlier releases wrote; `ring` has the files; `recorder` the thread
//! that writes them; `read` reads them again. A decision never waits for its record: what the
//! recorder cannot take at once is dropped and counted.

mod decision;
mod line;
mod metrics;
mod read;
mod recorder;
mod redact;
mod ring;
mod version1;

pub use decision::Decision;
pub use line::Record;
pub use read::{Damage, Entry, Location, latest, records};
pub use recorder::{Options, Recorder, StartError};
pub use redact::{Redaction, rules};
pub use ring::{Capacity, OpenError};
