//! Compaction: moves folios out of the way, for a task that allocates (direct), for the node's
//! kcompactd, or for whoever writes to `compact_memory`.
//!
//! Kept: this CPU's batches are drained first, which makes a folio isolatable that the task itself
//! has just added; which folios are passed over; the order PG_lru, reference, rules, PG_lru; the
//! modes of the callers.
//! Left out: zones, page blocks, the free scanner (the target is the source's spare), throttling,
//! dirty folios and those under writeback, movable pages that are no folios; pinned anonymous
//! folios and unevictable ones, which are passed over; the second look at PG_lru under `lru_lock`;
//! that `lru_lock` is kept from one folio to the next.
//! Source: mm/compaction.c `compact_zone()`, `isolate_migratepages_block()`,
//! `compact_zone_order()`, `kcompactd_do_work()`, `compact_node()` of 6.1.192 and 6.12.117, the
//! same in all that is kept.

use selvedge_kernel::{
    enter, plain_read, reached, spin_lock_irqsave, spin_unlock_irqrestore, test_and_clear_bit,
    test_bit,
};

use crate::kernel::PG_LRU;
use crate::mm::migrate::{ISOLATION, Migrator, Mode, migrate_pages, putback_movable_pages};
use crate::mm::swap::{folio_put, folio_try_get, lru_add_drain, lruvec_del_folio};
use crate::{Folio, Kernel};

/// `struct compact_control`.
#[derive(Clone, Copy, Debug)]
pub struct CompactControl {
    /// Who compacts: `mode`, and what it may do.
    pub who: Migrator,
    /// Is `__GFP_FS` in `gfp_mask`?
    pub may_enter_fs: bool,
}

/// Compaction that left the folios of files alone.
pub const PASSED_OVER_A_FILE: &str = "compaction without __GFP_FS passed over a folio of a file";

/// `compact_zone()`: how many of the isolated folios stayed where they were.
pub fn compact_zone(k: &Kernel, cc: CompactControl) -> usize {
    let _in = enter("compact_zone");
    lru_add_drain(k);
    let isolated = isolate_migratepages_block(k, cc);
    if isolated.is_empty() {
        return 0;
    }
    let left = migrate_pages(k, &isolated, cc.who);
    putback_movable_pages(k, &left);
    left.len()
}

/// `isolate_migratepages_block()`, of the folios that the scenario begins with: which it isolated.
pub fn isolate_migratepages_block(k: &Kernel, cc: CompactControl) -> Vec<usize> {
    let _in = enter("isolate_migratepages_block");
    let folios = k.folios[..k.sizes.folios].iter();
    folios.filter(|folio| isolate(k, folio, cc)).map(|folio| folio.index).collect()
}

/// PG_lru is cleared only with a reference: who frees a folio relies on it.
fn isolate(k: &Kernel, folio: &Folio, cc: CompactControl) -> bool {
    if !test_bit(PG_LRU, &folio.flags) || !folio_try_get(folio, ISOLATION) {
        return false;
    }
    let is_of_file = plain_read(&folio.mapping) != 0;
    if is_of_file && !cc.may_enter_fs {
        reached(PASSED_OVER_A_FILE);
        folio_put(k, folio, ISOLATION);
        return false;
    }
    if !test_and_clear_bit(PG_LRU, &folio.flags) {
        folio_put(k, folio, ISOLATION);
        return false;
    }
    spin_lock_irqsave(&k.cpus, &k.lru_lock);
    lruvec_del_folio(k, folio);
    spin_unlock_irqrestore(&k.cpus, &k.lru_lock);
    reached("compaction isolated a folio");
    true
}

/// `kcompactd_do_work()`: MIGRATE_SYNC_LIGHT, by a thread that allocates nothing.
pub fn kcompactd_do_work(k: &Kernel) {
    let _in = enter("kcompactd_do_work");
    let who = Migrator { mode: Mode::SyncLight, memalloc: false };
    compact_zone(k, CompactControl { who, may_enter_fs: true });
}

/// `compact_node()`, for `/proc/sys/vm/compact_memory`: MIGRATE_SYNC. How many folios it isolated
/// and could not move.
pub fn compact_node(k: &Kernel) -> usize {
    let _in = enter("compact_node");
    let who = Migrator { mode: Mode::Sync, memalloc: false };
    compact_zone(k, CompactControl { who, may_enter_fs: true })
}

/// `try_to_compact_pages()` for the two priorities that `__alloc_pages_slowpath()` goes through if
/// the first does not help: MIGRATE_ASYNC, then MIGRATE_SYNC_LIGHT; never MIGRATE_SYNC.
pub fn try_to_compact_pages(k: &Kernel, memalloc: bool, may_enter_fs: bool) {
    for mode in [Mode::Async, Mode::SyncLight] {
        let _in = enter("try_to_compact_pages");
        compact_zone(k, CompactControl { who: Migrator { mode, memalloc }, may_enter_fs });
    }
}
