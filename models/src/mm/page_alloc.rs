//! `__alloc_contig_migrate_range()`, as a caller of `lru_cache_disable()`.
//!
//! Kept: the loop's ways out. Left out: what is isolated and migrated.
//! Source: mm/page_alloc.c of 5.11 with seed 000 applied; 6.1 lines 9193-9255.

use selvedge_kernel::{choose, enter};

use crate::Kernel;
use crate::mm::migrate::Errno;

/// How often the loop may go round in the model. The kernel gives up after five tries.
const TRIES: u32 = 2;

/// `__alloc_contig_migrate_range()`: the loop is left by its condition or by `break`.
pub fn __alloc_contig_migrate_range(k: &Kernel) -> Result<(), Errno> {
    let _in = enter("__alloc_contig_migrate_range");
    (k.tree.swap.lru_cache_disable)(k);
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
    (k.tree.swap.lru_cache_enable)(k);
    // putback_movable_pages() comes after: folios may be batched again by then.
    result
}
