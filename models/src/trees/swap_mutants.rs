//! Deliberate mistakes in mm/swap.c: each reference, lock, test-and-clear and flag of the batches,
//! and each step of their drains, dropped or moved, one at a time. Some claim must catch each.

use selvedge_kernel::edits::{Edit, How, Site, Until};

use crate::Tree;
use crate::kernel::PG_LRU;
use crate::mm::swap::Swap;
use crate::mutants::lru::{
    drains_remotely, every_folio_may_be_lru_cached, looks_up_then_locks,
    lru_cache_disable_by_rcu_unforced, lru_cache_disable_by_unforced_work,
    lru_cache_disable_without_rcu, raises_the_generation_late, reads_the_generation_late,
    zeroes_the_count_first,
};
use crate::trees::{
    ANNOTATE_ALL, LRU_FLAG_BEFORE_BATCH_V4, MM_STABLE_2026_07, V5_11, V5_13, V5_18, V6_1, V6_10,
    V6_12_117,
};

/// 5.18 without `synchronize_rcu()`.
pub static V5_18_NO_SYNCHRONIZE_RCU: Tree = Tree {
    name: "v5.18-no-synchronize-rcu",
    about: "5.18 with synchronize_rcu() dropped from lru_cache_disable()",
    swap: Swap { lru_cache_disable: func!(lru_cache_disable_without_rcu), ..V5_18.swap },
    ..V5_18.mutant()
};

/// 5.13 with a drain that may be left to somebody else.
pub static V5_13_UNFORCED: Tree = Tree {
    name: "v5.13-unforced-drain",
    about: "5.13 with lru_cache_disable() calling lru_add_drain_all(), which may exit early",
    swap: Swap { lru_cache_disable: func!(lru_cache_disable_by_unforced_work), ..V5_13.swap },
    ..V5_13.mutant()
};

/// 5.18 with a drain that may be left to somebody else.
pub static V5_18_UNFORCED: Tree = Tree {
    name: "v5.18-unforced-drain",
    about: "5.18 with lru_cache_disable() calling lru_add_drain_all(), which may exit early",
    swap: Swap { lru_cache_disable: func!(lru_cache_disable_by_rcu_unforced), ..V5_18.swap },
    ..V5_18.mutant()
};

const BARRIER_OF_DRAIN: Site = Site::of("smp_mb").within("__lru_add_drain_all");

/// kernel-lru A1(b).
pub static A1B_NO_BARRIER_BEFORE_READ: Tree = V6_1.edited(
    "v6.1-drain-no-mb-before-read",
    "6.1 with the smp_mb() before the generation is read dropped",
    &[Edit::drop(BARRIER_OF_DRAIN.nth(0))],
);

/// kernel-lru A1(c).
pub static A1C_NO_BARRIER_AFTER_BUMP: Tree = V6_1.edited(
    "v6.1-drain-no-mb-after-bump",
    "6.1 with the smp_mb() after the generation is raised dropped",
    &[Edit::drop(BARRIER_OF_DRAIN.nth(1))],
);

/// kernel-lru A1(d).
pub static A1D_BUMP_AFTER_LOOP: Tree = Tree {
    name: "v6.1-drain-bump-after-loop",
    about: "6.1 with the generation raised after the loop over CPUs",
    swap: Swap { __lru_add_drain_all: func!(raises_the_generation_late), ..V6_1.swap },
    ..V6_1.mutant()
};

/// kernel-lru A1(e): slower, not wrong.
pub static A1E_READ_UNDER_MUTEX: Tree = Tree {
    name: "v6.1-drain-read-under-mutex",
    about: "6.1 with the generation read after the mutex was taken: no early exits",
    swap: Swap { __lru_add_drain_all: func!(reads_the_generation_late), ..V6_1.swap },
    ..V6_1.mutant()
};

/// What the local lock is there for.
pub static DRAINS_REMOTELY: Tree = Tree {
    name: "annotated-and-drains-remotely",
    about: "annotate-has-bh-in-lru-too with lru_add_drain_all() emptying other CPUs' batches \
            itself, not by work",
    swap: Swap { __lru_add_drain_all: func!(drains_remotely), ..ANNOTATE_ALL.swap },
    ..ANNOTATE_ALL.mutant()
};

/// kernel-lru A3.
pub static A3_ROTATE_DRAIN_IRQS_ON: Tree = V6_1.edited(
    "v6.1-rotate-drain-irqs-on",
    "6.1 with the rotate batch drained with interrupts on",
    &[Edit::drop_pair(Site::of("local_lock_irqsave").within("lru_add_drain_cpu"))],
);

/// PG_lru seems to be set, and is not cleared.
pub(super) const fn no_claim(function: &'static str) -> Edit {
    let at = Site::of("test_and_clear_bit").on("PG_lru").within(function);
    Edit { at, how: How::Drop { answer: PG_LRU.mask() } }
}

/// kernel-lru A4.
pub static A4_MOVE_WITHOUT_CLAIM: Tree = V6_1.edited(
    "v6.1-move-without-test-clear",
    "6.1 with folio_batch_move_lru() not clearing PG_lru before it edits the list",
    &[no_claim("folio_batch_move_lru")],
);

/// kernel-lru A6.
pub static A6_NO_BARRIER_IN_LRU_ADD: Tree = V5_11.edited(
    "v5.11-lru-add-no-mb",
    "5.11 with the smp_mb__after_atomic() of __pagevec_lru_add_fn() dropped",
    &[Edit::drop(Site::of("smp_mb__after_atomic").within("folio_batch_move_lru"))],
);

/// kernel-lru A6: what the order of the two steps is there for. (What is moved by other batches
/// gets PG_lru back when its task ends. No claim about this tree uses them.)
pub static A6_MLOCKED_READ_FIRST: Tree = V5_11.edited(
    "v5.11-lru-add-mlocked-first",
    "5.11 with PG_mlocked read before PG_lru is set",
    &[Edit::delay(
        SET_LRU,
        Until::Site(Site::of("test_bit").on("PG_mlocked").within("folio_batch_move_lru")),
    )],
);

const GET: Site = Site::of("atomic_inc").on("folio->_refcount");
const PUT: Site = Site::of("atomic_sub_and_test").on("folio->_refcount");
const LOCAL_LOCK: Site = Site::of("local_lock");
const SET_LRU: Site = Site::of("set_bit").on("PG_lru").within("folio_batch_move_lru");
const LRU_LOCK: Site = Site::of("spin_lock_irqsave").on("lruvec->lru_lock");

/// No `folio_get()`.
pub static BATCH_NO_GET: Tree = V6_10.edited(
    "v6.10-batch-no-get",
    "6.10 with a batch that takes no reference of its folio",
    &[
        Edit::drop(GET.within("folio_rotate_reclaimable")),
        Edit::drop(GET.within("folio_deactivate")),
        Edit::drop(GET.within("folio_mark_lazyfree")),
        Edit::drop(GET.within("folio_activate")),
    ],
);
/// The count is not compared: it seems to be the batch's one reference.
pub static BATCH_FREES_ANYTHING: Tree = MM_STABLE_2026_07.edited(
    "mm-stable-2026-07-batch-frees-anything",
    "mm/swap.c of July 2026 with a batch that frees new folios whoever else has them",
    &[Edit {
        at: Site::of("atomic_cmpxchg").within("folio_batch_move_lru"),
        how: How::Drop { answer: 1 },
    }],
);
/// No `local_lock()`.
pub static BATCH_NO_LOCAL_LOCK: Tree = V6_10.edited(
    "v6.10-batch-no-local-lock",
    "6.10 with a folio added to its batch without the local lock",
    &[
        Edit::drop_pair(LOCAL_LOCK.within("folio_deactivate")),
        Edit::drop_pair(LOCAL_LOCK.within("folio_mark_lazyfree")),
        Edit::drop_pair(LOCAL_LOCK.within("folio_activate")),
    ],
);
/// What the local lock says of the batch that it is taken for.
pub static BATCH_LOOKED_UP_FIRST: Tree = Tree {
    name: "v6.12.117-batch-looked-up-first",
    about: "6.12.117 with the batch of this CPU looked up before the local lock is taken",
    swap: Swap { lock_and_add: func!(looks_up_then_locks), ..V6_12_117.swap },
    ..V6_12_117.mutant()
};
/// No `folio_may_be_lru_cached()`.
pub static BATCH_LARGE_FOLIO: Tree = Tree {
    name: "v6.10-batch-keeps-large-folios",
    about: "6.10 with large folios left in batches",
    swap: Swap { folio_may_be_lru_cached: func!(every_folio_may_be_lru_cached), ..V6_10.swap },
    ..V6_10.mutant()
};
/// No `lru_lock`.
pub static MOVE_NO_LRU_LOCK: Tree = V6_10.edited(
    "v6.10-move-no-lru-lock",
    "6.10 with folio_batch_move_lru() not taking lru_lock",
    &[Edit::drop_pair(LRU_LOCK.within("folio_batch_move_lru"))],
);
/// No `folio_set_lru()`.
pub static MOVE_NO_SET_LRU: Tree = V6_10.edited(
    "v6.10-move-no-set-lru",
    "6.10 with folio_batch_move_lru() not setting PG_lru again",
    &[Edit::drop(SET_LRU)],
);
/// No `folios_put()`.
pub static MOVE_NO_PUT: Tree = V6_10.edited(
    "v6.10-move-no-put",
    "6.10 with folio_batch_move_lru() not dropping its references",
    &[Edit::drop(PUT.within("folio_batch_move_lru"))],
);
/// `folio_batch_reinit()` first.
pub static MOVE_COUNT_ZEROED_FIRST: Tree = Tree {
    name: "v6.10-move-count-zeroed-first",
    about: "6.10 with folio_batch_move_lru() zeroing the count of the batch before it moves the \
            folios",
    swap: Swap { folio_batch_move_lru: func!(zeroes_the_count_first), ..V6_10.swap },
    ..V6_10.mutant()
};
/// No `lru_lock` with the last reference.
pub static FREE_NO_LRU_LOCK: Tree = V6_10.edited(
    "v6.10-free-no-lru-lock",
    "6.10 with __page_cache_release() not taking lru_lock",
    &[Edit::drop_pair(LRU_LOCK.within("__page_cache_release"))],
);
/// No `folio_put()` by who gives up.
pub static V4_NO_PUT_ON_GIVING_UP: Tree = Tree {
    aliases: &["seed-002-v4-no-put-on-giving-up"],
    ..LRU_FLAG_BEFORE_BATCH_V4.edited(
        "lru-flag-before-batch-v4-no-put-on-giving-up",
        "lru-flag-before-batch-v4 with an adder that finds PG_lru clear keeping its reference",
        &[
            Edit::drop(PUT.within("folio_rotate_reclaimable")),
            Edit::drop(PUT.within("deactivate_file_folio")),
            Edit::drop(PUT.within("folio_deactivate")),
            Edit::drop(PUT.within("folio_mark_lazyfree")),
            Edit::drop(PUT.within("folio_activate")),
        ],
    )
};
