//! Pages that drivers have made movable: kernel-lru E. What each release has, and the trees that
//! are about nothing else.
//!
//! The releases below take all that is not about these pages from 5.6, or 5.15: they are not
//! modelled beyond that.

use crate::drivers::minimal;
use crate::mm::movable::{self, Movable};
use crate::mm::{balloon_compaction as balloon, zsmalloc};

/// 5.3 to 5.15.
pub const V5_11: Movable = Movable {
    core: &movable::V4_8,
    balloon: &balloon::V4_8,
    zsmalloc: &zsmalloc::V5_3,
    module: &minimal::DRIVER,
};
/// 5.18: PG_isolated atomic (356ea3865687).
pub const V5_18: Movable = Movable { core: &movable::V5_18, zsmalloc: &zsmalloc::V5_17, ..V5_11 };
/// 6.1: the walk of `lock_zspage()` guarded (2505a981114d, 5.19), one `pool->lock`.
pub const V6_1: Movable = Movable { zsmalloc: &zsmalloc::V6_1, ..V5_18 };
/// 6.6: slab pages passed over (8b8817630ae8, 6.2).
pub const V6_6: Movable = Movable { core: &movable::V6_2, ..V6_1 };
/// 6.12: nothing counts isolated pages in zsmalloc; two locks again.
pub const V6_12: Movable = Movable { zsmalloc: &zsmalloc::V6_12, ..V6_6 };

pub mod trees {
    //! The trees.

    use super::{Movable, V5_11, balloon, movable, zsmalloc};
    use crate::Tree;
    use crate::mutants::movable as mutants;
    use crate::tree::Kind;
    use crate::trees::{V5_6, V5_15, V6_12_117};

    /// 4.2 to 4.4: only balloon pages move.
    pub static V4_2: Tree = Tree {
        name: "v4.2",
        base: "v4.2",
        about: "Linux 4.2, of movable pages only: balloon_page_isolate()",
        movable: Movable {
            core: &movable::V4_2,
            balloon: &balloon::V4_2,
            zsmalloc: &zsmalloc::V4_8,
            ..V5_11
        },
        ..V5_6
    };

    /// 4.5 to 4.7.
    pub static V4_5: Tree = Tree {
        name: "v4.5",
        base: "v4.5",
        about: "Linux 4.5, of movable pages only: the balloon dequeues under pages_lock (21ea9fb69e7c)",
        movable: Movable { balloon: &balloon::V4_5, ..V4_2.movable },
        ..V4_2
    };

    /// Seed 003.
    pub static MOBILE_2015: Tree = Tree {
        name: "mobile-2015",
        kind: Kind::Patch,
        base: "v4.2",
        about: "[PATCH] mm/compaction: enable mobile-page migration (Gioh Kim, 2015-07-13)",
        movable: Movable {
            core: &movable::POSTED_2015,
            balloon: &balloon::POSTED_2015,
            ..V4_2.movable
        },
        ..V4_2
    };

    /// What Mel Gorman proposed in answer to it.
    pub static LRU_AS_MOBILE: Tree = Tree {
        name: "lru-as-mobile",
        kind: Kind::Patch,
        base: "mobile-2015",
        about: "mobile-2015 with LRU pages behind the same callbacks, as Mel Gorman proposed",
        movable: Movable { core: &movable::LRU_AS_MOBILE, ..MOBILE_2015.movable },
        ..MOBILE_2015
    };

    /// 4.8 to 4.13.
    pub static V4_8: Tree = Tree {
        name: "v4.8",
        base: "v4.8",
        about: "Linux 4.8, of movable pages only: isolate_movable_page() (bda807d44454)",
        movable: Movable { zsmalloc: &zsmalloc::V4_8, ..V5_11 },
        ..V5_6
    };

    /// 4.14 to 5.2.
    pub static V4_14: Tree = Tree {
        name: "v4.14",
        base: "v4.14",
        about: "Linux 4.14, of movable pages only: an empty zspage migrates (77ff465799c6)",
        movable: Movable { zsmalloc: &zsmalloc::V4_14, ..V5_11 },
        ..V4_8
    };

    /// 5.3 to 5.15.
    pub static V5_3: Tree = Tree {
        name: "v5.3",
        base: "v5.3",
        about: "Linux 5.3, of movable pages only: zs_destroy_pool() waits for isolated pages (701d678599d0)",
        movable: V5_11,
        ..V4_8
    };

    /// 5.16.
    pub static V5_16: Tree = Tree {
        name: "v5.16",
        base: "v5.16",
        about: "Linux 5.16, of movable pages: a barrier in zs_pool_dec_isolated() (afe8605ca454)",
        movable: Movable { zsmalloc: &zsmalloc::V5_16, ..V5_11 },
        ..V5_15
    };

    /// 5.17.
    pub static V5_17: Tree = Tree {
        name: "v5.17",
        base: "v5.17",
        about: "Linux 5.17, of movable pages: zsmalloc isolates by PG_isolated alone (c4549b871102)",
        movable: Movable { zsmalloc: &zsmalloc::V5_17, ..V5_11 },
        ..V5_15
    };

    /// An older release with 356ea3865687 of 5.18 on top: PG_isolated changed by atomic operations,
    /// so that the wake-up that is lost without (kernel-lru E9) does not hide what else there is.
    const fn with_atomic_isolated(
        name: &'static str,
        about: &'static str,
        base: &'static Tree,
    ) -> Tree {
        let movable = Movable { core: &movable::V5_18, ..base.movable };
        Tree { name, kind: Kind::Patch, base: base.name, about, movable, ..*base }
    }

    /// 4.8 with PG_isolated atomic.
    pub static V4_8_ATOMIC: Tree =
        with_atomic_isolated("v4.8+356ea3865687", "Linux 4.8 with PG_isolated atomic", &V4_8);

    /// 4.14 with PG_isolated atomic.
    pub static V4_14_ATOMIC: Tree =
        with_atomic_isolated("v4.14+356ea3865687", "Linux 4.14 with PG_isolated atomic", &V4_14);

    /// 5.3 with PG_isolated atomic.
    pub static V5_3_ATOMIC: Tree =
        with_atomic_isolated("v5.3+356ea3865687", "Linux 5.3 with PG_isolated atomic", &V5_3);

    /// 5.16 with PG_isolated atomic.
    pub static V5_16_ATOMIC: Tree =
        with_atomic_isolated("v5.16+356ea3865687", "Linux 5.16 with PG_isolated atomic", &V5_16);

    const fn mutant(
        name: &'static str,
        about: &'static str,
        base: &'static Tree,
        movable: Movable,
    ) -> Tree {
        Tree { name, kind: Kind::Mutant, base: base.name, about, movable, ..*base }
    }

    /// kernel-lru E1.
    pub static MOBILE_2015_WITHOUT_FLAG: Tree = mutant(
        "mobile-2015-driver-without-flag",
        "mobile-2015 with a driver that does not mark what is isolated",
        &MOBILE_2015,
        Movable { module: &mutants::WITHOUT_FLAG, ..MOBILE_2015.movable },
    );

    /// The same driver, where PG_isolated marks it.
    pub static V6_12_117_WITHOUT_FLAG: Tree = mutant(
        "v6.12.117-driver-without-flag",
        "6.12.117 with a driver that does not mark what is isolated",
        &V6_12_117,
        Movable { module: &mutants::WITHOUT_FLAG, ..V6_12_117.movable },
    );

    /// kernel-lru E12.
    pub static MOBILE_2015_SLEEPS: Tree = mutant(
        "mobile-2015-driver-sleeps",
        "mobile-2015 with a driver whose lock is a mutex",
        &MOBILE_2015,
        Movable { module: &mutants::SLEEPS, ..MOBILE_2015.movable },
    );

    /// The same driver, where `lru_lock` is dropped first.
    pub static V6_12_117_SLEEPS: Tree = mutant(
        "v6.12.117-driver-sleeps",
        "6.12.117 with a driver whose lock is a mutex",
        &V6_12_117,
        Movable { module: &mutants::SLEEPS, ..V6_12_117.movable },
    );

    /// kernel-lru E14.
    pub static V4_2_RELEASES: Tree = mutant(
        "v4.2-releases-isolated",
        "4.2 with a balloon that may release a page that is isolated",
        &V4_2,
        Movable { balloon: &mutants::RELEASES_ISOLATED, ..V4_2.movable },
    );

    /// kernel-lru E1 of the proposal.
    pub static LRU_AS_MOBILE_WITHOUT_FLAG: Tree = mutant(
        "lru-as-mobile-driver-without-flag",
        "lru-as-mobile with a driver that does not mark what is isolated",
        &LRU_AS_MOBILE,
        Movable { module: &mutants::WITHOUT_FLAG, ..LRU_AS_MOBILE.movable },
    );

    /// kernel-lru E4.
    pub static E4_RELEASES_UNLOCKED: Tree = mutant(
        "E4-releases-unlocked",
        "6.12.117 with a driver that releases its page without the page lock",
        &V6_12_117,
        Movable { module: &mutants::RELEASES_UNLOCKED, ..V6_12_117.movable },
    );

    /// kernel-lru E10.
    pub static E10_NO_ZSPAGE_LOCK: Tree = mutant(
        "E10-no-zspage-lock",
        "6.12.117 with an access to an object without zspage->lock",
        &V6_12_117,
        Movable { zsmalloc: &mutants::NO_ZSPAGE_LOCK, ..V6_12_117.movable },
    );

    /// kernel-lru E11.
    pub static E11_LOCKS_BLOCKING: Tree = mutant(
        "E11-locks-blocking",
        "6.12.117 with a driver that waits for the page lock under its own lock",
        &V6_12_117,
        Movable { module: &mutants::LOCKS_BLOCKING, ..V6_12_117.movable },
    );

    /// kernel-lru E15.
    pub static E15_COUNTS_UNLOCKED: Tree = mutant(
        "E15-counts-unlocked",
        "6.12.117 with isolated_pages changed outside pages_lock",
        &V6_12_117,
        Movable { balloon: &mutants::COUNTS_UNLOCKED, ..V6_12_117.movable },
    );
}
