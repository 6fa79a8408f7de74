//! Deliberate mistakes in the references, the page cache and the page tables of a migration:
//! kernel-migrate B.7.

use selvedge_kernel::edits::{Edit, How, Site, Until};

use crate::Tree;
use crate::mm::filemap::Filemap;
use crate::mm::migrate::Migrate;
use crate::mutants::folio_lock::trusts_the_slot;
use crate::mutants::migrate::{
    compares_without_freezing, copies_then_flushes, flushes_nothing, looks_at_no_count,
    restores_unlocked, unfreezes_all,
};
use crate::trees::{V6_1, V6_10};

/// kernel-migrate BM1.
pub static BM1_LOOKUP_WITHOUT_RELOAD: Tree = Tree {
    name: "v6.1-lookup-without-reload",
    about: "6.1 with filemap_get_entry() not reading the slot again",
    filemap: Filemap { xas_reload: func!(trusts_the_slot), ..V6_1.filemap },
    ..V6_1.mutant()
};
/// kernel-migrate BM2.
pub static BM2_COUNT_WITHOUT_FREEZE: Tree = Tree {
    name: "v6.1-migrate-without-freeze",
    about: "6.1 with the reference count compared, not frozen",
    migrate: Migrate { folio_migrate_mapping: func!(compares_without_freezing), ..V6_1.migrate },
    ..V6_1.mutant()
};

const fn in_mapping(primitive: &'static str) -> Site {
    Site::of(primitive).within("folio_migrate_mapping")
}

const UNFREEZE: Site = in_mapping("atomic_set_release");

/// kernel-migrate BM3.
pub static BM3_UNFREEZE_EARLY: Tree = V6_1.edited(
    "v6.1-migrate-unfreeze-early",
    "6.1 with the count unfrozen before the new folio is in its slot",
    &[Edit::delay(in_mapping("smp_store_release").on("i_pages"), Until::Site(UNFREEZE))],
);
/// kernel-migrate BM4.
pub static BM4_UNFREEZE_RELAXED: Tree = V6_1.edited(
    "v6.1-migrate-unfreeze-relaxed",
    "6.1 with folio_ref_unfreeze() releasing nothing",
    &[Edit::relax(UNFREEZE)],
);
/// kernel-migrate BM5.
pub static BM5_UNFREEZE_ALL: Tree = Tree {
    name: "v6.1-migrate-unfreeze-all",
    about: "6.1 with the page cache's reference left to the old folio",
    migrate: Migrate { folio_migrate_mapping: func!(unfreezes_all), ..V6_1.migrate },
    ..V6_1.mutant()
};
/// kernel-migrate BM6.
pub static BM6_NO_CACHE_REFERENCE: Tree = V6_1.edited(
    "v6.1-migrate-no-cache-reference",
    "6.1 with no reference of the page cache for the new folio",
    &[Edit::drop(in_mapping("atomic_add").on("folio->_refcount"))],
);

const PAGES_LOCK: &str = "i_pages lock";

/// kernel-migrate BM7.
pub static BM7_NO_PAGES_LOCK: Tree = V6_1.edited(
    "v6.1-migrate-no-i-pages-lock",
    "6.1 with folio_migrate_mapping() not taking the lock of the page cache",
    &[Edit::drop_pair(in_mapping("spin_lock_irq").on(PAGES_LOCK))],
);

const UNLOCKED: Until = Until::Site(in_mapping("spin_unlock_irq").on(PAGES_LOCK));

/// kernel-migrate BM8.
pub static BM8_DIRTY_AFTER_SLOT: Tree = V6_1.edited(
    "v6.1-migrate-dirty-after-slot",
    "6.1 with PG_dirty moved after the new folio is in its slot and the lock is dropped",
    &[
        Edit::delay(in_mapping("clear_bit").on("PG_dirty"), UNLOCKED),
        Edit::delay(in_mapping("set_bit").on("PG_dirty"), UNLOCKED),
    ],
);
/// kernel-migrate BM9.
pub static BM9_FLUSH_AFTER_COPY: Tree = Tree {
    name: "v6.10-migrate-flush-after-copy",
    about: "6.10 with the deferred TLB flush after the copy",
    migrate: Migrate {
        try_to_unmap_flush: func!(flushes_nothing),
        filemap_migrate_folio: func!(copies_then_flushes),
        ..V6_10.migrate
    },
    ..V6_10.mutant()
};
/// kernel-migrate BM10.
pub static BM10_RESTORE_AFTER_UNLOCK: Tree = Tree {
    name: "v6.1-migrate-restore-after-unlock",
    about: "6.1 with remove_migration_ptes() after the source is unlocked",
    migrate: Migrate { __unmap_and_move: func!(restores_unlocked), ..V6_1.migrate },
    ..V6_1.mutant()
};
/// kernel-migrate BM11.
pub static BM11_NO_PUT_OF_UNMAPPED: Tree = V6_1.edited(
    "v6.1-migrate-no-put-of-unmapped",
    "6.1 with no folio_put() for an unmapped page-table entry",
    &[Edit::drop(Site::of("atomic_sub_and_test").within("try_to_migrate"))],
);
/// kernel-migrate BM12.
pub static BM12_PRIVATE_NOT_COUNTED: Tree = V6_1.edited(
    "v6.1-migrate-private-not-counted",
    "6.1 with the reference that comes with PG_private not expected",
    &[Edit::drop(Site::of("test_bit").on("PG_private").within("folio_expected_ref_count"))],
);
/// Whoever has pinned the folio is not asked.
pub static IGNORES_PINS: Tree = Tree {
    name: "v6.1-migrate-ignores-pins",
    about: "6.1 with the reference count of the old folio not looked at",
    migrate: Migrate { folio_migrate_mapping: func!(looks_at_no_count), ..V6_1.migrate },
    ..V6_1.mutant()
};
/// `finish_fault()` that does not look again under the page-table lock.
pub static MAPS_TWICE: Tree = V6_1.edited(
    "v6.1-fault-maps-twice",
    "6.1 with finish_fault() taking it for granted that there is no entry yet",
    &[Edit {
        at: Site::of("READ_ONCE").on("pte").within("finish_fault"),
        how: How::Drop { answer: 0 },
    }],
);
