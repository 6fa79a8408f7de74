//! Buffer heads, and the bh_lru.

use selvedge_kernel::fail;
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

pub(super) const IDS_OF_BH_LRU: Ids = &[
    ("freed-bh", A_FREED_BH_IS_NOT_FOUND),
    ("moving-bh", NOBODY_HAS_A_MOVING_BH),
    ("buffers-migrate", LRU_ONLY_BUFFERS_MIGRATE_AT_ONCE),
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
