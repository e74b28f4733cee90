//! The OrasCache module as a Kubewarden policy: a core module that speaks waPC, with [`orascache_core`] behind it.
//!
//! What is decided is decided there. This crate takes requests apart, reads from the cluster through the host what the
//! decision asks for, and turns our JSON patch into the whole object that Kubewarden wants.
//!
//! Built for `wasm32-unknown-unknown` it imports functions of the waPC host and nothing else: no clock, no randomness, no
//! files. It also compiles natively, where it exports nothing, so that ordinary tools check it.
//!
//! Sources: wapc.io/docs/spec, docs.kubewarden.io (writing policies, "spec"), and the crate policy-evaluator of
//! github.com/kubewarden.

mod context;
mod document;
#[cfg(target_arch = "wasm32")]
mod module;
mod operations;
mod patch;

pub use context::Host;
pub use operations::{PROTOCOL_VERSION, validate, validate_settings};
pub use patch::apply;
