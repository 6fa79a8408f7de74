//! Buffer heads, and the bh_lru.

use selvedge_kernel::fail;
use selvedge_trace::Rule;

use super::Ids;
use crate::Run;

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
