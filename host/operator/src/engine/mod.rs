//! Runs a guest component: zero imports, bounded memory and time, instances reused between calls.
//!
//! Lifetimes, from long to short: one [`Engine`] a process; one [`Guest`] a loaded component; a handful of
//! instances, each used by one call at a time and thrown away after a fault, after many calls, or when
//! its memory has grown large; one call. The engine knows nothing of Kubernetes.

mod bindings;
mod compiled;
mod convert;
mod guest;
mod instances;
mod load;
mod review;
mod settings;
mod watchdog;

pub use compiled::CompiledCache;
pub use guest::Guest;
pub use load::{Interface, LoadError, digest};
pub use review::{Outcome, ReviewContext};
pub use settings::Limits;

use std::sync::Arc;
use watchdog::Watchdog;

/// The component that this binary was built with.
pub const EMBEDDED: &[u8] = include_bytes!(env!("ORASCACHE_COMPONENT_PATH"));

/// The wasmtime engine with its settings and its clock for deadlines.
#[derive(Clone)]
pub struct Engine {
    wasmtime: wasmtime::Engine,
    limits: Limits,
    /// Ticks as long as any engine of this kind lives.
    _watchdog: Arc<Watchdog>,
}

impl Engine {
    /// An engine with pooled instances.
    ///
    /// # Errors
    /// When the machine cannot give what the settings ask for (address space, mostly).
    pub fn new(limits: Limits) -> Result<Self, LoadError> {
        let wasmtime = wasmtime::Engine::new(&settings::config(&limits))
            .map_err(|error| LoadError::Engine(format!("{error:#}")))?;
        let watchdog = Arc::new(Watchdog::start(wasmtime.weak(), limits.tick));
        Ok(Self { wasmtime, limits, _watchdog: watchdog })
    }
}
