//! \[PATCH V4\] mm/gup: Clear the LRU flag of a page before adding to LRU batch (Yang Ge, 2024),
//! and mutants of what it relies on.

use crate::mm::gup::{Gup, LongtermDrain};
use crate::mm::swap::LruClaim;
use crate::mm::vmscan::{Isolate, Pageout, Vmscan};
use crate::trees::{V6_1, V6_10, V6_12_117};
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

/// The order that the release path relies on, in reclaim.
pub static ISOLATE_CLEAR_THEN_GET: Tree = Tree {
    name: "v6.1-reclaim-clear-then-get",
    about: "6.1 with isolate_lru_folios() clearing PG_lru before it takes its reference",
    vmscan: Vmscan { isolate: Isolate::ClearThenGet, ..V6_1.vmscan },
    ..V6_1.faulty()
};

/// A long-term pin that never drains.
pub static PIN_WITHOUT_DRAIN: Tree = Tree {
    name: "v6.12.117-pin-without-drain",
    about: "6.12.117 with collect_longterm_unpinnable_folios() never draining",
    gup: Gup { drain: LongtermDrain::Never },
    ..V6_12_117.faulty()
};

/// kernel-lru W3: what `pageout()` asks is there for.
pub static PAGEOUT_ALWAYS: Tree = Tree {
    name: "v6.1-pageout-always",
    about: "6.1 with pageout() writing a folio whoever holds references",
    vmscan: Vmscan { pageout: Pageout::Always, ..V6_1.vmscan },
    ..V6_1.faulty()
};
