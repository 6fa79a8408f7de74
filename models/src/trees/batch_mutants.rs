//! Deliberate mistakes in the batches of migration, and in what they do about buffers:
//! kernel-migrate C.6, D.5 and G.

use selvedge_kernel::edits::{Edit, Site};

use super::{V6_1, V6_3_RC1, V6_4, V6_12_117, V6_15};
use crate::Tree;
use crate::fs::buffer::Buffer;
use crate::mm::migrate::Migrate;
use crate::mm::page_writeback::{Cyclic, PageWriteback};
use crate::mutants::batches::*;

/// kernel-migrate CM1, C-S2.
pub static CM1_WAITS_WITH_OTHERS_LOCKED: Tree = Tree {
    name: "v6.3-rc1-waits-with-others-locked",
    about: "6.3-rc1 with a forced folio_lock() whatever the batch has locked: no avoid_force_lock",
    migrate: Migrate { lock_src_of_batch: func!(waits_with_others_locked), ..V6_3_RC1.migrate },
    ..V6_3_RC1.mutant()
};

/// kernel-migrate CM2.
pub static CM2_TRIES_AGAIN_UNMOVED: Tree = Tree {
    name: "v6.3-rc1-tries-again-unmoved",
    about: "6.3-rc1 with -EDEADLOCK leading to the next round without a move of what is locked",
    migrate: Migrate { lock_src_of_batch: func!(tries_again_unmoved), ..V6_3_RC1.migrate },
    ..V6_3_RC1.mutant()
};

/// 6.4 with another function of mm/migrate.c.
const fn v6_4(name: &'static str, about: &'static str, migrate: Migrate) -> Tree {
    Tree { name, about, migrate, ..V6_4.mutant() }
}

/// kernel-migrate CM3.
pub static CM3_NO_UNDO: Tree = v6_4(
    "v6.4-batch-no-undo",
    "6.4 with what could not be moved left locked and unmapped",
    Migrate { migrate_folio_undo_src: func!(undoes_nothing), ..V6_4.migrate },
);
/// kernel-migrate CM4.
pub static CM4_UNDO_LEAVES_ENTRIES: Tree = v6_4(
    "v6.4-batch-undo-leaves-entries",
    "6.4 with no remove_migration_ptes() for what could not be moved",
    Migrate { migrate_folio_undo_src: func!(unlocks_only), ..V6_4.migrate },
);
/// kernel-migrate CM5.
pub static CM5_RESTORE_AFTER_UNLOCK: Tree = Tree {
    name: "v6.12.117-batch-restore-after-unlock",
    about: "6.12.117 with remove_migration_ptes() after the source is unlocked",
    migrate: Migrate { migrate_folio_move: func!(restores_after_unlock), ..V6_12_117.migrate },
    ..V6_12_117.mutant()
};
/// kernel-migrate CM6.
pub static CM6_SYNC_BATCHES: Tree = v6_4(
    "v6.4-batches-in-every-mode",
    "6.4 with all that is left after the asynchronous passes in one batch of the mode asked for",
    Migrate { migrate_pages_sync: func!(all_at_once), ..V6_4.migrate },
);
/// kernel-migrate CM7.
pub static CM7_ON_BOTH_LISTS: Tree = v6_4(
    "v6.4-batch-again-and-failed",
    "6.4 with a folio that is to be tried again on the list of failures, too",
    Migrate { unmap_folios: func!(keeps_and_gives_up), ..V6_4.migrate },
);
/// kernel-migrate CM8.
pub static CM8_TARGETS_OUT_OF_ORDER: Tree = v6_4(
    "v6.4-batch-targets-out-of-order",
    "6.4 with the target of a pair that is to be tried again at the end of its list",
    Migrate { migrate_folio_move: func!(puts_target_last), ..V6_4.migrate },
);

/// kernel-migrate D-S6.
pub static UNLOCKS_WHOLE_RING: Tree = v6_4(
    "v6.4-unlocks-whole-ring",
    "6.4 with every buffer of the folio unlocked if one of them could not be locked",
    Migrate { __buffer_migrate_folio: func!(unlocks_whole_ring), ..V6_4.migrate },
);
/// kernel-migrate G-S3.
pub static PRIVATE_LOCK_FIRST: Tree = v6_4(
    "v6.4-private-lock-before-buffers",
    "6.4 with i_private_lock taken before the buffers are locked",
    Migrate { __buffer_migrate_folio: func!(locks_buffers_in_atomic), ..V6_4.migrate },
);

/// kernel-migrate D-S3: the bit is set inside a macro that is empty without debugging.
pub static BH_MIGRATE_NEVER_SET: Tree = V6_15.edited(
    "v6.15-bh-migrate-never-set",
    "6.15 with BH_Migrate set by a debugging macro only",
    &[Edit::drop(Site::of("test_and_set_bit_lock").on("BH_Migrate"))],
);
/// kernel-migrate D-S3.
pub static BH_MIGRATE_NO_ACQUIRE: Tree = V6_15.edited(
    "v6.15-bh-migrate-no-acquire",
    "6.15 with the look at BH_Migrate ordering nothing",
    &[Edit::relax(Site::of("test_bit_acquire").on("BH_Migrate"))],
);
/// kernel-migrate D-S3.
pub static BH_MIGRATE_AFTER_SCAN: Tree = Tree {
    name: "v6.15-bh-migrate-after-scan",
    about: "6.15 with BH_Migrate set after the look at b_count",
    migrate: Migrate { __buffer_migrate_folio: func!(marks_after_the_scan), ..V6_15.migrate },
    ..V6_15.mutant()
};
/// What keeps out a lookup that may sleep.
pub static FINDS_UNLOCKED: Tree = Tree {
    name: "v6.15-find-without-folio-lock",
    about: "6.15 with a sleeping lookup of a buffer that takes no folio lock",
    buffer: Buffer { __find_get_block_slow: func!(finds_unlocked), ..V6_15.buffer },
    ..V6_15.mutant()
};
/// kernel-migrate D-S8: no CPU seems to have a buffer.
pub static BH_LRUS_KEPT: Tree = V6_1.edited(
    "v6.1-invalidate-bh-lrus-nowhere",
    "6.1 with invalidate_bh_lrus() interrupting no CPU",
    &[Edit::drop(Site::of("read").on("bhs").within("has_bh_in_lru"))],
);

/// kernel-migrate E-S6.
pub static WRAPS_ROUND: Tree = Tree {
    name: "v6.12.117-writeback-wraps-round",
    about: "6.12.117 with 64081362e8ff reverted: a walk that began later goes on at the beginning",
    page_writeback: PageWriteback { cyclic: Cyclic::WrapsRound },
    ..V6_12_117.mutant()
};
