//! Runs guests: components without imports, with bounded memory and time, in instances that are
//! reused between calls.
//!
//! Lifetimes, from long to short: one [`Engine`] for each process; one [`Guest`] for each loaded
//! component; a handful of instances, each used by one call at a time and discarded after a fault,
//! after many calls, or when its memory has grown; one call.
//!
//! `load` loads a component after `interface` has checked it, `compiled_cache` keeps it compiled in
//! a `trusted_directory`, `ahead` compiles it for other machines, `prepared` finds the functions, `instances` has the instances, `slots`
//! and `turns` share the machine between calls, `convert` translates between the generated types
//! and the contract's.

mod ahead;
mod bindings;
mod compiled_cache;
mod convert;
mod guest;
mod instances;
mod interface;
mod limits;
mod load;
mod prepared;
mod slots;
mod trusted_directory;
mod turns;
mod watchdog;

pub use ahead::{CompiledCode, compile_ahead};
pub use compiled_cache::CompiledCache;
pub use guest::{BlockingGuest, Guest};
pub use interface::{Interface, LoadError};
pub use limits::{CallKind, CallLimits, Limits};
pub use slots::CallCounts;

use slots::Slots;
use std::sync::Arc;
use turns::Turns;
use watchdog::Watchdog;

/// The wasmtime engine with its settings, its watchdog, and the limits that all its guests share.
#[derive(Clone)]
pub struct Engine {
    wasmtime: wasmtime::Engine,
    limits: Limits,
    reviews: Arc<Slots>,
    reconciles: Arc<Slots>,
    turns: Arc<Turns>,
    /// Runs as long as any clone of this engine lives.
    _watchdog: Arc<Watchdog>,
}

impl Engine {
    /// An engine with pooled instances.
    ///
    /// # Errors
    /// When the machine cannot give what the limits ask for, which is mostly address space.
    pub fn new(limits: Limits) -> Result<Self, LoadError> {
        let wasmtime = wasmtime::Engine::new(&limits::config(&limits))
            .map_err(|error| LoadError::Engine(format!("{error:#}")))?;
        let watchdog = Arc::new(Watchdog::start(wasmtime.weak(), limits.tick));
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            wasmtime,
            limits,
            reviews: Arc::new(Slots::new(CallKind::Review, limits.review)),
            reconciles: Arc::new(Slots::new(CallKind::Reconcile, limits.reconcile)),
            turns: Arc::new(Turns::new(processors)),
            _watchdog: watchdog,
        })
    }

    /// How many calls of a sort run and wait just now, those of all guests together. Calls of
    /// [`Guest::blocking`] are not among them.
    pub fn calls(&self, kind: CallKind) -> CallCounts {
        self.slots(kind).counts()
    }

    fn slots(&self, kind: CallKind) -> &Slots {
        match kind {
            CallKind::Review => &self.reviews,
            CallKind::Reconcile => &self.reconciles,
        }
    }
}
