//! Settings of the engine and the bounds of a guest.

use std::time::Duration;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Bounds of what a guest may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Linear memory of one instance, in bytes: all its memories together.
    pub memory: usize,
    /// How long one call may take. It is noticed at the next tick.
    pub call: Duration,
    /// How often deadlines are looked at.
    pub tick: Duration,
    /// Calls after which an instance is thrown away.
    pub calls_per_instance: u32,
    /// Bytes of memory above which an instance is not kept after its call.
    pub kept_memory: usize,
    /// Instances that may exist at once, and so calls that may run at once.
    pub instances: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 128 << 20,
            call: Duration::from_secs(2),
            tick: Duration::from_millis(100),
            calls_per_instance: 10_000,
            kept_memory: 8 << 20,
            instances: 64,
        }
    }
}

/// Core modules, and with them memories and tables, that a component may consist of. Ours is one; a language that brings
/// its engine along has more (QuickJS with stubs for WASI: 11 modules, 3 memories, 3 tables).
const MODULES: u32 = 16;
/// Linear memories among them.
const MEMORIES: u32 = 4;

/// Bytes of an instance's memory that are cleared by writing rather than by giving the pages back.
const KEPT_RESIDENT: usize = 64 << 10;

pub(super) fn config(limits: &Limits) -> Config {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(limits.instances)
        .total_core_instances(limits.instances * MODULES)
        .total_memories(limits.instances * MEMORIES)
        .total_tables(limits.instances * MODULES)
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
        // Measured at 24 to 31 %, and still the only way that stops a loop which touches no memory.
        .epoch_interruption(true)
        .concurrency_support(false);
    config
}
