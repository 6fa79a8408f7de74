//! Steps of 6.12.117 that are left out, each of which some claim needs.

use selvedge_kernel::edits::{Edit, Site};

use crate::Tree;
use crate::trees::V6_12_117;

/// 6.12.117 with these steps changed.
const fn late_steps(name: &'static str, about: &'static str, edits: &'static [Edit]) -> Tree {
    Tree { name, about, edits, ..V6_12_117.mutant() }
}

/// What `folio_migrate_flags()` is there for.
pub static MIGRATE_NO_FLAGS: Tree = late_steps(
    "v6.12.117-migrate-no-flags",
    "6.12.117 with migrate_folio() not setting PG_active of the new folio",
    &[Edit::drop(Site::of("set_bit").on("PG_active").within("migrate_folio"))],
);

/// What the move of an activate batch is there for.
pub static ACTIVATE_NO_FLAG: Tree = late_steps(
    "v6.12.117-activate-no-flag",
    "6.12.117 with the move of an activate batch not setting PG_active",
    &[Edit::drop(Site::of("set_bit").on("PG_active").within("folio_batch_move_lru"))],
);

/// What `finish_wait()` does first.
pub static FINISH_WAIT_NO_STATE: Tree = late_steps(
    "v6.12.117-finish-wait-no-state",
    "6.12.117 with finish_wait() not storing TASK_RUNNING, in a wait of one round for a buffer",
    &[Edit::drop(Site::of("WRITE_ONCE").on("task->__state").within("__wait_on_bit_lock").nth(1))],
);

/// What `folio_test_set_mlocked()` is asked for.
pub static MLOCKED_NOT_ATOMIC: Tree = late_steps(
    "v6.12.117-mlocked-not-atomic",
    "6.12.117 with mlock_folio() looking at PG_mlocked, and then setting it",
    &[Edit::split(Site::of("test_and_set_bit").on("PG_mlocked").within("mlock_folio"))],
);

/// What the lock of `i_pages` is there for besides the slot.
pub static TRUNCATE_NO_PAGES_LOCK: Tree = late_steps(
    "v6.12.117-truncate-no-pages-lock",
    "6.12.117 with truncate_inode_folio() not taking the lock of i_pages",
    &[Edit::drop_pair(Site::of("spin_lock_irq").on("i_pages lock").within("truncate_inode_folio"))],
);

/// What the lock of `i_pages` is there for at the end of a writeback.
pub static END_WRITEBACK_NO_PAGES_LOCK: Tree = late_steps(
    "v6.12.117-end-writeback-no-pages-lock",
    "6.12.117 with folio_end_writeback() not taking the lock of i_pages",
    &[Edit::drop_pair(
        Site::of("spin_lock_irqsave").on("i_pages lock").within("folio_end_writeback"),
    )],
);

/// What the page-table lock is there for.
pub static PIN_NO_PTL: Tree = late_steps(
    "v6.12.117-pin-no-ptl",
    "6.12.117 with get_user_pages() not taking the page-table lock",
    &[Edit::drop_pair(Site::of("spin_lock").on("ptl").within("__get_user_pages_locked"))],
);

/// What the barrier in `set_buffer_uptodate()` is for.
pub static READ_ENDS_NO_BARRIER: Tree = late_steps(
    "v6.12.117-read-ends-no-barrier",
    "6.12.117 with end_buffer_async_read() setting BH_Uptodate without a barrier before it",
    &[Edit::drop(Site::of("smp_mb__before_atomic").within("end_buffer_async_read"))],
);

/// What a fault is for.
pub static FAULT_MAPS_NOTHING: Tree = late_steps(
    "v6.12.117-fault-maps-nothing",
    "6.12.117 with finish_fault() not storing the entry",
    &[Edit::drop(Site::of("WRITE_ONCE").on("pte").within("finish_fault"))],
);

/// What `truncate_cleanup_folio()` asks first.
pub static TRUNCATION_UNMAPS_NOTHING: Tree = late_steps(
    "v6.12.117-truncation-unmaps-nothing",
    "6.12.117 with truncate_inode_folio() taking a folio that is mapped for one that is not",
    &[Edit::drop(Site::of("atomic_read").on("folio->_mapcount").within("truncate_inode_folio"))],
);

/// What reclaim gives back of a folio that it does not get.
pub static RECLAIM_KEEPS_REFERENCE: Tree = late_steps(
    "v6.12.117-reclaim-keeps-reference",
    "6.12.117 with isolate_lru_folios() keeping its reference to a folio that it passes over",
    &[Edit::drop(
        Site::of("atomic_sub_and_test").on("folio->_refcount").within("isolate_lru_folios"),
    )],
);

/// What a lookup gives back of a folio that is not the page's any more.
pub static LOOKUP_KEEPS_REFERENCE: Tree = late_steps(
    "v6.12.117-lookup-keeps-reference",
    "6.12.117 with filemap_get_entry() keeping its reference to a folio that has left its page",
    &[Edit::drop(
        Site::of("atomic_sub_and_test").on("folio->_refcount").within("filemap_get_entry"),
    )],
);

/// What a hole is.
pub static HOLE_ZEROES_NOTHING: Tree = late_steps(
    "v6.12.117-hole-zeroes-nothing",
    "6.12.117 with hugetlbfs_zero_partial_page() not zeroing",
    &[Edit::drop(Site::of("write").on("folio->contents").within("hugetlbfs_zero_partial_page"))],
);

/// What a migration puts into the slot of the old folio.
pub static MIGRATE_LEAVES_SLOT: Tree = late_steps(
    "v6.12.117-migrate-leaves-slot",
    "6.12.117 with __folio_migrate_mapping() leaving the old folio in the page cache",
    &[Edit::drop(Site::of("smp_store_release").on("i_pages").within("__folio_migrate_mapping"))],
);

/// What the lock of the queue for bits is there for: who queues itself, and who is woken, change
/// one list.
pub static BIT_QUEUE_UNLOCKED: Tree = late_steps(
    "v6.12.117-bit-queue-unlocked",
    "6.12.117 with wake_up_bit() not taking the lock of the queue",
    &[Edit::drop_pair(Site::of("spin_lock_irqsave").on("bit_wq->lock").within("wake_up_bit"))],
);

/// What the ordering of a put is there for.
pub static BATCH_PUTS_RELAXED: Tree = late_steps(
    "v6.12.117-batch-puts-relaxed",
    "6.12.117 with the put of a batch ordering nothing",
    &[Edit::relax(
        Site::of("atomic_sub_and_test").on("folio->_refcount").within("folio_batch_move_lru"),
    )],
);
