//! Page migration.
//!
//! | file         | what                                                                    |
//! |--------------|-------------------------------------------------------------------------|
//! | `mod.rs`     | what differs between trees; modes and errors                            |
//! | `prep.rs`    | `migrate_prep()`, `migrate_finish()` of 5.11 and of the RFCs of 2021    |
//! | `mapping.rs` | `folio_migrate_mapping()`: the references, the freeze, the new folio in the page cache |
//! | `buffers.rs` | `buffer_migrate_folio()`: the locks of the buffers                      |
//! | `pages.rs`   | `migrate_pages()`: unmap, move, passes; putback                         |

use crate::mm::memory::EntryWait;

mod buffers;
mod mapping;
mod pages;
mod prep;

pub use buffers::*;
pub use mapping::*;
pub use pages::*;
pub use prep::*;

decisions! {
    /// What differs between trees.
    pub struct Migrate of "mm/migrate.c", set by MigrateChange {
        /// Which references the source is expected to have.
        expected: ExpectedRefs,
        /// When the contents are copied.
        copy: CopyOrder,
        /// What `migrate_folio_unmap()` does about a source that somebody else has locked.
        src_lock: SrcLock,
        /// Whether a task in direct reclaim or compaction (PF_MEMALLOC) may wait for a folio lock.
        memalloc_waits: bool,
        /// When stale TLB entries are flushed.
        flush: TlbFlush,
        /// How a fault on a migration entry waits.
        entry_wait: EntryWait,
        /// Where the new folio keeps what migration knows of the old one meanwhile.
        note: NoteIn,
        /// What `buffer_migrate_lock_buffers()` does about a buffer that somebody else has locked.
        buffer_lock: BufferLock,
        /// Deliberate faults.
        fault: MigrateFault,
    }
}

/// When the TLB entries of an unmapped folio are flushed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TlbFlush {
    /// As each page-table entry is cleared, under the page-table lock: up to 6.2, and since then in
    /// the modes that may block.
    AtUnmap,
    /// Once, after the last folio is unmapped and before the first is copied (TTU_BATCH_FLUSH): in
    /// MIGRATE_ASYNC since 6.3. Modelled in every mode: with one folio the two are a few steps apart.
    BeforeCopy,
    /// kernel-migrate BM9: after the copy.
    AfterCopy,
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

/// When the contents are copied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CopyOrder {
    /// The reference count is frozen and the new folio put in the page cache first: up to 6.10.
    FreezeThenCopy,
    /// The copy comes first, after a cheap look at the count: since 6.11.
    CopyThenFreeze,
}

/// What `migrate_folio_unmap()` does about a source that somebody else has locked, by mode. In
/// MIGRATE_ASYNC no tree waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SrcLock {
    /// Waits from the third pass on (`force`): up to 6.2.
    WaitIfForced,
    /// Waits: 6.3, 6.4.
    Wait,
    /// Never waits: the RFC of seed 001.
    Never,
    /// MIGRATE_SYNC_LIGHT waits with a timeout: the second version of it.
    WaitWithTimeout,
    /// MIGRATE_SYNC_LIGHT waits if the folio is uptodate: since 6.5 (4bb6dc79d987).
    WaitIfUptodate,
}

/// Deliberate faults; `None` in every release.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MigrateFault {
    /// As it is.
    None,
    /// kernel-migrate BM2: the count is compared, not frozen.
    CountWithoutFreeze,
    /// kernel-migrate BM3: unfrozen before the new folio is in its slot.
    UnfreezeBeforeSlot,
    /// kernel-migrate BM4: unfrozen without release.
    UnfreezeRelaxed,
    /// kernel-migrate BM5: unfrozen to the count before: the reference of the page cache stays.
    UnfreezeAll,
    /// kernel-migrate BM6: the new folio gets no reference of the page cache.
    NoCacheReference,
    /// kernel-migrate BM8: PG_dirty moves after the new folio is in its slot and the lock dropped.
    DirtyAfterSlot,
    /// kernel-migrate BM10: page tables are restored after the source is unlocked.
    RestoreAfterUnlock,
    /// kernel-migrate BM7: frozen before the lock of the page cache is taken, which is not held over
    /// the new slot either.
    NoPagesLock,
    /// kernel-migrate BM12: the reference of private data is not expected.
    PrivateNotCounted,
    /// kernel-migrate BM11: no `folio_put()` for an unmapped page-table entry.
    NoPutOfUnmapped,
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
