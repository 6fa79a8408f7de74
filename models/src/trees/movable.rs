//! Pages that drivers have made movable: kernel-lru E. What was posted in 2015, releases with one
//! commit of a later one on top, and drivers with a mistake.

use selvedge_kernel::edits::{Edit, How, Site};

use crate::kernel::PG_LOCKED;
use crate::mm::movable::{self, Driver, Movable};
use crate::mm::{balloon_compaction as balloon, zsmalloc};
use crate::mutants::{movable as mutants, movable_driver as mistakes};
use crate::trees::{V4_2, V4_8, V4_14, V5_3, V5_16, V6_1, V6_12_117};
use crate::{Commit, Tree};

static ENABLE_MOBILE: Commit = Commit::posted(
    "[PATCH 2/4] mm/compaction: enable mobile-page migration, with [PATCH 3/4] (Gioh Kim, \
     2015-07-13)",
    &[set!(movable.core = &movable::POSTED_2015), set!(movable.balloon = &balloon::POSTED_2015)],
);

/// Posted on 4.1, which is as 4.2 in what is modelled.
pub static MOBILE_2015: Tree =
    Tree { name: "mobile-2015", about: ENABLE_MOBILE.title, ..V4_2.patched(&[&ENABLE_MOBILE]) };

static LRU_BEHIND_CALLBACKS: Commit = Commit::posted(
    "LRU pages behind the same callbacks, which lock what they need (Mel Gorman, in answer to \
     mobile-2015)",
    &[
        set!(movable.core = &movable::LRU_AS_MOBILE),
        set!(movable.balloon = &balloon::LRU_AS_MOBILE),
        set!(movable.module = &movable::OWN_LOCKS),
    ],
);

/// What Mel Gorman proposed in answer to it.
pub static LRU_AS_MOBILE: Tree = Tree {
    name: "lru-as-mobile",
    about: LRU_BEHIND_CALLBACKS.title,
    ..MOBILE_2015.patched(&[&LRU_BEHIND_CALLBACKS])
};

/// 356ea3865687 of 5.18 on top of an older release, so that the wake-up that is lost without
/// (kernel-lru E9) does not hide what else there is. (4.8 loses none: its page lock has no
/// PG_waiters. The one that stands for it here, of 4.13, has.)
static ATOMIC_ISOLATED: Commit = Commit::posted(
    "356ea3865687 of 5.18, on an older release: PG_isolated is changed by atomic operations",
    &[set!(movable.core = &movable::V5_18)],
);

/// 4.8 with PG_isolated atomic.
pub static V4_8_ATOMIC: Tree = Tree {
    name: "v4.8+356ea3865687",
    about: "Linux 4.8 with PG_isolated atomic",
    ..V4_8.patched(&[&ATOMIC_ISOLATED])
};

/// 4.14 with PG_isolated atomic.
pub static V4_14_ATOMIC: Tree = Tree {
    name: "v4.14+356ea3865687",
    about: "Linux 4.14 with PG_isolated atomic",
    ..V4_14.patched(&[&ATOMIC_ISOLATED])
};

/// 5.3 with PG_isolated atomic.
pub static V5_3_ATOMIC: Tree = Tree {
    name: "v5.3+356ea3865687",
    about: "Linux 5.3 with PG_isolated atomic",
    ..V5_3.patched(&[&ATOMIC_ISOLATED])
};

/// 5.16 with PG_isolated atomic.
pub static V5_16_ATOMIC: Tree = Tree {
    name: "v5.16+356ea3865687",
    about: "Linux 5.16 with PG_isolated atomic",
    ..V5_16.patched(&[&ATOMIC_ISOLATED])
};

/// 4b5d1e47b694 of 6.5 on 6.1 as it was released, so that the update that is lost without
/// (kernel-lru E16) does not hide what else there is.
static COUNTS_LOCKED: Commit = Commit::posted(
    "4b5d1e47b694 of 6.5, on 6.1: isolated pages are counted under the lock of the lists",
    &[set!(movable.zsmalloc = &zsmalloc::V5_19_COUNTS_LOCKED)],
);

/// 6.1 with isolated pages counted under the lock of the lists.
pub static V6_1_COUNTS_LOCKED: Tree = Tree {
    name: "v6.1+4b5d1e47b694",
    about: "Linux 6.1 with isolated pages of a zspage counted under class->lock",
    ..V6_1.patched(&[&COUNTS_LOCKED])
};

/// kernel-lru E2: what 8b8817630ae8 is for.
pub static E2_NO_LOOK_AT_SLAB: Tree = Tree {
    name: "E2-no-look-at-slab",
    about: "6.12.117 with isolate_movable_page() of 6.1, which does not pass over slab pages",
    movable: Movable { core: &movable::V6_0, ..V6_12_117.movable },
    ..V6_12_117.mutant()
};

/// kernel-lru E5: what is left to wait for since 5.17.
pub static E5_NO_FLUSH_WORK: Tree = Tree {
    name: "E5-no-flush-work",
    about: "6.12.117 with zs_destroy_pool() not waiting for free_work",
    movable: Movable { zsmalloc: &zsmalloc::V6_12_NO_FLUSH, ..V6_12_117.movable },
    ..V6_12_117.mutant()
};

/// kernel-lru E1.
pub static MOBILE_2015_WITHOUT_FLAG: Tree = Tree {
    name: "mobile-2015-driver-without-flag",
    about: "mobile-2015 with a driver that does not mark what is isolated",
    movable: Movable { module: &mutants::WITHOUT_FLAG, ..MOBILE_2015.movable },
    ..MOBILE_2015.mutant()
};

/// The same driver, where PG_isolated marks it.
pub static V6_12_117_WITHOUT_FLAG: Tree = Tree {
    name: "v6.12.117-driver-without-flag",
    about: "6.12.117 with a driver that does not mark what is isolated",
    movable: Movable { module: &mutants::WITHOUT_FLAG, ..V6_12_117.movable },
    ..V6_12_117.mutant()
};

/// kernel-lru E12.
pub static MOBILE_2015_SLEEPS: Tree = Tree {
    name: "mobile-2015-driver-sleeps",
    about: "mobile-2015 with a driver whose lock is a mutex",
    movable: Movable { module: &mutants::SLEEPS, ..MOBILE_2015.movable },
    ..MOBILE_2015.mutant()
};

/// The same driver, where `lru_lock` is dropped first.
pub static V6_12_117_SLEEPS: Tree = Tree {
    name: "v6.12.117-driver-sleeps",
    about: "6.12.117 with a driver whose lock is a mutex",
    movable: Movable { module: &mutants::SLEEPS, ..V6_12_117.movable },
    ..V6_12_117.mutant()
};

/// kernel-lru E14.
pub static V4_2_RELEASES: Tree = Tree {
    name: "v4.2-releases-isolated",
    about: "4.2 with a balloon that may release a page that is isolated",
    movable: Movable { balloon: &mutants::RELEASES_ISOLATED, ..V4_2.movable },
    ..V4_2.mutant()
};

/// kernel-lru E1 of the proposal.
pub static LRU_AS_MOBILE_WITHOUT_FLAG: Tree = Tree {
    name: "lru-as-mobile-driver-without-flag",
    about: "lru-as-mobile with a driver that does not mark what is isolated",
    movable: Movable { module: &mutants::WITHOUT_FLAG, ..LRU_AS_MOBILE.movable },
    ..LRU_AS_MOBILE.mutant()
};

/// A driver whose page cannot be moved, where that is no mistake of the driver's.
pub static MOBILE_2015_FAILS: Tree = Tree {
    name: "mobile-2015-driver-fails",
    about: "mobile-2015 with a driver whose page cannot be moved",
    movable: Movable { module: &mutants::FAILS_FOR_GOOD, ..MOBILE_2015.movable },
    ..MOBILE_2015.mutant()
};

/// The same driver in the proposal.
pub static LRU_AS_MOBILE_FAILS: Tree = Tree {
    name: "lru-as-mobile-driver-fails",
    about: "lru-as-mobile with a driver whose page cannot be moved",
    movable: Movable { module: &mutants::FAILS_FOR_GOOD_OWN_LOCKS, ..LRU_AS_MOBILE.movable },
    ..LRU_AS_MOBILE.mutant()
};

/// The same driver in 6.12.117.
pub static V6_12_117_FAILS: Tree = Tree {
    name: "v6.12.117-driver-fails",
    about: "6.12.117 with a driver whose page cannot be moved",
    movable: Movable { module: &mutants::FAILS_FOR_GOOD, ..V6_12_117.movable },
    ..V6_12_117.mutant()
};

/// 6.12.117 with this driver, which is the one to be copied but for one mistake.
const fn mistaken(name: &'static str, about: &'static str, module: &'static Driver) -> Tree {
    let movable = Movable { module, ..V6_12_117.movable };
    Tree { name, about, movable, ..V6_12_117.mutant() }
}

/// The example of docs/movable-driver.md.
pub static DRIVER_ACCESSES_UNLOCKED: Tree = mistaken(
    "driver-accesses-unlocked",
    "a driver that changes what it keeps without its lock",
    &mistakes::ACCESSES_UNLOCKED,
);

/// A list of the driver's that the page stays on.
pub static DRIVER_STAYS_LISTED: Tree = mistaken(
    "driver-stays-listed",
    "a driver that leaves a page on its list that is isolated",
    &mistakes::STAYS_LISTED,
);

/// M7.
pub static DRIVER_LOCKS_IN_CALLBACK: Tree = mistaken(
    "driver-locks-in-callback",
    "a driver that takes the page lock in putback_page()",
    &mistakes::LOCKS_IN_CALLBACK,
);

/// M4.
pub static DRIVER_PLAIN_FLAGS: Tree = mistaken(
    "driver-plain-flags",
    "a driver that changes page->flags without an atomic operation",
    &mistakes::PLAIN_FLAGS,
);

/// M9.
pub static DRIVER_CLEARS_TYPE: Tree = mistaken(
    "driver-clears-type",
    "a driver that stores NULL in page->mapping when it frees its page",
    &mistakes::CLEARS_TYPE,
);

/// A page that is lost to compaction.
pub static DRIVER_FORGETS_PUTBACK: Tree = mistaken(
    "driver-forgets-putback",
    "a driver that does not put a page on its list again that was not moved",
    &mistakes::FORGETS_PUTBACK,
);

/// What `__SetPageMovable()` asserts.
pub static DRIVER_SETS_UNLOCKED: Tree = mistaken(
    "driver-sets-unlocked",
    "a driver that calls __SetPageMovable() without the page lock",
    &mistakes::SETS_UNLOCKED,
);

/// What `__ClearPageMovable()` asserts first.
pub static DRIVER_CLEARS_UNLOCKED: Tree = mistaken(
    "driver-clears-unlocked",
    "a driver that calls __ClearPageMovable() after it has unlocked the page",
    &mistakes::CLEARS_UNLOCKED,
);

/// And what it asserts then.
pub static DRIVER_CLEARS_TWICE: Tree = mistaken(
    "driver-clears-twice",
    "a driver that calls __ClearPageMovable() twice",
    &mistakes::CLEARS_TWICE,
);

/// PG_isolated is the core's.
pub static DRIVER_SETS_ISOLATED: Tree =
    mistaken("driver-sets-isolated", "a driver that sets PG_isolated", &mistakes::SETS_ISOLATED);

/// A reference too many.
pub static DRIVER_LEAKS: Tree =
    mistaken("driver-leaks", "a driver that never puts its page", &mistakes::LEAKS);

/// A reference too few.
pub static DRIVER_PUTS_TWICE: Tree =
    mistaken("driver-puts-twice", "a driver that puts its page twice", &mistakes::PUTS_TWICE);

/// kernel-lru E14.
pub static DRIVER_PUTS_FIRST: Tree = mistaken(
    "driver-puts-first",
    "a driver that puts its page before it unlocks it",
    &mistakes::PUTS_FIRST,
);

/// kernel-lru E4. What CONFIG_DEBUG_VM asserts would notice it first.
pub static E4_RELEASES_UNLOCKED: Tree = Tree {
    name: "E4-releases-unlocked",
    about: "6.12.117 without CONFIG_DEBUG_VM, with a driver that releases its page without the \
            page lock",
    movable: Movable { module: &mutants::RELEASES_UNLOCKED, ..V6_12_117.movable },
    edits: &[Edit {
        at: Site::of("test_bit").on("PG_locked").within("__ClearPageMovable"),
        how: How::Drop { answer: PG_LOCKED.mask() },
    }],
    ..V6_12_117.mutant()
};

/// kernel-lru E10.
pub static E10_NO_ZSPAGE_LOCK: Tree = Tree {
    name: "E10-no-zspage-lock",
    about: "6.12.117 with an access to an object without zspage->lock",
    movable: Movable { zsmalloc: &mutants::NO_ZSPAGE_LOCK, ..V6_12_117.movable },
    ..V6_12_117.mutant()
};

/// kernel-lru E11.
pub static E11_LOCKS_BLOCKING: Tree = Tree {
    name: "E11-locks-blocking",
    about: "6.12.117 with a driver that waits for the page lock under its own lock",
    movable: Movable { module: &mutants::LOCKS_BLOCKING, ..V6_12_117.movable },
    ..V6_12_117.mutant()
};

/// kernel-lru E11 of a balloon.
pub static E11_DEQUEUE_WAITS: Tree = Tree {
    name: "E11-dequeue-waits",
    about: "6.12.117 with a balloon whose lock is a mutex, and whose dequeue waits for the page \
            lock under it",
    movable: Movable { balloon: &mutants::DEQUEUE_WAITS, ..V6_12_117.movable },
    ..V6_12_117.mutant()
};

/// kernel-lru E15.
pub static E15_COUNTS_UNLOCKED: Tree = Tree {
    name: "E15-counts-unlocked",
    about: "6.12.117 with isolated_pages changed outside pages_lock",
    movable: Movable { balloon: &mutants::COUNTS_UNLOCKED, ..V6_12_117.movable },
    ..V6_12_117.mutant()
};
