//! What guests may use, and the settings of wasmtime that follow from it.

use std::time::Duration;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

/// What guests may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Linear memory of one instance, in bytes: all its memories together.
    pub memory: usize,
    /// Calls that answer a review. A user waits for them.
    pub review: CallLimits,
    /// Calls that make a plan.
    pub reconcile: CallLimits,
    /// How long a call runs before it makes way for other tasks. Deadlines are checked that often.
    pub tick: Duration,
    /// Calls after which an instance is discarded. With 1 every call has a fresh instance.
    pub calls_per_instance: u32,
    /// Bytes of memory above which an instance is discarded after its call.
    pub kept_memory: usize,
}

/// What all calls of one sort may use together.
#[derive(Clone, Copy, Debug)]
pub struct CallLimits {
    /// How long one call may run. Where other calls run too, twice that may pass on the clock.
    pub deadline: Duration,
    /// Calls that may run at the same time. Each has an instance of its own.
    pub running: u32,
    /// Calls beyond those that may wait for their turn. More of them fail at once, with
    /// [`GuestError::Busy`](orascache_contract::GuestError::Busy).
    pub waiting: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 128 << 20,
            review: CallLimits { deadline: Duration::from_secs(1), running: 32, waiting: 256 },
            reconcile: CallLimits { deadline: Duration::from_secs(2), running: 32, waiting: 256 },
            tick: Duration::from_millis(10),
            calls_per_instance: 10_000,
            kept_memory: 8 << 20,
        }
    }
}

/// The two sorts of calls, which have limits of their own so that neither can keep the other out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// Reviews, and checks of settings.
    Review,
    /// Plans.
    Reconcile,
}

impl Limits {
    pub(super) fn of(&self, kind: CallKind) -> CallLimits {
        match kind {
            CallKind::Review => self.review,
            CallKind::Reconcile => self.reconcile,
        }
    }
}

/// Instances for threads that call a guest by themselves
/// ([`Guest::blocking`](super::Guest::blocking)), beside those for asynchronous calls.
const BLOCKING_INSTANCES: u32 = 16;
/// Core modules that a component may consist of, and with them memories and tables. Guests in Rust
/// are one module; a language that brings its engine along has more (QuickJS with stubs for WASI:
/// 11 modules, 3 memories, 3 tables).
const MODULES: u32 = 16;
/// Linear memories among them.
const MEMORIES: u32 = 4;
/// Bytes of an instance's memory that are cleared by writing zeros. Pages beyond that are given
/// back to the system.
const KEPT_RESIDENT: usize = 64 << 10;

pub(super) fn config(limits: &Limits) -> Config {
    let running = limits.review.running.saturating_add(limits.reconcile.running);
    let instances = running.saturating_add(BLOCKING_INSTANCES);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(MODULES))
        .total_memories(instances.saturating_mul(MEMORIES))
        .total_tables(instances.saturating_mul(MODULES))
        .total_stacks(instances)
        .max_memory_size(limits.memory)
        .max_core_instances_per_component(MODULES)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(MODULES)
        .linear_memory_keep_resident(KEPT_RESIDENT)
        .pagemap_scan(Enabled::Auto);

    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .memory_init_cow(true)
        // Measured at 24 to 31 % of a call, and the only way to stop a loop that touches no memory.
        .epoch_interruption(true)
        .concurrency_support(false);
    config
}
