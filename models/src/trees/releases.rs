//! Releases.

use crate::Tree;
use crate::fs::buffer::{
    BhLruLock, Buffer, FindBlock, InstallCheck, RingMove, SlotReference, UnlockBuffer,
};
use crate::mm::compaction::Compaction;
use crate::mm::filemap::{EndWriteback, Filemap};
use crate::mm::gup::{GUP_PIN_COUNTING_BIAS, Gup, LongtermDrain};
use crate::mm::memory::EntryWait;
use crate::mm::memory_hotplug::{FailedRemoval, MemoryHotplug};
use crate::mm::migrate::{
    BatchedWriteback, BufferLock, CopyOrder, DrainAfterMove, ExpectedRefs, Migrate, MigrateFault,
    NoteIn, Pages, SplitLock, SrcLock, TlbFlush, Writeout, migrate_prep, never_pending,
    no_migrate_finish,
};
use crate::mm::mlock::Mlock;
use crate::mm::swap::{
    BhLruDrain, DeactivateFile, DisableDrain, DrainGeneration, ForcedDrain, LruAdd, LruClaim,
    RemoteLook, RotateDrain, Swap, SwapFault, lru_cache_disable_by_rcu,
    lru_cache_disable_by_rcu_expedited, lru_cache_disable_by_work, lru_cache_disabled,
    lru_cache_enable,
};
use crate::mm::vmscan::{SortFolio, Vmscan};
use crate::tree::Kind;

/// 5.11: `migrate_prep()` drains once and disables nothing.
pub static V5_11: Tree = Tree {
    name: "v5.11",
    kind: Kind::Release,
    base: "v5.11",
    about: "Linux 5.11: migrate_prep() drains once, nothing is disabled",
    pending_name: "migrate_pending_count",
    buffer: Buffer {
        install_check: InstallCheck::Never,
        lru_lock: BhLruLock::IrqsOff,
        slot_reference: SlotReference::Counted,
        ring_move: RingMove::UnderPrivateLock,
        find: FindBlock::PrivateLock,
        unlock: UnlockBuffer::FullBarrier,
    },
    swap: Swap {
        lru_cache_disable: migrate_prep,
        lru_cache_enable: no_migrate_finish,
        lru_cache_disabled: never_pending,
        bh_lru_drain: BhLruDrain::Never,
        drain_generation: DrainGeneration::AsWritten,
        disable_drain: DisableDrain::Forced,
        forced_drain: ForcedDrain::EveryCpu,
        remote_look: RemoteLook::RotateMarked,
        rotate_drain: RotateDrain::IrqsOff,
        lru_claim: LruClaim::AtDrain,
        deactivate_file: DeactivateFile::AnyFolio,
        lru_add: LruAdd::SetFirst,
        fault: SwapFault::None,
    },
    mlock: Mlock::Isolates,
    vmscan: Vmscan::RELEASED,
    gup: Gup { drain: LongtermDrain::OffLru },
    migrate: Migrate {
        pages: Pages::OneByOne,
        expected: ExpectedRefs::WithoutMapcount,
        copy: CopyOrder::FreezeThenCopy,
        src_lock: SrcLock::WaitIfForced,
        memalloc_waits: false,
        flush: TlbFlush::AtUnmap,
        entry_wait: EntryWait::TakesReference,
        note: NoteIn::Private,
        buffer_lock: BufferLock::Wait,
        writeback: BatchedWriteback::Waits,
        drain: DrainAfterMove::IfMapped,
        split_lock: SplitLock::Waits,
        writeout: Writeout::Writes,
        fault: MigrateFault::None,
    },
    compaction: Compaction::RELEASED,
    preempt_rt: false,
    memory_hotplug: MemoryHotplug { failed_removal: FailedRemoval::NothingToUndo },
    filemap: Filemap::SINCE_5_9,
};

/// 5.6: `__lru_add_drain_all()` with a seqcount latch (eef1a429f234), as it was from 5.5 to 5.8.
pub static V5_6: Tree = Tree {
    name: "v5.6",
    base: "v5.6",
    about: "Linux 5.6: lru_add_drain_all() with a seqcount latch (eef1a429f234), otherwise as 5.11",
    swap: Swap { drain_generation: DrainGeneration::Latch, ..V5_11.swap },
    ..V5_11
};

/// 5.13: `lru_cache_disable()` (d479960e44f2), bh_lru with it (8cc621d2f45d).
pub static V5_13: Tree = Tree {
    name: "v5.13",
    base: "v5.13",
    about: "Linux 5.13: lru_cache_disable() with work on every CPU (d479960e44f2, 8cc621d2f45d)",
    pending_name: "lru_disable_count",
    buffer: Buffer { install_check: InstallCheck::BeforeLock, ..V5_11.buffer },
    swap: Swap {
        lru_cache_disable: lru_cache_disable_by_work,
        lru_cache_enable,
        lru_cache_disabled,
        bh_lru_drain: BhLruDrain::EveryDrain,
        ..V5_11.swap
    },
    memory_hotplug: MemoryHotplug { failed_removal: FailedRemoval::LeavesDisabled },
    ..V5_11
};

/// 5.15: bh_lru drained only by the work item (243418e3925d); `offline_pages()` balanced since 5.14
/// (946746d1ad92).
pub static V5_15: Tree = Tree {
    name: "v5.15",
    base: "v5.15",
    about: "Linux 5.15: bh_lrus invalidated for the cold path only (243418e3925d)",
    swap: Swap { bh_lru_drain: BhLruDrain::WorkItem, ..V5_13.swap },
    memory_hotplug: MemoryHotplug { failed_removal: FailedRemoval::Enables },
    ..V5_13
};

/// 5.18: `synchronize_rcu()` in place of the work (ff042f4a9b05), the check under `bh_lru_lock()`
/// (c0226eb8bde8).
pub static V5_18: Tree = Tree {
    name: "v5.18",
    base: "v5.18",
    about: "Linux 5.18: synchronize_rcu() orders the counter (ff042f4a9b05, c0226eb8bde8)",
    buffer: Buffer { install_check: InstallCheck::UnderLock, ..V5_11.buffer },
    swap: Swap {
        lru_cache_disable: lru_cache_disable_by_rcu,
        forced_drain: ForcedDrain::WhereNeeded,
        lru_add: LruAdd::SetLast,
        ..V5_15.swap
    },
    mlock: Mlock::Batches,
    migrate: Migrate { entry_wait: EntryWait::UnderPageTableLock, ..V5_15.migrate },
    ..V5_15
};

/// 6.1: `synchronize_rcu_expedited()` (31733463372e, 5.19).
pub static V6_1: Tree = Tree {
    name: "v6.1",
    base: "v6.1",
    about: "Linux 6.1: synchronize_rcu_expedited() (31733463372e)",
    swap: Swap { lru_cache_disable: lru_cache_disable_by_rcu_expedited, ..V5_18.swap },
    ..V5_18
};

/// 6.1.192: the long-term pin fixes of September 2025, with the pin counted as 1.
pub static V6_1_192: Tree = Tree {
    name: "v6.1.192",
    base: "v6.1",
    about: "Linux 6.1.192: pins drain for any extra reference (98c6d259319e, a09a8a1fbb37), a pin taken for 1",
    gup: Gup { drain: LongtermDrain::ExtraReferences { pin: 1 } },
    ..V6_1
};

/// 6.6: batches in MIGRATE_ASYNC, whose TLB flush is deferred; the new folio's mapping is no
/// mapping for a while.
pub static V6_6: Tree = Tree {
    name: "v6.6",
    base: "v6.6",
    about: "Linux 6.6: migration in batches (5dfab109d519), the TLB flush deferred",
    migrate: Migrate {
        pages: Pages::AsyncFirst,
        src_lock: SrcLock::WaitIfUptodate,
        buffer_lock: BufferLock::WaitIfUptodate,
        flush: TlbFlush::BeforeCopy,
        note: NoteIn::Mapping,
        ..V6_1.migrate
    },
    ..V6_1
};

/// 6.10: migration never waits for read I/O in MIGRATE_SYNC_LIGHT (4bb6dc79d987, 6.5); the batches
/// as in 6.1.
pub static V6_10: Tree = Tree {
    name: "v6.10",
    base: "v6.10",
    about: "Linux 6.10: a folio in a batch keeps PG_lru, as ever since 5.11",
    filemap: Filemap { end_writeback: EndWriteback::OneStep, ..V6_6.filemap },
    migrate: Migrate { note: NoteIn::Private, drain: DrainAfterMove::IfMlocked, ..V6_6.migrate },
    ..V6_6
};

/// 6.11: PG_lru is cleared before a folio is added to a batch (33dfe9204f29); the copy before the
/// freeze.
pub static V6_11: Tree = Tree {
    name: "v6.11",
    base: "v6.11",
    about: "Linux 6.11: PG_lru cleared before a folio is added to a batch (33dfe9204f29)",
    swap: Swap { lru_claim: LruClaim::AtAdd, remote_look: RemoteLook::Unmarked, ..V6_10.swap },
    migrate: Migrate {
        copy: CopyOrder::CopyThenFreeze,
        split_lock: SplitLock::TriesIfAsync,
        ..V6_10.migrate
    },
    ..V6_10
};

/// 6.11.5: reclaim (MGLRU) passes over folios with PG_lru clear (0885ef470560).
pub static V6_11_5: Tree = Tree {
    name: "v6.11.5",
    base: "v6.11",
    about: "Linux 6.11.5: MGLRU passes over folios that are off the LRU (0885ef470560)",
    vmscan: Vmscan { sort_folio: SortFolio::IneligibleOffLru, ..V6_11.vmscan },
    ..V6_11
};

/// 6.12.117: 33dfe9204f29 reverted (afb99e9f5004); pins drain for any extra reference; who may
/// sleep looks buffers up under the folio lock.
pub static V6_12_117: Tree = Tree {
    name: "v6.12.117",
    base: "v6.12.117",
    about: "Linux 6.12.117: 33dfe9204f29 reverted, pins drain for any extra reference",
    swap: Swap {
        lru_claim: LruClaim::AtDrain,
        deactivate_file: DeactivateFile::OnLruOnly,
        ..V6_11.swap
    },
    gup: Gup { drain: LongtermDrain::ExtraReferences { pin: GUP_PIN_COUNTING_BIAS } },
    migrate: Migrate { expected: ExpectedRefs::WithMapcount, ..V6_11.migrate },
    buffer: Buffer { find: FindBlock::FolioLock, ..V6_11.buffer },
    ..V6_11
};

/// 6.17: as 6.12.117 but for the migration of buffers (2d900efff915, 6.15), and that migration
/// writes nothing out (7ee3647243e5, 6.16).
pub static V6_17: Tree = Tree {
    name: "v6.17",
    base: "v6.17",
    about: "Linux 6.17: as 6.12.117, buffers migrate under BH_Migrate, nothing is written out",
    buffer: Buffer { ring_move: RingMove::UnderBhMigrate, ..V6_12_117.buffer },
    migrate: Migrate { writeout: Writeout::Never, ..V6_12_117.migrate },
    ..V6_12_117
};

/// 6.1 with PREEMPT_RT.
pub static V6_1_RT: Tree = Tree {
    name: "v6.1-rt",
    base: "v6.1",
    about: "Linux 6.1 with PREEMPT_RT: local locks and spinlocks sleep",
    preempt_rt: true,
    ..V6_1
};

/// 6.12.117 with PREEMPT_RT.
pub static V6_12_117_RT: Tree = Tree {
    name: "v6.12.117-rt",
    base: "v6.12.117",
    about: "Linux 6.12.117 with PREEMPT_RT: local locks and spinlocks sleep",
    preempt_rt: true,
    ..V6_12_117
};
