//! The decisions of [`orascache_core`] as a Kubewarden policy: a core module that speaks waPC.
//!
//! The core decides. This crate takes requests apart, reads through the host what the decision
//! needs to know of the cluster, and turns the core's JSON Patch into the whole object that
//! Kubewarden wants.
//!
//! Built for `wasm32-unknown-unknown`, it imports functions of the waPC host and nothing else: no
//! clock, no randomness, no files. It also compiles natively, where it exports nothing, so that
//! ordinary tools check it.
//!
//! ```
//! let answer = orascache_kubewarden::validate_settings(br#"{"maximumStorage":"100Gi"}"#)?;
//! assert_eq!(answer, br#"{"valid":true}"#);
//! # Ok::<(), String>(())
//! ```
//!
//! Sources: wapc.io/docs/spec, docs.kubewarden.io (writing policies, "spec"), and the crate
//! policy-evaluator of github.com/kubewarden.

mod context;
mod document;
mod lookup;
#[cfg(target_arch = "wasm32")]
mod module;
mod operations;
mod patch;

pub use lookup::Host;
pub use operations::{PROTOCOL_VERSION, validate, validate_settings};
pub use patch::apply;
