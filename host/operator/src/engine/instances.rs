//! A stack of idle instances. A call takes the one that was used last (its memory is warm), or makes one.

use super::{Engine, Limits, bindings};
use orascache_controller::contract::DecideError;
use std::sync::{Mutex, PoisonError};
use wasmtime::{ResourceLimiter, Store, Trap};

/// A store with its instance.
struct Instance {
    store: Store<Bounds>,
    operator: bindings::Operator,
    calls: u32,
}

/// Bounds the memory of one instance, and remembers how much it uses.
pub(super) struct Bounds {
    memory: usize,
    used: usize,
}

impl ResourceLimiter for Bounds {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // A component may have several memories; the bound is for all of them.
        let used = self.used.saturating_sub(current).saturating_add(desired);
        if used > self.memory {
            // A guest that is merely told "no" would panic without a word about why.
            wasmtime::bail!("it wanted {used} bytes of memory, but may use {}", self.memory);
        }
        self.used = used;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE_ELEMENTS)
    }
}

/// A guest's table holds its function pointers, and nothing makes it grow.
const MAX_TABLE_ELEMENTS: usize = 10_000;

pub(super) struct Instances {
    engine: Engine,
    prepared: bindings::OperatorPre<Bounds>,
    idle: Mutex<Vec<Instance>>,
}

impl Instances {
    pub(super) fn new(engine: Engine, prepared: bindings::OperatorPre<Bounds>) -> Self {
        Self { engine, prepared, idle: Mutex::new(Vec::new()) }
    }

    /// Runs one call. Whatever goes wrong in the guest, its instance is thrown away with all it said.
    pub(super) fn call<R>(
        &self,
        call: impl FnOnce(&mut Store<Bounds>, &bindings::Operator) -> wasmtime::Result<R>,
    ) -> Result<R, DecideError> {
        let idle = self.lock().pop();
        let mut instance = match idle {
            Some(instance) => instance,
            None => self.make()?,
        };
        let limits = &self.engine.limits;
        // One tick more, since the next one may come at once.
        let ticks = limits.call.as_nanos().div_ceil(limits.tick.as_nanos().max(1)) + 1;
        instance.store.set_epoch_deadline(u64::try_from(ticks).unwrap_or(u64::MAX / 2));
        let result =
            call(&mut instance.store, &instance.operator).map_err(|error| stopped(&error, limits))?;
        instance.calls += 1;
        if instance.calls < limits.calls_per_instance && instance.store.data().used <= limits.kept_memory {
            self.lock().push(instance);
        }
        Ok(result)
    }

    /// Gives idle instances back. Calls make new ones.
    pub(super) fn rest(&self) {
        let idle = std::mem::take(&mut *self.lock());
        // Giving memory back takes a moment; nobody waits for the stack meanwhile.
        drop(idle);
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    fn make(&self) -> Result<Instance, DecideError> {
        let bounds = Bounds { memory: self.engine.limits.memory, used: 0 };
        let mut store = Store::new(&self.engine.wasmtime, bounds);
        store.limiter(|bounds| bounds);
        store.set_epoch_deadline(u64::MAX / 2);
        let operator = self
            .prepared
            .instantiate(&mut store)
            .map_err(|error| DecideError::Stopped(format!("it cannot be instantiated: {error:#}")))?;
        Ok(Instance { store, operator, calls: 0 })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Instance>> {
        // The stack is whole between its two operations, whoever panicked.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stopped(error: &wasmtime::Error, limits: &Limits) -> DecideError {
    let why = match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => format!("it ran for more than {:?}", limits.call),
        Some(Trap::StackOverflow) => "its stack overflowed".to_owned(),
        Some(Trap::UnreachableCodeReached) => "it panicked".to_owned(),
        Some(trap) => trap.to_string(),
        None => format!("{:#}", error),
    };
    DecideError::Stopped(why)
}
