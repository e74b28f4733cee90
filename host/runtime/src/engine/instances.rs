//! A stack of idle instances. A call takes the one that was used last, whose memory is warm, or
//! makes a new one.

use super::Engine;
use super::limits::{CallKind, Limits};
use super::prepared::{Functions, Prepared};
use super::turns::{self, FIRST_TURN_TICKS, LATER_TURN_TICKS, Overrun};
use orascache_contract::GuestError;
use std::sync::{Mutex, PoisonError};
use wasmtime::{ResourceLimiter, Store, Trap};

/// A store with its instance.
pub(super) struct Instance {
    pub(super) store: Store<MemoryLimit>,
    pub(super) functions: Functions,
    calls: u32,
}

/// Bounds the memory of one instance, and remembers how much it uses.
pub(super) struct MemoryLimit {
    bytes: usize,
    used: usize,
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // A component may have several memories; the limit is for all of them.
        let used = self.used.saturating_sub(current).saturating_add(desired);
        if used > self.bytes {
            // Refusing alone would make the guest panic without a word about the reason.
            wasmtime::bail!("it wanted {used} bytes of memory, but may use {}", self.bytes);
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

/// The instances of one guest.
pub(super) struct Instances {
    engine: Engine,
    prepared: Prepared<MemoryLimit>,
    idle: Mutex<Vec<Instance>>,
}

impl Instances {
    pub(super) fn new(engine: Engine, prepared: Prepared<MemoryLimit>) -> Self {
        Self { engine, prepared, idle: Mutex::new(Vec::new()) }
    }

    /// Runs one call. When it fails, or is dropped before it has ended, its instance is discarded.
    pub(super) async fn call<R, F>(
        &self,
        kind: CallKind,
        call: impl FnOnce(Instance) -> F,
    ) -> Result<R, GuestError>
    where
        F: Future<Output = (Instance, wasmtime::Result<R>)>,
    {
        let _slot = self.engine.slots(kind).enter().await?;
        let limits = &self.engine.limits;
        let ended = self.engine.turns.run(kind, limits.of(kind).deadline, self.begin(call)).await;
        self.end(ended)
    }

    /// As [`Self::call`], on a thread that may block and that no other task waits for.
    pub(super) fn call_blocking<R, F>(
        &self,
        kind: CallKind,
        call: impl FnOnce(Instance) -> F,
    ) -> Result<R, GuestError>
    where
        F: Future<Output = (Instance, wasmtime::Result<R>)>,
    {
        let limits = &self.engine.limits;
        let ended = turns::run_blocking(limits.of(kind).deadline, self.begin(call));
        self.end(ended)
    }

    async fn begin<R, F>(
        &self,
        call: impl FnOnce(Instance) -> F,
    ) -> wasmtime::Result<(Instance, wasmtime::Result<R>)>
    where
        F: Future<Output = (Instance, wasmtime::Result<R>)>,
    {
        let idle = self.lock().pop();
        let mut instance = match idle {
            Some(instance) => instance,
            None => self.make().await.map_err(|error| error.context("it cannot be instantiated"))?,
        };
        instance.store.set_epoch_deadline(FIRST_TURN_TICKS);
        Ok(call(instance).await)
    }

    fn end<R>(
        &self,
        ended: Result<wasmtime::Result<(Instance, wasmtime::Result<R>)>, Overrun>,
    ) -> Result<R, GuestError> {
        let (mut instance, result) = ended.map_err(overrun)?.map_err(|error| stopped(&error))?;
        let result = result.map_err(|error| stopped(&error))?;
        let Limits { calls_per_instance, kept_memory, .. } = self.engine.limits;
        instance.calls += 1;
        if instance.calls < calls_per_instance && instance.store.data().used <= kept_memory {
            self.lock().push(instance);
        }
        Ok(result)
    }

    /// Discards idle instances. Later calls make new ones.
    pub(super) fn drop_idle(&self) {
        let idle = std::mem::take(&mut *self.lock());
        // Giving memory back takes a moment, during which the stack must not be locked.
        drop(idle);
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    async fn make(&self) -> wasmtime::Result<Instance> {
        let limit = MemoryLimit { bytes: self.engine.limits.memory, used: 0 };
        let mut store = Store::new(&self.engine.wasmtime, limit);
        store.limiter(|limit| limit);
        store.set_epoch_deadline(FIRST_TURN_TICKS);
        store.epoch_deadline_async_yield_and_update(LATER_TURN_TICKS);
        let functions = self.prepared.instantiate(&mut store).await?;
        Ok(Instance { store, functions, calls: 0 })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Instance>> {
        // Each change of the stack is a single push or pop: after a panic elsewhere it is still
        // whole.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn overrun(overrun: Overrun) -> GuestError {
    GuestError::Stopped(match overrun {
        Overrun::Ran(limit) => format!("it ran for more than {limit:?}"),
        Overrun::Waited(limit) => format!("it had not ended after {limit:?}, while other calls ran too"),
    })
}

fn stopped(error: &wasmtime::Error) -> GuestError {
    let why = match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => "its stack overflowed".to_owned(),
        Some(Trap::UnreachableCodeReached) => "it panicked".to_owned(),
        Some(trap) => trap.to_string(),
        None => format!("{error:#}"),
    };
    GuestError::Stopped(why)
}
