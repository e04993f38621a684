//! How much one call into the component may use. Every number here says how it was found.

use wasmtime::{InstanceAllocationStrategy, PoolingAllocationConfig, ResourceLimiter, StoreLimits, StoreLimitsBuilder};

/// Bytes of linear memory. The largest batch (8,190 items, 16,380 accounts) takes under 5 MiB.
pub const MEMORY_MAX: usize = 64 << 20;

/// Bytes of linear memory that a slot of the pool keeps from one call to the next, cleaned. What a call grew its memory to beyond is given
/// back to the system, and costs the next such call a page fault for each 4 KiB.
const MEMORY_KEPT: usize = 8 << 20;

/// Fuel that every call gets, whatever it handles: as much as the largest batch takes.
pub const FUEL_BASE: u64 = 20_000_000;

/// Fuel for each account, window, transfer and item of a call. The largest batch takes 760 for each (19 million in all); a test keeps it
/// under a tenth of the limit. With all six windows of each account it takes 1,250 for each (154 million in all). Fuel is used and not time,
/// so that the same call stops at the same point on every machine; counting it is a tenth of the component's work.
pub const FUEL_PER_ENTRY: u64 = 10_000;

/// Calls that run at the same time, half of them batches and half previews. Each has a slot in the instance pool.
pub const CALLS_MAX: usize = 8;

/// What a call may use, as wasmtime asks for it.
pub(super) struct CallLimits {
    limits: StoreLimits,
}

impl CallLimits {
    pub(super) fn new() -> CallLimits {
        let limits = StoreLimitsBuilder::new().memory_size(MEMORY_MAX).instances(4).memories(1).tables(4).build();
        CallLimits { limits }
    }

    pub(super) fn limiter(&mut self) -> &mut dyn ResourceLimiter {
        &mut self.limits
    }
}

/// The fuel of a call that handles so many accounts, windows, transfers and items.
pub(super) fn fuel(entries: usize) -> u64 {
    let entries = u64::try_from(entries).expect("a length fits 64 bits");
    FUEL_BASE + FUEL_PER_ENTRY * entries
}

/// Instances are taken from a pool made at start: a fresh one costs microseconds.
pub(super) fn pool() -> InstanceAllocationStrategy {
    let calls = u32::try_from(CALLS_MAX).expect("a handful");
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(calls)
        .total_core_instances(4 * calls)
        .total_memories(calls)
        .total_tables(4 * calls)
        .linear_memory_keep_resident(MEMORY_KEPT)
        .max_memory_size(MEMORY_MAX);
    InstanceAllocationStrategy::Pooling(pool)
}
