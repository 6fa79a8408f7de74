//! Buffer heads, and the bh_lru.

use selvedge_kernel::{Var, fail, fail_about};
use selvedge_models::{BH_DIRTY, PG_DIRTY};
use selvedge_trace::Rule;

use selvedge_monitors::REFERENCES_BALANCE;

use super::Ids;
use crate::Run;
use crate::look::{Look, Place};

/// What references of bh_lru slots are for.
pub const A_FREED_BH_IS_NOT_FOUND: Rule = Rule("a bh that a lookup returned is not freed");
/// What `i_private_lock` and b_count are for.
pub const NOBODY_HAS_A_MOVING_BH: Rule = Rule("nobody holds a bh while its buffers move");
/// What migration of buffers hopes for.
pub const LRU_ONLY_BUFFERS_MIGRATE_AT_ONCE: Rule =
    Rule("buffers that only bh_lrus hold migrate in one call");

/// What `end_buffer_async_write()` looks at the other buffers for.
pub const WRITEBACK_LASTS_FOR_ALL_BUFFERS: Rule =
    Rule("a folio is under writeback until its last buffer is written");
/// What the dirty bits of a folio and of its buffers are for.
pub const WHAT_IS_CLEAN_IS_ON_DISK: Rule = Rule("what is not marked dirty is on the disk");
/// What the barrier of `set_buffer_uptodate()` and the acquire of `buffer_uptodate()` are for.
pub const AN_UPTODATE_BUFFER_HAS_BEEN_READ: Rule =
    Rule("who sees BH_Uptodate sees what was read into the buffer");
/// What a caller of fsync() relies on.
pub const A_SYNC_WRITES_WHAT_WAS_DIRTY: Rule =
    Rule("what was dirty before a sync is on the disk after it");
/// What `invalidate_bh_lrus()` is for.
pub const AN_INVALIDATION_EMPTIES_EVERY_BH_LRU: Rule =
    Rule("invalidate_bh_lrus() leaves nothing that was in a bh_lru before");
/// What the references of a bh_lru's slots are for.
pub const A_BH_LRU_OWNS_WHAT_IT_HOLDS: Rule =
    Rule("a bh_lru has a reference to each bh in it, and to no other");

pub(super) const IDS_OF_BH_LRU: Ids = &[
    ("freed-bh", A_FREED_BH_IS_NOT_FOUND),
    ("moving-bh", NOBODY_HAS_A_MOVING_BH),
    ("buffers-migrate", LRU_ONLY_BUFFERS_MIGRATE_AT_ONCE),
    ("writeback-lasts", WRITEBACK_LASTS_FOR_ALL_BUFFERS),
    ("clean-on-disk", WHAT_IS_CLEAN_IS_ON_DISK),
    ("buffer-read", AN_UPTODATE_BUFFER_HAS_BEEN_READ),
    ("sync-writes", A_SYNC_WRITES_WHAT_WAS_DIRTY),
    ("bh-lrus-emptied", AN_INVALIDATION_EMPTIES_EVERY_BH_LRU),
    ("bh-lru-owns", A_BH_LRU_OWNS_WHAT_IT_HOLDS),
];

/// [`REFERENCES_BALANCE`] of bh0, at the end: its user has a reference, and each slot of a bh_lru.
pub fn slots_own_references<L: Look + ?Sized>(k: &L) {
    let slots = (0..k.cpus())
        .flat_map(|cpu| (0..k.bh_lru_size()).map(move |slot| Place::BhLruSlot { cpu, slot }));
    let expected = 1 + slots.filter(|&slot| k.value(slot) == 1).count() as i64;
    let count = k.value(Place::BhCount(0));
    if count != expected {
        let message = format!("bh0->b_count is {count}, should be {expected}");
        k.fail(REFERENCES_BALANCE, message, Place::BhCount(0));
    }
}

/// [`WHAT_IS_CLEAN_IS_ON_DISK`], of folio0 without buffers, when no I/O is under way.
pub fn the_disk_has_the_folio(k: &Run, disk: &Var) {
    let (written, contents) = (disk.peek(), k.folios[0].contents.peek());
    if !k.folios[0].flags.peek(PG_DIRTY) && written != contents {
        let message = format!("folio0 is clean with {contents}, and the disk has {written}");
        fail_about(WHAT_IS_CLEAN_IS_ON_DISK, message, disk.object());
    }
}

/// [`WHAT_IS_CLEAN_IS_ON_DISK`], of the buffers of folio0, when no I/O is under way;
/// [`Run::outcome`] is what the disk has of bh0.
pub fn what_is_clean_is_on_disk(k: &Run) {
    let is_folio_dirty = k.folios[0].flags.peek(PG_DIRTY);
    for bh in &k.buffer_heads {
        if bh.b_state.peek(BH_DIRTY) && !is_folio_dirty {
            let message = format!("bh{} is dirty, and its folio is not", bh.index);
            fail_about(WHAT_IS_CLEAN_IS_ON_DISK, message, bh.b_state.object());
        }
    }
    let bh = &k.buffer_heads[0];
    let (written, contents) = (k.outcome.peek(), bh.contents.peek());
    if !bh.b_state.peek(BH_DIRTY) && written != contents {
        let message = format!("bh0 is clean with {contents}, and the disk has {written}");
        fail_about(WHAT_IS_CLEAN_IS_ON_DISK, message, k.outcome.object());
    }
}

/// No bh_lru has anything, as the rule says.
pub fn no_bh_is_left(k: &Run, rule: Rule) {
    for cpu in k.cpus.possible() {
        if let Some(slot) = k.bh_lrus.of(cpu).iter().find(|slot| slot.peek() != 0) {
            let message = format!("bh{} is in the bh_lru of CPU{cpu}", slot.peek() - 1);
            fail_about(rule, message, slot.object());
        }
    }
}

/// [`A_BH_LRU_OWNS_WHAT_IT_HOLDS`], where nobody else has a reference to a bh.
pub fn bh_lrus_own_what_they_hold(k: &Run) {
    for bh in &k.buffer_heads {
        let slots = k.cpus.possible().flat_map(|cpu| k.bh_lrus.of(cpu));
        let held = slots.filter(|slot| slot.peek() == bh.index as u64 + 1).count() as i64;
        let count = bh.b_count.peek();
        if count != held {
            let message = format!("bh{} is in {held} bh_lrus, its b_count is {count}", bh.index);
            fail_about(A_BH_LRU_OWNS_WHAT_IT_HOLDS, message, bh.b_count.object());
        }
    }
}

/// [`A_FREED_BH_IS_NOT_FOUND`]: a bh with a reference is not freed.
pub fn referenced_bh_is_not_freed(k: &Run) {
    let bh = &k.buffer_heads[0];
    if bh.b_count.peek() > 0 {
        bh_is_not_freed(bh.freed.peek());
    }
}

/// [`A_FREED_BH_IS_NOT_FOUND`], asked by whoever has found bh0.
pub fn bh_is_not_freed(freed: u64) {
    if freed != 0 {
        fail(A_FREED_BH_IS_NOT_FOUND, "bh0 is freed, and somebody has found it");
    }
}
