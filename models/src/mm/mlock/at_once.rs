//! mlocks that are counted at once: while the unevictable list or an `lru_add` batch has the folio,
//! by `cmpxchg()`; the batch is for the others. Its entries have no reference.
//!
//! Kept: where the count is kept and where it is not; PG_mlocked, which munlock clears itself.
//! Left out: the page-table lock around the callers, all statistics but NR_MLOCK.
//! Source: mm/mlock.c of linux-mm at 0a99d0b06974.

use selvedge_kernel::{
    READ_ONCE, clear_bit, cmpxchg, enter, kernel_assert, local_lock, local_unlock, plain_write,
    reached, set_bit, spin_unlock_irq, test_and_clear_bit, test_and_set_bit, test_bit,
};

use super::{MlockEntry, count_mlocked, folio_lruvec_relock_irq};
use crate::kernel::{EVICTABLE, PG_ACTIVE, PG_LRU, PG_MLOCKED, PG_UNEVICTABLE, UNEVICTABLE};
use crate::mm::swap::{Batch, folio_put, folio_try_get, lruvec_add_folio, lruvec_del_folio};
use crate::{Folio, Kernel};

/// `MLOCK_COUNT_0`: the count is kept, and is no pointer of a list. Its value is ours: above
/// `LIST_POISON2`, and so that the count can be read off it (`0x10001` is one mlock).
pub const MLOCK_COUNT_0: u64 = 1 << 16;
/// `MLOCK_COUNT_1`: one mlock.
pub const MLOCK_COUNT_1: u64 = 1;

/// `mod_mlock_count()`: the count as it is then, or 0 where none is kept.
fn mod_mlock_count(folio: &Folio, by: i64) -> u64 {
    let mut count = READ_ONCE(&folio.mlock_count);
    while count & MLOCK_COUNT_0 != 0 {
        let changed = count.wrapping_add_signed(by);
        if changed < MLOCK_COUNT_0 {
            return MLOCK_COUNT_0;
        }
        let was = cmpxchg(&folio.mlock_count, count, changed);
        if was == count {
            return changed;
        }
        count = was;
    }
    0
}

/// `mlock_folio()`: where the count is kept there is no more to do.
pub fn mlock_folio_at_once(k: &Kernel, folio: &Folio) {
    let _in = enter("mlock_folio");
    if !test_and_set_bit(PG_MLOCKED, &folio.flags) {
        count_mlocked(k, 1);
    }
    if mod_mlock_count(folio, MLOCK_COUNT_1 as i64) != 0 {
        return;
    }
    batch_without_reference(k, MlockEntry::Lru(folio.index));
}

/// `munlock_folio()`: where no count is kept the folio may be mlocked by others; it is munlocked
/// all the same.
pub fn munlock_folio_at_once(k: &Kernel, folio: &Folio) {
    let _in = enter("munlock_folio");
    if mod_mlock_count(folio, -(MLOCK_COUNT_1 as i64)) > MLOCK_COUNT_0 {
        return;
    }
    if test_and_clear_bit(PG_MLOCKED, &folio.flags) {
        count_mlocked(k, -1);
    }
    batch_without_reference(k, MlockEntry::Munlock(folio.index));
}

fn batch_without_reference(k: &Kernel, entry: MlockEntry) {
    kernel_assert(k.modelled.mlock, "the scenario says that it does not mlock");
    local_lock(&k.cpus, &k.mlock_lock);
    let fbatch = k.mlock_fbatch.this_cpu_ptr();
    let may_be_cached = !entry.folio(k).is_large;
    if !fbatch.add(k, entry) || !may_be_cached || (k.tree.swap.lru_cache_disabled())(k) {
        mlock_folio_batch_unreferenced(k, fbatch);
    } else {
        reached("a folio was left in the mlock batch");
    }
    local_unlock(&k.cpus, &k.mlock_lock);
}

/// `mlock_folio_batch()`: a reference of each entry for the time of the drain.
pub fn mlock_folio_batch_unreferenced(k: &Kernel, fbatch: &Batch<MlockEntry>) {
    let _in = enter("mlock_folio_batch");
    let mut locked = false;
    let mut held = Vec::new();
    for entry in fbatch.entries() {
        let folio = entry.folio(k);
        if !folio_try_get(folio, fbatch.holder) {
            reached(MLOCKED_FOLIO_WAS_FREED);
            continue;
        }
        held.push(folio.index);
        match entry {
            MlockEntry::Munlock(_) => __munlock_folio_at_once(k, folio, &mut locked),
            MlockEntry::Lru(_) | MlockEntry::New(_) => __mlock_folio_at_once(k, folio, &mut locked),
        }
    }
    if locked {
        spin_unlock_irq(&k.cpus, &k.lru_lock);
    }
    for index in held {
        folio_put(k, &k.folios[index], fbatch.holder);
    }
    fbatch.reinit();
}

/// An entry of the mlock batch has outlived its folio.
pub const MLOCKED_FOLIO_WAS_FREED: &str = "the mlock batch passed over a folio that is free";
/// An entry of the mlock batch was counted on top of others.
pub const COUNTED_AGAIN: &str = "a deferred mlock was counted of a folio that is counted";

/// `__mlock_folio()`: of a folio whose count was not kept when it was mlocked.
fn __mlock_folio_at_once(k: &Kernel, folio: &Folio, locked: &mut bool) {
    let _in = enter("__mlock_folio");
    if !test_and_clear_bit(PG_LRU, &folio.flags) {
        reached("__mlock_folio() found the folio off the LRU");
        return;
    }
    folio_lruvec_relock_irq(k, locked);
    lruvec_del_folio(k, folio);
    let mut list = EVICTABLE;
    if !test_bit(PG_MLOCKED, &folio.flags) {
        if test_bit(PG_UNEVICTABLE, &folio.flags) {
            clear_bit(PG_UNEVICTABLE, &folio.flags);
        }
    } else if test_bit(PG_UNEVICTABLE, &folio.flags) {
        list = UNEVICTABLE;
        if test_bit(PG_MLOCKED, &folio.flags) {
            mod_mlock_count(folio, MLOCK_COUNT_1 as i64);
            reached(COUNTED_AGAIN);
        }
    } else {
        list = UNEVICTABLE;
        clear_bit(PG_ACTIVE, &folio.flags);
        set_bit(PG_UNEVICTABLE, &folio.flags);
        if !test_bit(PG_MLOCKED, &folio.flags) {
            plain_write(&folio.mlock_count, MLOCK_COUNT_0);
        } else if mod_mlock_count(folio, MLOCK_COUNT_1 as i64) == 0 {
            plain_write(&folio.mlock_count, MLOCK_COUNT_0 + MLOCK_COUNT_1);
        }
        reached("a folio was moved to the unevictable list");
    }
    lruvec_add_folio(k, folio, list);
    set_bit(PG_LRU, &folio.flags);
}

/// `__munlock_folio()`: back to the lists that reclaim scans, if it is evictable.
fn __munlock_folio_at_once(k: &Kernel, folio: &Folio, locked: &mut bool) {
    let _in = enter("__munlock_folio");
    if !test_and_clear_bit(PG_LRU, &folio.flags) {
        // Which event is counted, if any: stranded.
        reached(MUNLOCK_FOUND_IT_OFF_THE_LRU);
        return;
    }
    folio_lruvec_relock_irq(k, locked);
    lruvec_del_folio(k, folio);
    let mut list = EVICTABLE;
    if test_bit(PG_UNEVICTABLE, &folio.flags) {
        if test_bit(PG_MLOCKED, &folio.flags) {
            list = UNEVICTABLE;
        } else {
            clear_bit(PG_UNEVICTABLE, &folio.flags);
        }
    }
    lruvec_add_folio(k, folio, list);
    set_bit(PG_LRU, &folio.flags);
}

/// A deferred munlock met a folio that somebody else has taken.
pub const MUNLOCK_FOUND_IT_OFF_THE_LRU: &str = "__munlock_folio() found the folio off the LRU";
