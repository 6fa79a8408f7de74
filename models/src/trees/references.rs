//! Deliberate faults in the references, the page cache and the page tables of a migration:
//! kernel-migrate B.7.

use crate::Tree;
use crate::mm::filemap::{Filemap, Lookup};
use crate::mm::migrate::{Migrate, MigrateFault, TlbFlush};
use crate::trees::{V6_1, V6_10};

const fn fault(name: &'static str, about: &'static str, fault: MigrateFault) -> Tree {
    let migrate = Migrate { fault, ..V6_1.migrate };
    Tree { name, about, migrate, ..V6_1.faulty() }
}

/// kernel-migrate BM1.
pub static BM1_LOOKUP_WITHOUT_RELOAD: Tree = Tree {
    name: "v6.1-lookup-without-reload",
    about: "6.1 with filemap_get_entry() not reading the slot again",
    filemap: Filemap { lookup: Lookup::TrustsTheSlot, ..V6_1.filemap },
    ..V6_1.faulty()
};
/// kernel-migrate BM2.
pub static BM2_COUNT_WITHOUT_FREEZE: Tree = fault(
    "v6.1-migrate-without-freeze",
    "6.1 with the reference count compared, not frozen",
    MigrateFault::CountWithoutFreeze,
);
/// kernel-migrate BM3.
pub static BM3_UNFREEZE_EARLY: Tree = fault(
    "v6.1-migrate-unfreeze-early",
    "6.1 with the count unfrozen before the new folio is in its slot",
    MigrateFault::UnfreezeBeforeSlot,
);
/// kernel-migrate BM4.
pub static BM4_UNFREEZE_RELAXED: Tree = fault(
    "v6.1-migrate-unfreeze-relaxed",
    "6.1 with folio_ref_unfreeze() releasing nothing",
    MigrateFault::UnfreezeRelaxed,
);
/// kernel-migrate BM5.
pub static BM5_UNFREEZE_ALL: Tree = fault(
    "v6.1-migrate-unfreeze-all",
    "6.1 with the page cache's reference left to the old folio",
    MigrateFault::UnfreezeAll,
);
/// kernel-migrate BM6.
pub static BM6_NO_CACHE_REFERENCE: Tree = fault(
    "v6.1-migrate-no-cache-reference",
    "6.1 with no reference of the page cache for the new folio",
    MigrateFault::NoCacheReference,
);
/// kernel-migrate BM7.
pub static BM7_NO_PAGES_LOCK: Tree = fault(
    "v6.1-migrate-no-i-pages-lock",
    "6.1 with folio_migrate_mapping() not taking the lock of the page cache",
    MigrateFault::NoPagesLock,
);
/// kernel-migrate BM8.
pub static BM8_DIRTY_AFTER_SLOT: Tree = fault(
    "v6.1-migrate-dirty-after-slot",
    "6.1 with PG_dirty moved after the new folio is in its slot and the lock is dropped",
    MigrateFault::DirtyAfterSlot,
);
/// kernel-migrate BM9.
pub static BM9_FLUSH_AFTER_COPY: Tree = Tree {
    name: "v6.10-migrate-flush-after-copy",
    about: "6.10 with the deferred TLB flush after the copy",
    migrate: Migrate { flush: TlbFlush::AfterCopy, ..V6_10.migrate },
    ..V6_10.faulty()
};
/// kernel-migrate BM10.
pub static BM10_RESTORE_AFTER_UNLOCK: Tree = fault(
    "v6.1-migrate-restore-after-unlock",
    "6.1 with remove_migration_ptes() after the source is unlocked",
    MigrateFault::RestoreAfterUnlock,
);
/// kernel-migrate BM11.
pub static BM11_NO_PUT_OF_UNMAPPED: Tree = fault(
    "v6.1-migrate-no-put-of-unmapped",
    "6.1 with no folio_put() for an unmapped page-table entry",
    MigrateFault::NoPutOfUnmapped,
);
/// kernel-migrate BM12.
pub static BM12_PRIVATE_NOT_COUNTED: Tree = fault(
    "v6.1-migrate-private-not-counted",
    "6.1 with the reference that comes with PG_private not expected",
    MigrateFault::PrivateNotCounted,
);
