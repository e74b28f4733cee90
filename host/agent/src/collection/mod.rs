//! The garbage collection of a distribution registry: `supervise-registry` runs the registry as a
//! child, and frees the space of what was deleted, at the request of `prune`.
//!
//! Distribution's collector tolerates no writers, and the registry learns only at its start that it
//! is read-only. So a collection starts the registry again read-only, runs the collector beside it,
//! and starts it again with writes.
//!
//! - `args` is the command line of both sides;
//! - `machine` decides what happens when, as a pure function; `supervise` does it;
//! - `registry` finds the registry of an image, `collector` runs and reads its collector;
//! - `protocol` is what both sides say to each other; `collections` decides who is answered what,
//!   `server` serves it, and `client` is the side of `prune`.

mod args;
mod client;
mod collections;
mod collector;
mod machine;
mod protocol;
mod registry;
mod server;
mod supervise;

pub use args::{CollectionArgs, SuperviseArgs};
pub use client::after;
pub use supervise::execute;
