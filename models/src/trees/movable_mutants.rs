//! Mutants of movable pages that are one step left out or split: kernel-lru E.
//!
//! That PG_isolated is set and cleared atomically (E9) has no mutant here: releases up to 5.17 are
//! it.

use selvedge_kernel::edits::{Edit, How, Site};

use crate::Tree;
use crate::mm::movable::Movable;
use crate::mutants::movable as mutants;
use crate::trees::{LRU_AS_MOBILE, V5_3_ATOMIC, V5_16_ATOMIC, V6_12_117};

/// 6.12.117 with this step changed.
const fn steps(name: &'static str, about: &'static str, edits: &'static [Edit]) -> Tree {
    Tree { name, about, edits, ..V6_12_117.mutant() }
}

/// kernel-lru E1.
pub static E1_NOT_MARKED: Tree = steps(
    "E1-not-marked",
    "6.12.117 with isolate_movable_page() not setting PG_isolated",
    &[Edit::drop(Site::of("set_bit").on("PG_isolated").within("isolate_movable_page"))],
);

/// kernel-lru E1 of a page on the LRU.
pub static E1_LRU_SPLIT: Tree = Tree {
    name: "E1-lru-split",
    about: "lru-as-mobile with folio_isolate_lru() clearing PG_lru in two steps",
    edits: &[Edit::split(Site::of("test_and_clear_bit").on("PG_lru").within("folio_isolate_lru"))],
    ..LRU_AS_MOBILE.mutant()
};

/// kernel-lru E2: the look at PG_slab before the one at the type.
pub static E2_NO_FIRST_LOOK: Tree = steps(
    "E2-no-first-look",
    "6.12.117 with isolate_movable_page() not looking at PG_slab before the type",
    &[Edit::drop(Site::of("test_bit").on("PG_slab").within("isolate_movable_page").nth(0))],
);

/// kernel-lru E2: the look at PG_slab after the one at the type.
pub static E2_NO_SECOND_LOOK: Tree = steps(
    "E2-no-second-look",
    "6.12.117 with isolate_movable_page() not looking at PG_slab after the type",
    &[Edit::drop(Site::of("test_bit").on("PG_slab").within("isolate_movable_page").nth(1))],
);

/// kernel-lru E2: the barrier that the first look needs.
pub static E2_NO_FIRST_SMP_RMB: Tree = steps(
    "E2-no-first-smp-rmb",
    "6.12.117 without the smp_rmb() between the first look at PG_slab and the type",
    &[Edit::drop(Site::of("smp_rmb").within("isolate_movable_page").nth(0))],
);

/// kernel-lru E2: its other half.
pub static E2_NO_SMP_WMB_IN_FREE: Tree = steps(
    "E2-no-smp-wmb-in-free",
    "6.12.117 without the smp_wmb() of __free_slab()",
    &[Edit::drop(Site::of("smp_wmb").within("__free_slab"))],
);

/// kernel-lru E2: the barrier that the second look needs.
pub static E2_NO_SMP_RMB: Tree = steps(
    "E2-no-smp-rmb",
    "6.12.117 without the smp_rmb() between the type and the second look at PG_slab",
    &[Edit::drop(Site::of("smp_rmb").within("isolate_movable_page").nth(1))],
);

/// kernel-lru E2: its other half.
pub static E2_NO_SMP_WMB: Tree = steps(
    "E2-no-smp-wmb",
    "6.12.117 without the smp_wmb() of alloc_slab_page()",
    &[Edit::drop(Site::of("smp_wmb").within("alloc_slab_page"))],
);

/// kernel-lru E5: who waits for isolated pages is not woken.
pub static E5_NO_WAKE_UP: Tree = Tree {
    name: "E5-no-wake-up",
    about: "5.16 with zs_pool_dec_isolated() not waking zs_destroy_pool()",
    edits: &[Edit::drop(Site::of("read").on("pool->destroying").within("zs_pool_dec_isolated"))],
    ..V5_16_ATOMIC.mutant()
};

/// What afe8605ca454 adds.
pub static E5_NO_BARRIER_AFTER_DEC: Tree = Tree {
    name: "E5-no-mb-after-dec",
    about: "5.16 without the smp_mb__after_atomic() of zs_pool_dec_isolated()",
    edits: &[Edit::drop(Site::of("smp_mb__after_atomic").within("zs_pool_dec_isolated"))],
    ..V5_16_ATOMIC.mutant()
};

/// What it pairs with.
pub static E5_NO_BARRIER_AFTER_DESTROYING: Tree = Tree {
    name: "E5-no-mb-after-destroying",
    about: "5.16 without the smp_mb() of zs_unregister_migration()",
    edits: &[Edit::drop(Site::of("smp_mb").within("zs_unregister_migration"))],
    ..V5_16_ATOMIC.mutant()
};

/// `kick_deferred_free()` as if the work were queued already.
const NOT_KICKED: &[Edit] = &[Edit {
    at: Site::of("test_and_set_bit").on("pool->free_work").within("queue_work_on"),
    how: How::Drop { answer: 1 },
}];

/// kernel-lru E6.
pub static E6_NOT_KICKED: Tree =
    steps("E6-not-kicked", "6.12.117 with kick_deferred_free() not queueing free_work", NOT_KICKED);

/// kernel-lru E6, while isolated pages have their zspage on no list.
pub static E6_NOT_KICKED_5_3: Tree = Tree {
    name: "v5.3-E6-not-kicked",
    about: "5.3 with free_work not queued",
    edits: NOT_KICKED,
    ..V5_3_ATOMIC.mutant()
};

/// kernel-lru E7.
pub static E7_NO_ZSPAGE_LOCK: Tree = steps(
    "E7-no-zspage-lock",
    "6.12.117 with lock_zspage() walking without zspage->lock",
    &[Edit::drop_pair(Site::of("spin_lock").on("zspage->lock").within("lock_zspage"))],
);

/// kernel-lru E12.
pub static E12_LRU_LOCK_KEPT: Tree = Tree {
    name: "E12-lru-lock-kept",
    about: "6.12.117 with lru_lock held while a driver isolates a page",
    movable: Movable { core: &mutants::KEEPS_LRU_LOCK, ..V6_12_117.movable },
    ..V6_12_117.mutant()
};

/// kernel-lru E15: putback without its part of the count.
pub static E15_NOT_COUNTED: Tree = steps(
    "E15-not-counted",
    "6.12.117 with balloon_page_putback() not counting down isolated_pages",
    &[Edit::drop(Site::of("write").on("isolated_pages").within("balloon_page_putback"))],
);
