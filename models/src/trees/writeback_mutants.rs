//! Deliberate mistakes in how dirty buffers and folios are written: 6.12.117.

use selvedge_kernel::edits::{Edit, Site};
use selvedge_kernel::skip_cpu;

use super::V6_12_117;
use crate::Tree;

/// Why each buffer looks at the others.
pub static FIRST_BUFFER_ENDS_WRITEBACK: Tree = V6_12_117.edited(
    "v6.12.117-first-buffer-ends-writeback",
    "6.12.117 with end_buffer_async_write() looking at no other buffer of the folio",
    &[Edit::drop(
        Site::of("test_bit").on("BH_Async_Write").within("end_buffer_async_write").nth(1),
    )],
);

/// Why they do so under a lock.
pub static NO_UPTODATE_LOCK: Tree = V6_12_117.edited(
    "v6.12.117-no-uptodate-lock",
    "6.12.117 with end_buffer_async_write() taking no b_uptodate_lock",
    &[Edit::drop_pair(Site::of("spin_lock_irqsave").on("b_uptodate_lock"))],
);

/// The same of the end of reads; and why with interrupts off, in whatever context it is.
pub static NO_UPTODATE_LOCK_OF_READS: Tree = V6_12_117.edited(
    "v6.12.117-read-no-uptodate-lock",
    "6.12.117 with end_buffer_async_read() taking no b_uptodate_lock",
    &[Edit::drop_pair(
        Site::of("spin_lock_irqsave").on("b_uptodate_lock").within("end_buffer_async_read"),
    )],
);
/// See above.
pub static UPTODATE_LOCK_IRQS_ON: Tree = V6_12_117.edited(
    "v6.12.117-uptodate-lock-irqs-on",
    "6.12.117 with end_buffer_async_read() taking b_uptodate_lock with interrupts and softirqs on",
    &[Edit::drop_pair(Site::of("local_irq_save").within("end_buffer_async_read"))],
);

/// Why a writer dirties the folio, too.
pub static DIRTIES_BUFFER_ONLY: Tree = V6_12_117.edited(
    "v6.12.117-dirties-buffer-only",
    "6.12.117 with mark_buffer_dirty() leaving the folio clean",
    &[Edit::drop(Site::of("test_and_set_bit").on("PG_dirty").within("mark_buffer_dirty"))],
);

/// Why a walk that is to write everything looks.
pub static WRITES_NOTHING: Tree = V6_12_117.edited(
    "v6.12.117-writes-nothing",
    "6.12.117 with write_cache_pages() finding each folio clean when it has locked it",
    &[Edit::drop(Site::of("test_bit").on("PG_dirty").within("write_cache_pages"))],
);

/// Why the page cache's lock is taken with interrupts off.
pub static PAGES_LOCK_IRQS_ON: Tree = V6_12_117.edited(
    "v6.12.117-pages-lock-irqs-on",
    "6.12.117 with __folio_migrate_mapping() taking the i_pages lock with interrupts on",
    &[Edit::drop_pair(
        Site::of("local_irq_disable").on("cpu.irq").within("__folio_migrate_mapping"),
    )],
);

/// What keeps the IPI of `invalidate_bh_lrus()` out.
pub static INVALIDATES_IRQS_ON: Tree = V6_12_117.edited(
    "v6.12.117-invalidates-irqs-on",
    "6.12.117 with invalidate_bh_lrus_cpu() leaving interrupts on",
    &[Edit::drop_pair(
        Site::of("local_irq_disable").on("cpu.irq").within("invalidate_bh_lrus_cpu"),
    )],
);

/// What its last put is for.
pub static END_WRITEBACK_KEEPS_REFERENCE: Tree = V6_12_117.edited(
    "v6.12.117-end-writeback-keeps-reference",
    "6.12.117 with folio_end_writeback() not dropping the reference that it has taken",
    &[Edit::drop(Site::of("atomic_sub_and_test").within("folio_end_writeback"))],
);

/// What a folio is split for.
pub static MIGRATES_LARGE_TO_SMALL: Tree = V6_12_117.edited(
    "v6.12.117-migrates-large-to-small",
    "6.12.117 with migrate_folio_unmap() taking a large folio for a small one",
    &[Edit::drop(Site::of("read").on("folio_test_large(folio)").within("migrate_folio_unmap"))],
);

/// What the put of each slot is for.
pub static INVALIDATES_WITHOUT_PUT: Tree = V6_12_117.edited(
    "v6.12.117-invalidates-without-put",
    "6.12.117 with invalidate_bh_lrus_cpu() clearing slots without a look at what is in them",
    &[Edit::drop(Site::of("read").on("bhs").within("invalidate_bh_lrus_cpu"))],
);

/// What lru_lock is for.
pub static COMPACTS_WITHOUT_LRU_LOCK: Tree = V6_12_117.edited(
    "v6.12.117-compacts-without-lru-lock",
    "6.12.117 with isolate_migratepages_block() taking no lru_lock",
    &[Edit::drop_pair(
        Site::of("spin_lock_irqsave").on("lruvec->lru_lock").within("isolate_migratepages_block"),
    )],
);

/// What a round over all CPUs is for.
pub static DRAIN_SKIPS_CPU1: Tree = V6_12_117.edited(
    "v6.12.117-drain-skips-cpu1",
    "6.12.117 with __lru_add_drain_all() leaving CPU1 out",
    &[skip_cpu("CPU1", "__lru_add_drain_all")],
);
/// What a round over all CPUs is for.
pub static INVALIDATION_SKIPS_CPU0: Tree = V6_12_117.edited(
    "v6.12.117-invalidation-skips-cpu0",
    "6.12.117 with on_each_cpu_cond() leaving CPU0 out",
    &[skip_cpu("CPU0", "on_each_cpu_cond")],
);
/// What a round over all CPUs is for.
pub static PREP_SKIPS_CPU2: Tree = V6_12_117.edited(
    "v6.12.117-prep-skips-cpu2",
    "6.12.117 with synchronize_rcu_expedited() not waiting for CPU2",
    &[skip_cpu("CPU2", "synchronize_rcu_expedited")],
);

/// Why a slot is emptied when its reference is given up.
pub static DEAD_CPU_KEEPS_BH: Tree = V6_12_117.edited(
    "v6.12.117-dead-cpu-keeps-bh",
    "6.12.117 with buffer_exit_cpu_dead() leaving the slots of the bh_lru as they are",
    &[Edit::drop(Site::of("write").on("bhs").within("buffer_exit_cpu_dead"))],
);
/// What a dead CPU's batch is looked at for.
pub static DRAIN_FINDS_NOTHING: Tree = V6_12_117.edited(
    "v6.12.117-drain-finds-nothing",
    "6.12.117 with lru_add_drain_cpu() finding nothing in the lru_add batch",
    &[Edit::drop(Site::of("read").on("lru_add.nr").within("lru_add_drain_cpu"))],
);
/// The same, of the mlock batch.
pub static DEAD_CPU_KEEPS_MLOCK: Tree = V6_12_117.edited(
    "v6.12.117-dead-cpu-keeps-mlock",
    "6.12.117 with mlock_drain_remote() finding nothing in the batch",
    &[Edit::drop(Site::of("read").on("mlock_fbatch.nr").within("mlock_drain_remote"))],
);

/// Why truncation looks at the mapping once more.
pub static TRUNCATES_NOTHING: Tree = V6_12_117.edited(
    "v6.12.117-truncates-nothing",
    "6.12.117 with truncate_inode_folio() finding that the folio has left its mapping",
    &[Edit::drop(Site::of("read").on("folio->mapping").within("truncate_inode_folio"))],
);

/// What keeps a lookup out while buffers are freed.
pub static FREES_UNLOCKED: Tree = V6_12_117.edited(
    "v6.12.117-frees-buffers-unlocked",
    "6.12.117 with try_to_free_buffers() taking no i_private_lock",
    &[Edit::drop_pair(Site::of("spin_lock").on("i_private_lock").within("try_to_free_buffers"))],
);

/// What keeps whoever has locked a buffer, and writes to it, apart from its migration.
pub static MOVES_LOCKED_BUFFERS: Tree = V6_12_117.edited(
    "v6.12.117-moves-locked-buffers",
    "6.12.117 with buffer_migrate_lock_buffers() testing BH_Lock, and then setting it",
    &[Edit::split(
        Site::of("test_and_set_bit_lock").on("BH_Lock").within("buffer_migrate_lock_buffers"),
    )],
);

/// What keeps whoever has locked a folio apart from its split.
pub static SPLITS_LOCKED: Tree = V6_12_117.edited(
    "v6.12.117-splits-locked-folio",
    "6.12.117 with try_split_folio() testing PG_locked, and then setting it",
    &[Edit::split(Site::of("test_and_set_bit_lock").on("PG_locked").within("try_split_folio"))],
);
