//! Page migration.
//!
//! | file                | what                                                             |
//! |---------------------|------------------------------------------------------------------|
//! | `mod.rs`            | what differs between trees; modes and errors                     |
//! | `prep.rs`           | `migrate_prep()`, `migrate_finish()` of 5.11 and of the RFCs of 2021 |
//! | `pages.rs`          | `migrate_pages()`: who migrates, which version; putback          |
//! | `batch_m0.rs`       | up to 6.2: one folio at a time                                   |
//! | `batch_m2.rs`       | 6.3-rc1 and -rc2: batches in every mode                          |
//! | `batch_m3.rs`       | the first of the three patches that mended them                  |
//! | `batch_m4.rs`       | since 6.3-rc3: batches in MIGRATE_ASYNC, then one by one         |
//! | `batch_adjusted.rs` | Hugh Dickins' proposal: batches in a mode that is adjusted       |
//! | `unmap.rs`          | `migrate_folio_unmap()`: what its versions have in common        |
//! | `move_folio.rs`     | `migrate_folio_move()`, and the passes that call it              |
//! | `fallback.rs`       | `fallback_migrate_folio()`, `writeout()`                         |
//! | `buffers.rs`        | `__buffer_migrate_folio()`                                       |
//! | `mapping.rs`        | `folio_migrate_mapping()`: the references, the freeze, the new folio in the page cache |

use crate::mm::hugetlb::HugeRestore;
use crate::mm::memory::EntryWait;
use crate::mm::migrate::batch_m4::{PagesSync, UnmapFolios};
use crate::mm::migrate::move_folio::FolioMove;
use crate::{Folio, Func, Kernel};

mod batch_adjusted;
mod batch_m0;
mod batch_m2;
mod batch_m3;
pub(crate) mod batch_m4;
pub(crate) mod buffers;
mod fallback;
pub(crate) mod mapping;
pub(crate) mod move_folio;
mod pages;
mod prep;
pub(crate) mod unmap;

pub use batch_m0::__unmap_and_move;
pub use batch_m2::{WOULD_DEADLOCK, lock_src_of_batch};
pub(crate) use batch_m4::{migrate_pages_sync, unmap_folios};
pub use buffers::*;
pub use fallback::{DIRTY_REFUSED, WRITTEN_OUT};
pub use mapping::*;
pub(crate) use mapping::{MIGRATION_TARGET, alloc_migration_target, migrate_folio};
pub use move_folio::MOVED_AGAIN;
pub(crate) use move_folio::migrate_folio_move;
pub use pages::*;
pub use prep::*;
pub use unmap::{
    FOUND_WRITEBACK, SPLIT, TO_BE_SPLIT, WAITED_FOR_WRITEBACK, may_sleep_on_locks,
    migrate_folio_undo_src,
};

decisions! {
    /// What differs between trees.
    pub struct Migrate of "mm/migrate.c", set by MigrateChange {
        /// `migrate_pages()`: which version.
        pages: Pages,
        /// Which references the source is expected to have.
        expected: ExpectedRefs,
        /// `filemap_migrate_folio()`, and what `migrate_folio()` does: when the contents are
        /// copied.
        filemap_migrate_folio: Func<fn(&Kernel, &Folio, &Folio) -> Result<(), Errno>>,
        /// What is between the look at the count and the copy. Only `__migrate_folio()` asks.
        copy_after: CopyAfter,
        /// `folio_migrate_mapping()`; `__folio_migrate_mapping()` since 6.11.
        folio_migrate_mapping: Func<fn(&Kernel, &Folio, &Folio, i64) -> Result<(), Errno>>,
        /// What `migrate_folio_unmap()` does about a source that somebody else has locked.
        src_lock: SrcLock,
        /// Whether a task in direct reclaim or compaction (PF_MEMALLOC) may wait for a folio lock.
        may_sleep_on_locks: Func<fn(Migrator) -> Result<(), Errno>>,
        /// When stale TLB entries are flushed.
        flush: TlbFlush,
        /// `try_to_unmap_flush()`
        try_to_unmap_flush: Func<fn(&Kernel)>,
        /// How a fault on a migration entry waits.
        entry_wait: EntryWait,
        /// Where the new folio keeps what migration knows of the old one meanwhile.
        note: NoteIn,
        /// What `buffer_migrate_lock_buffers()` does about a buffer that somebody else has locked.
        buffer_lock: BufferLock,
        /// What `migrate_folio_unmap()` of 6.3-rc1 does about writeback that it would wait for
        /// while it has other folios locked. Only [`Pages::Batches`] asks.
        writeback: BatchedWriteback,
        /// What MIGRATE_SYNC does about writeback that user space may never end.
        indeterminate: Indeterminate,
        /// When `unmap_and_move_huge_page()` restores entries.
        huge_restore: HugeRestore,
        /// When `migrate_folio_move()` drains the batches of its CPU.
        drain: DrainAfterMove,
        /// How `try_split_folio()` locks the folio.
        split_lock: SplitLock,
        /// Whether migration writes dirty folios of filesystems that cannot migrate them.
        writeout: Writeout,
        /// `__unmap_and_move()`. Only [`Pages::OneByOne`] asks.
        __unmap_and_move:
            Func<fn(&Kernel, &Folio, &Folio, Migrator, bool) -> Result<(), Errno>>,
        /// The source's lock in `migrate_folio_unmap()`: forced or not, with folios locked already
        /// or not. Only [`Pages::Batches`] asks.
        lock_src_of_batch: Func<LockSrc>,
        /// `migrate_pages_sync()`. Only [`Pages::AsyncFirst`] asks.
        migrate_pages_sync: Func<PagesSync>,
        /// The first loop of `migrate_pages_batch()`. Only [`Pages::AsyncFirst`] asks.
        unmap_folios: Func<UnmapFolios>,
        /// `migrate_folio_move()`, of the batches.
        migrate_folio_move: Func<FolioMove>,
        /// `migrate_folio_undo_src()`, of the batches.
        migrate_folio_undo_src: Func<fn(&Kernel, &Folio, bool)>,
        /// `__buffer_migrate_folio()`
        __buffer_migrate_folio:
            Func<fn(&Kernel, &Folio, &Folio, Migrator, bool) -> Result<(), Errno>>,
    }
}

/// See [`lock_src_of_batch`].
type LockSrc = fn(&Kernel, &Folio, Migrator, bool, bool) -> Result<(), Errno>;

/// `migrate_pages()` and what it calls: a file for each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pages {
    /// One folio at a time: up to 6.2, and 6.1.y.
    OneByOne,
    /// Batches in every mode: 6.3-rc1 and -rc2 (5dfab109d519).
    Batches,
    /// Batches in MIGRATE_ASYNC, single folios otherwise (fb3592c41a44).
    BatchesIfAsync,
    /// A batch in MIGRATE_ASYNC first, then single folios in the mode asked for: since 6.3-rc3
    /// (2ef7dbb26990).
    AsyncFirst,
    /// Batches in every mode, with MIGRATE_ASYNC passed down as soon as one folio of the batch is
    /// locked: the proposal in the mail of 2023-02-20.
    AdjustedMode,
}

/// What `migrate_folio_unmap()` of 6.3-rc1 does in MIGRATE_SYNC, when it is forced, about writeback
/// of a folio while it has others locked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BatchedWriteback {
    /// Waits: 6.3-rc1 and -rc2.
    Waits,
    /// Gives up with `-EDEADLOCK`: the patch in the mail of 2023-02-20.
    Deadlock,
}

/// What MIGRATE_SYNC does about a source under writeback whose mapping says that user space ends
/// it (AS_WRITEBACK_INDETERMINATE).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Indeterminate {
    /// Waits, as for any other: every release.
    Waits,
    /// Gives up on the folio: the patch of November 2024. Never merged.
    Skips,
}

/// When `migrate_folio_move()` calls `lru_add_drain()`, after it has put the new folio on the LRU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DrainAfterMove {
    /// If the folio was mapped: up to 6.6.
    IfMapped,
    /// If it was mlocked: since 6.7 (eebb3dabbb5c).
    IfMlocked,
}

/// What `__migrate_folio()` does, since 6.11, between the look that finds no extra references and
/// the copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CopyAfter {
    /// Nothing: every release.
    Look,
    /// `smp_rmb()`: ours.
    ReadBarrier,
}

/// How `try_split_folio()` locks the folio, which is none of those that the task holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SplitLock {
    /// Waits for it, in every mode: up to 6.10.
    Waits,
    /// Tries it in MIGRATE_ASYNC, waits for it otherwise: since 6.11 (2e6506e1c4ee).
    TriesIfAsync,
}

/// Whether migration writes dirty folios of filesystems that cannot migrate them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Writeout {
    /// In MIGRATE_SYNC, by `->writepage()`: up to 6.15.
    Writes,
    /// No: since 6.16 (7ee3647243e5).
    Never,
}

/// How a folio migrates: `mapping->a_ops->migrate_folio`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Aops {
    /// `migrate_folio()`: shmem, and anonymous folios.
    Plain,
    /// `buffer_migrate_folio()`: the data of ext2 and ext4.
    Buffers,
    /// `buffer_migrate_folio_norefs()`: block devices, and data that ext4 journals.
    BuffersNorefs,
    /// None: `fallback_migrate_folio()`. `->writepage()` starts a writeback that ends later.
    WritepageAsync,
    /// None; `->writepage()` has written the folio when it returns: vboxsf, hostfs.
    WritepageSync,
}

/// When the TLB entries of an unmapped folio are flushed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TlbFlush {
    /// As each page-table entry is cleared, under the page-table lock: up to 6.2, and since then in
    /// the modes that may block.
    AtUnmap,
    /// Once, after the last folio is unmapped and before the first is moved (TTU_BATCH_FLUSH):
    /// since 6.3; from the first of the patches that mended the batches on, in MIGRATE_ASYNC only.
    /// Modelled in every mode: with one folio the two are a few steps apart.
    BeforeCopy,
}

/// Where a new folio keeps, between unmap and move, what migration knows of the old one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoteIn {
    /// `dst->private`, or nowhere: up to 6.2, and since 6.8 (d1adb25df711).
    Private,
    /// `dst->mapping`, where others look for a mapping: 6.3 to 6.7.
    Mapping,
}

/// Which references `folio_migrate_mapping()` expects, besides that of the caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExpectedRefs {
    /// `folio_expected_refs()`: of the page cache and PG_private. A source that is mapped has more.
    WithoutMapcount,
    /// `folio_expected_ref_count()`: those of page tables too (86ebd50224c0, 6.16; in 6.12.117).
    WithMapcount,
}

/// What `migrate_folio_unmap()` does about a source that somebody else has locked, by mode. In
/// MIGRATE_ASYNC no tree waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SrcLock {
    /// Waits from the third pass on (`force`): up to 6.3-rc2.
    WaitIfForced,
    /// Waits: 6.3-rc3 to 6.4.
    Wait,
    /// Never waits: the RFC of April 2023.
    Never,
    /// MIGRATE_SYNC_LIGHT waits with a timeout: the second version of it.
    WaitWithTimeout,
    /// MIGRATE_SYNC_LIGHT waits if the folio is uptodate: since 6.5 (4bb6dc79d987).
    WaitIfUptodate,
}

/// `enum migrate_mode`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// `MIGRATE_ASYNC`: never blocks.
    Async,
    /// `MIGRATE_SYNC_LIGHT`: may block, but not for writeback.
    SyncLight,
    /// `MIGRATE_SYNC`: may block.
    Sync,
}

/// Why a caller gives up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Errno {
    /// `-EDEADLOCK`
    Deadlock,
    /// `-EAGAIN`
    Again,
    /// `-EFAULT`
    Fault,
    /// `-ENOMEM`
    NoMemory,
    /// `-EBUSY`
    Busy,
    /// `-EINTR`
    Interrupted,
    /// `-EINVAL`
    Invalid,
}
