//! The OrasCache operator: the command line, and the composition of a guest, the controller, the
//! webhooks and what surrounds them. The component decides what should exist for a cache.
//!
//! The component for OrasCaches is part of the binary:
//!
//! ```
//! use orascache_operator::EMBEDDED;
//! use orascache_runtime::{CompiledCache, Engine, Limits};
//!
//! let engine = Engine::new(Limits::default())?;
//! let interface = engine.inspect(EMBEDDED, &CompiledCache::none())?;
//! assert!(interface.imports.is_empty());
//! # Ok::<(), orascache_runtime::LoadError>(())
//! ```

pub mod cli;
pub mod command;
pub mod controller_runtime;
pub mod leader;
pub mod operator;
pub mod output;
pub mod programs;
pub mod settings;
pub mod webhooks;

mod admission;
mod attending;
mod endpoints;
mod image_configs;
#[cfg(feature = "workstation")]
mod input;
mod reconciler;
mod registries;
mod registry_events;
mod version_events;

/// The component that this binary was built with.
pub const EMBEDDED: &[u8] = include_bytes!(env!("ORASCACHE_COMPONENT_PATH"));
