//! `folio_mark_accessed()`: the second access of an inactive folio puts it into the activate batch,
//! which has a reference to it.
//!
//! Left out: MGLRU, idle tracking. Scenarios that use no batch but `lru_add` leave it out.
//! Source: mm/swap.c of 6.12.117.

use selvedge_kernel::{clear_bit, enter, local_lock, local_unlock, reached, set_bit, test_bit};

use crate::kernel::{PG_ACTIVE, PG_LRU, PG_REFERENCED, PG_UNEVICTABLE};
use crate::mm::swap::folio_activate;
use crate::{Folio, Kernel};

/// `folio_mark_accessed()`
pub fn folio_mark_accessed(k: &Kernel, folio: &Folio) {
    if !k.modelled.operations {
        return;
    }
    let _in = enter("folio_mark_accessed");
    let flags = &folio.flags;
    if !test_bit(PG_REFERENCED, flags) {
        set_bit(PG_REFERENCED, flags);
    } else if !test_bit(PG_UNEVICTABLE, flags) && !test_bit(PG_ACTIVE, flags) {
        match test_bit(PG_LRU, flags) {
            true => folio_activate(k, folio),
            false => __lru_cache_activate_folio(k, folio),
        }
        clear_bit(PG_REFERENCED, flags);
        reached("an access activated a folio");
    }
}

/// `__lru_cache_activate_folio()`: a folio that rests in the `lru_add` batch of this CPU is marked
/// active there.
pub fn __lru_cache_activate_folio(k: &Kernel, folio: &Folio) {
    let _in = enter("__lru_cache_activate_folio");
    local_lock(&k.cpus, &k.fbatch_locks.lock);
    let batch = &k.cpu_fbatches.this_cpu_ptr().lru_add;
    if batch.entries().contains(&folio.index) {
        set_bit(PG_ACTIVE, &folio.flags);
    }
    local_unlock(&k.cpus, &k.fbatch_locks.lock);
}
