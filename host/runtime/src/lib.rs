//! Runs any guest of the WIT package: components that decide and import nothing.
//!
//! [`Engine`] loads a component as a [`Guest`] and runs its calls with bounded memory and time,
//! fair to the other tasks of the process. A [`Version`] is a guest at work: its decisions can be
//! recorded ([`record`]), made again ([`replay`]), and handed over to a new version while the
//! process runs ([`hot_swap`]), which is a [`Canary`] at first.
//!
//! This crate knows no API server, no webhooks and no kinds of objects. The program that uses it
//! observes the cluster, passes that to a guest, and carries out the guest's plans.
//!
//! ```
//! use orascache_runtime::{CompiledCache, Engine, Limits};
//!
//! let engine = Engine::new(Limits::default())?;
//! // A component may not import anything, and must export the reconciler.
//! let refused = engine.load(b"\0asm\x01\0\0\0", &CompiledCache::none()).err();
//! let sentence = refused.map(|error| error.to_string()).unwrap_or_default();
//! assert!(sentence.contains("core WebAssembly module, not a component"), "{sentence}");
//! # Ok::<(), orascache_runtime::LoadError>(())
//! ```

pub mod hot_swap;
pub mod record;
pub mod replay;

mod canary;
mod digest;
mod engine;
mod version;

pub use canary::{Canary, CanaryPolicy};
pub use digest::digest;
pub use engine::{
    BlockingGuest, CallCounts, CallKind, CallLimits, CompiledCache, CompiledCode, Engine, Guest, Interface,
    Limits, LoadError, compile_ahead,
};
pub use version::{ActiveVersion, Version};
