//! Deliberate mistakes in mm/vmscan.c and mm/mlock.c: who takes folios off the LRU lists, and who
//! puts them back. Each reference, lock, test-and-clear and flag dropped or moved, one at a time.

use selvedge_kernel::edits::{Edit, How, Site, Until};

use crate::Tree;
use crate::kernel::PG_LRU;
use crate::mm::vmscan::Vmscan;
use crate::mutants::lru::isolate_clears_then_gets;
use crate::trees::{V6_1, V6_10, V6_11};

const CLAIM: Site = Site::of("test_and_clear_bit").on("PG_lru");
const LRU_LOCK: Site = Site::of("spin_lock_irq").on("lruvec->lru_lock");

/// kernel-lru A5.
pub static A5_PUT_BEFORE_SET_LRU: Tree = V6_1.edited(
    "v6.1-put-before-set-lru",
    "6.1 with move_folios_to_lru() dropping its reference before it sets PG_lru",
    &[Edit::delay(
        Site::of("set_bit").on("PG_lru").within("move_folios_to_lru"),
        Until::Site(Site::of("atomic_sub_and_test").within("move_folios_to_lru")),
    )],
);
const SEEMS_EVICTABLE: &[Edit] = &[Edit {
    at: Site::of("test_bit").on("PG_mlocked").within("move_folios_to_lru"),
    how: How::Drop { answer: 0 },
}];

/// No `folio_evictable()`: PG_mlocked seems to be clear.
pub static PUT_BACK_MLOCKED: Tree = V6_1.edited(
    "v6.1-put-back-mlocked",
    "6.1 with move_folios_to_lru() not asking whether the folio is evictable",
    SEEMS_EVICTABLE,
);
/// The same in a tree that lets a mlocked folio get onto an evictable list without a race.
pub static V6_11_PUT_BACK_MLOCKED: Tree = V6_11.edited(
    "v6.11-put-back-mlocked",
    "6.11 with move_folios_to_lru() not asking whether the folio is evictable",
    SEEMS_EVICTABLE,
);
/// The order that the release path relies on, in reclaim.
pub static ISOLATE_CLEAR_THEN_GET: Tree = Tree {
    name: "v6.1-reclaim-clear-then-get",
    about: "6.1 with isolate_lru_folios() clearing PG_lru before it takes its reference",
    vmscan: Vmscan { isolate_folio: func!(isolate_clears_then_gets), ..V6_1.vmscan },
    ..V6_1.mutant()
};
/// kernel-lru W3: what `pageout()` asks is there for. It always sees two references: those of the
/// page cache and of its caller.
pub static PAGEOUT_ALWAYS: Tree = V6_1.edited(
    "v6.1-pageout-always",
    "6.1 with pageout() writing a folio whoever holds references",
    &[Edit {
        at: Site::of("atomic_read").on("folio->_refcount").within("pageout"),
        how: How::Drop { answer: 2 },
    }],
);
/// No `folio_get()`.
pub static ISOLATE_NO_GET: Tree = V6_10.edited(
    "v6.10-isolate-no-get",
    "6.10 with folio_isolate_lru() taking no reference",
    &[Edit::drop(Site::of("atomic_inc").on("folio->_refcount").within("folio_isolate_lru"))],
);
/// No `lru_lock`.
pub static ISOLATE_NO_LRU_LOCK: Tree = V6_10.edited(
    "v6.10-isolate-no-lru-lock",
    "6.10 with folio_isolate_lru() not taking lru_lock",
    &[Edit::drop_pair(LRU_LOCK.within("folio_isolate_lru"))],
);
/// Two steps for one.
pub static ISOLATE_TEST_THEN_CLEAR: Tree = V6_10.edited(
    "v6.10-isolate-test-then-clear",
    "6.10 with folio_isolate_lru() looking at PG_lru, then clearing it",
    &[Edit::split(CLAIM.within("folio_isolate_lru"))],
);
/// No `folio_test_clear_lru()`: PG_lru seems to be set, and is not cleared.
pub static MLOCK_NO_CLAIM: Tree = V6_10.edited(
    "v6.10-mlock-no-test-clear",
    "6.10 with __mlock_folio() editing the list without clearing PG_lru",
    &[Edit { at: CLAIM.within("__mlock_folio"), how: How::Drop { answer: PG_LRU.mask() } }],
);
/// No `mlock_count = 1`.
pub static MLOCK_NEW_UNCOUNTED: Tree = V6_10.edited(
    "v6.10-mlock-new-uncounted",
    "6.10 with __mlock_new_folio() leaving mlock_count as it is",
    &[Edit::drop(Site::of("write").on("folio->mlock_count").within("__mlock_new_folio"))],
);
/// No `lru_lock`.
pub static MLOCK_NO_LRU_LOCK: Tree = V6_10.edited(
    "v6.10-mlock-no-lru-lock",
    "6.10 with __mlock_folio() not taking lru_lock",
    &[Edit::drop_pair(LRU_LOCK.within("__mlock_folio"))],
);
