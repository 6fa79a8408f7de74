//! `__alloc_contig_migrate_range()`, as a caller of `lru_cache_disable()`; direct compaction.
//!
//! Kept: the loop's ways out; that direct compaction is PF_MEMALLOC. Left out: what the loop
//! isolates and migrates; the allocation itself.
//! Source: mm/page_alloc.c of 5.11 with the RFC of 2021-02-11 applied; 6.1 lines 9193-9255;
//! `__alloc_pages_direct_compact()` and `page_alloc_cpu_dead()` of 6.1.192 and 6.12.117.

use selvedge_kernel::{choose, enter};

use crate::Kernel;
use crate::mm::compaction::try_to_compact_pages;
use crate::mm::migrate::Errno;
use crate::mm::mlock::mlock_drain_remote;
use crate::mm::swap::lru_add_drain_cpu;

/// How often the loop may go round in the model. The kernel gives up after five tries.
const TRIES: u32 = 2;

/// `__alloc_contig_migrate_range()`: the loop is left by its condition or by `break`.
pub fn __alloc_contig_migrate_range(k: &Kernel) -> Result<(), Errno> {
    let _in = enter("__alloc_contig_migrate_range");
    (k.tree.swap.lru_cache_disable())(k);
    let mut result = Ok(());
    for _ in 0..TRIES {
        match choose("migrate_pages", 3) {
            0 => break,
            1 => {
                // fatal_signal_pending(current)
                result = Err(Errno::Interrupted);
                break;
            }
            _ => result = Err(Errno::Busy),
        }
    }
    (k.tree.swap.lru_cache_enable())(k);
    // putback_movable_pages() comes after: folios may be batched again by then.
    result
}

/// `page_alloc_cpu_dead()`: some time after `cpu` went down, and before `cpu_down()` returns. Left
/// out: free pages that are cached for the CPU, and statistics.
pub fn page_alloc_cpu_dead(k: &Kernel, cpu: usize) {
    let _in = enter("page_alloc_cpu_dead");
    lru_add_drain_cpu(k, cpu);
    mlock_drain_remote(k, cpu);
}

/// `__alloc_pages_direct_compact()`, by a task that found no free memory of the order it wants:
/// compacts under `memalloc_noreclaim_save()`, which sets PF_MEMALLOC.
pub(super) fn __alloc_pages_direct_compact(k: &Kernel, may_enter_fs: bool) {
    let _in = enter("__alloc_pages_direct_compact");
    try_to_compact_pages(k, true, may_enter_fs);
}
