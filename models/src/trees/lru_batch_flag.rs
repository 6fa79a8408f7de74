//! Seed 002: \[PATCH V4\] mm/gup: Clear the LRU flag of a page before adding to LRU batch.

use crate::Tree;
use crate::mm::gup::{Gup, LongtermDrain};
use crate::mm::swap::{LruClaim, Swap};
use crate::mm::vmscan::{Isolate, Pageout, Vmscan};
use crate::tree::Kind;
use crate::trees::{V6_1, V6_10, V6_12_117};

/// The patch as posted on 2024-07-04 (Yang Ge), on what was then 6.10. Merged as 33dfe9204f29,
/// reverted as afb99e9f5004.
pub static SEED_002_V4: Tree = Tree {
    name: "seed-002-v4",
    kind: Kind::Patch,
    base: "v6.10",
    about: "[PATCH V4] mm/gup: Clear the LRU flag of a page before adding to LRU batch, 2024-07-04",
    swap: Swap { lru_claim: LruClaim::AtAdd, ..V6_10.swap },
    ..V6_10
};

/// kernel-lru D7: the patch with its two steps the other way round.
pub static D7_CLEAR_THEN_GET: Tree = Tree {
    name: "seed-002-v4-clear-then-get",
    kind: Kind::Mutant,
    base: "seed-002-v4",
    about: "seed-002-v4 with PG_lru cleared before the reference is taken",
    swap: Swap { lru_claim: LruClaim::AtAddBeforeGet, ..SEED_002_V4.swap },
    ..SEED_002_V4
};

/// The order that the release path relies on, in reclaim.
pub static ISOLATE_CLEAR_THEN_GET: Tree = Tree {
    name: "v6.1-reclaim-clear-then-get",
    kind: Kind::Mutant,
    base: "v6.1",
    about: "6.1 with isolate_lru_folios() clearing PG_lru before it takes its reference",
    vmscan: Vmscan { isolate: Isolate::ClearThenGet, ..V6_1.vmscan },
    ..V6_1
};

/// A long-term pin that never drains.
pub static PIN_WITHOUT_DRAIN: Tree = Tree {
    name: "v6.12.117-pin-without-drain",
    kind: Kind::Mutant,
    base: "v6.12.117",
    about: "6.12.117 with collect_longterm_unpinnable_folios() never draining",
    gup: Gup { drain: LongtermDrain::Never },
    ..V6_12_117
};

/// kernel-lru W3: what `pageout()` asks is there for.
pub static PAGEOUT_ALWAYS: Tree = Tree {
    name: "v6.1-pageout-always",
    kind: Kind::Mutant,
    base: "v6.1",
    about: "6.1 with pageout() writing a folio whoever holds references",
    vmscan: Vmscan { pageout: Pageout::Always, ..V6_1.vmscan },
    ..V6_1
};
