//! \[PATCH V4\] mm/gup: Clear the LRU flag of a page before adding to LRU batch (Yang Ge, 2024),
//! and a mutant of what it is about.

use selvedge_kernel::edits::{Edit, How, Site};

use crate::kernel::PG_LRU;
use crate::mm::gup::{Gup, LongtermDrain};
use crate::mm::swap::LruClaim;
use crate::trees::{V6_10, V6_12_117};
use crate::{Commit, Tree};

/// Merged as 33dfe9204f29, reverted as afb99e9f5004.
static CLEAR_BEFORE_ADD: Commit = Commit::posted(
    "[PATCH V4] mm/gup: Clear the LRU flag of a page before adding to LRU batch \
     (Yang Ge, 2024-07-04)",
    &[set!(swap.lru_claim = LruClaim::AtAdd)],
);

/// The patch on what was then 6.10.
pub static LRU_FLAG_BEFORE_BATCH_V4: Tree = Tree {
    name: "lru-flag-before-batch-v4",
    aliases: &["seed-002-v4"],
    about: CLEAR_BEFORE_ADD.title,
    ..V6_10.patched(&[&CLEAR_BEFORE_ADD])
};

/// A long-term pin that never drains: it asks for PG_lru, as up to 6.10, and is told that it is
/// set.
pub static PIN_WITHOUT_DRAIN: Tree = Tree {
    name: "v6.12.117-pin-without-drain",
    about: "6.12.117 with collect_longterm_unpinnable_folios() never draining",
    gup: Gup { drain: LongtermDrain::OffLru, ..V6_12_117.gup },
    edits: &[Edit {
        at: Site::of("test_bit").on("PG_lru").within("collect_longterm_unpinnable_folios"),
        how: How::Drop { answer: PG_LRU.mask() },
    }],
    ..V6_12_117.mutant()
};
