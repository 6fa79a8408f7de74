//! Releases, folded from [`crate::commits`]. One more is an entry of the table here, and a line in
//! `ALL`.

use selvedge_kernel::{local_irq_disable, local_irq_enable};

use crate::commits::COMMITS;
use crate::drivers::minimal;
use crate::fs::buffer::{
    __find_get_block_slow, __invalidate_bh_lrus, Buffer, FindBlock, InstallCheck, RingMove,
    bh_lru_install,
};
use crate::fs::fuse::{Fuse, FuseWriteback};
use crate::fs::iomap::{Iomap, SubmitIoend};
use crate::mm::filemap::{
    EndWriteback, Filemap, GivingUp, WqFlags, folio_clear_waiters, folio_set_waiters,
    folio_trylock_flag, folio_xor_flags_has_waiters, migration_entry_wait_on_locked,
    wait_signal_first, wake_to_retry, xas_reload,
};
use crate::mm::gup::{Gup, LongtermContent, LongtermDrain};
use crate::mm::hugetlb::HugeRestore;
use crate::mm::memory::{EntryWait, Memory, MissingEntry};
use crate::mm::memory_hotplug::{FailedRemoval, MemoryHotplug};
use crate::mm::migrate::{
    __buffer_migrate_folio, __unmap_and_move, BatchedWriteback, BufferLock, CopyAfter,
    DrainAfterMove, ExpectedRefs, Indeterminate, Migrate, NoteIn, Pages, SplitLock, SrcLock,
    TlbFlush, Writeout, filemap_migrate_folio, folio_migrate_mapping, lock_src_of_batch,
    may_sleep_on_locks, migrate_folio_move, migrate_folio_undo_src, migrate_pages_sync,
    migrate_prep, never_pending, no_migrate_finish, unmap_folios,
};
use crate::mm::mlock::Mlock;
use crate::mm::movable::{self, Movable, SlabLayout};
use crate::mm::page_writeback::{Cyclic, PageWriteback};
use crate::mm::rmap::{NukePte, Rmap, try_to_unmap_flush};
use crate::mm::swap::{
    BatchReferences, BhLruDrain, DeactivateFile, DeadFolios, ForcedDrain, LruAdd, LruClaim,
    LruLook, OwnDrain, RemoteLook, Swap, activates_by_batch, folio_batch_move_lru,
    folio_may_be_lru_cached, gets_and_adds, lock_and_add, lru_add_drain_all_by_latch,
};
use crate::mm::vmscan::Vmscan;
use crate::mm::{balloon_compaction as balloon, zsmalloc};
use crate::replaced::Replaced;
use crate::tree::Kind;
use crate::{Tree, Version};

/// Before the first commit of the list. The drains are those of 5.5 (eef1a429f234): older ones are
/// not modelled, so that 4.13 is what it was in mm/filemap.c, and 5.5 elsewhere. The page lock of
/// releases before 4.13 is that of 4.13 too, which has PG_waiters (62906027091f, 4.10).
/// `forced_drain` is asked by nobody before 5.13, nor `cyclic` before 64081362e8ff.
pub(crate) const OLDEST: Tree = Tree {
    name: "",
    aliases: &[],
    kind: Kind::Release,
    base: "",
    about: "",
    patches: &[],
    edits: &[],
    pending_name: "migrate_pending_count",
    buffer: Buffer {
        install_check: InstallCheck::Never,
        bh_lru_lock: func!(local_irq_disable),
        bh_lru_unlock: func!(local_irq_enable),
        bh_lru_install: func!(bh_lru_install),
        __invalidate_bh_lrus: func!(__invalidate_bh_lrus),
        ring_move: RingMove::UnderPrivateLock,
        find: FindBlock::PrivateLock,
        __find_get_block_slow: func!(__find_get_block_slow),
    },
    fuse: Fuse { writeback: FuseWriteback::TemporaryCopy },
    iomap: Iomap { submit: SubmitIoend::AtEnd },
    swap: Swap {
        lru_cache_disable: func!(migrate_prep),
        lru_cache_enable: func!(no_migrate_finish),
        lru_cache_disabled: func!(never_pending),
        bh_lru_drain: BhLruDrain::Never,
        __lru_add_drain_all: func!(lru_add_drain_all_by_latch),
        forced_drain: ForcedDrain::EveryCpu,
        own_drain: OwnDrain::WithOthers,
        remote_look: RemoteLook::Unmarked,
        lru_claim: LruClaim::AtDrain,
        lru_look: LruLook::First,
        deactivate_file: DeactivateFile::AnyFolio,
        lru_add: LruAdd::SetFirst,
        dead_folios: DeadFolios::Linked,
        batch_references: BatchReferences::OfEntry,
        folio_add_lru: func!(gets_and_adds),
        folio_activate: func!(activates_by_batch),
        folio_may_be_lru_cached: func!(folio_may_be_lru_cached),
        lock_and_add: func!(lock_and_add),
        folio_batch_move_lru: func!(folio_batch_move_lru),
    },
    mlock: Mlock::Isolates,
    vmscan: Vmscan::RELEASED,
    gup: Gup { drain: LongtermDrain::OffLru, content: LongtermContent::NothingCollected },
    migrate: Migrate {
        pages: Pages::OneByOne,
        expected: ExpectedRefs::WithoutMapcount,
        filemap_migrate_folio: func!(filemap_migrate_folio),
        folio_migrate_mapping: func!(folio_migrate_mapping),
        src_lock: SrcLock::WaitIfForced,
        may_sleep_on_locks: func!(may_sleep_on_locks),
        flush: TlbFlush::AtUnmap,
        try_to_unmap_flush: func!(try_to_unmap_flush),
        entry_wait: EntryWait::TakesReference,
        note: NoteIn::Private,
        buffer_lock: BufferLock::Wait,
        writeback: BatchedWriteback::Waits,
        indeterminate: Indeterminate::Waits,
        huge_restore: HugeRestore::UnderMappingLock,
        drain: DrainAfterMove::IfMapped,
        split_lock: SplitLock::Waits,
        copy_after: CopyAfter::Look,
        writeout: Writeout::Writes,
        __unmap_and_move: func!(__unmap_and_move),
        lock_src_of_batch: func!(lock_src_of_batch),
        migrate_pages_sync: func!(migrate_pages_sync),
        unmap_folios: func!(unmap_folios),
        migrate_folio_move: func!(migrate_folio_move),
        migrate_folio_undo_src: func!(migrate_folio_undo_src),
        __buffer_migrate_folio: func!(__buffer_migrate_folio),
    },
    memory: Memory { missing: MissingEntry::ReadUnlocked },
    rmap: Rmap { nuke: NukePte::FlushThenMark },
    // 4.2: the oldest of movable pages.
    movable: Movable {
        core: &movable::V4_2,
        balloon: &balloon::V4_2,
        zsmalloc: &zsmalloc::V4_8,
        module: &minimal::DRIVER,
        slab: SlabLayout::CacheAtMapping,
    },
    preempt_rt: false,
    replaced: Replaced::NOTHING,
    page_writeback: PageWriteback { cyclic: Cyclic::Ends },
    memory_hotplug: MemoryHotplug { failed_removal: FailedRemoval::NothingToUndo },
    filemap: Filemap {
        folio_wait_bit_common: func!(wait_signal_first),
        wake_page_function: func!(wake_to_retry),
        folio_trylock_flag: func!(folio_trylock_flag),
        migration_entry_wait_on_locked: func!(migration_entry_wait_on_locked),
        folio_set_waiters: func!(folio_set_waiters),
        folio_clear_waiters: func!(folio_clear_waiters),
        folio_xor_flags_has_waiters: func!(folio_xor_flags_has_waiters),
        unfairness: Filemap::SCALED,
        wq_flags: WqFlags::WithBookmark,
        giving_up: GivingUp::Leaves,
        xas_reload: func!(xas_reload),
        end_writeback: EndWriteback::ClearThenLook,
    },
};

/// The release of this name: what came before the list, and each commit that it has.
const fn release(name: &'static str, about: &'static str) -> Tree {
    let version = Version::parse(name);
    let mut tree = OLDEST;
    let mut at = 0;
    while at < COMMITS.len() {
        if COMMITS[at].is_in(version) {
            tree = tree.with(COMMITS[at].sets);
        }
        at += 1;
    }
    tree.name = name;
    tree.base = name;
    tree.about = about;
    tree
}

/// `NAME = "vX.Y" (aliases), "what it is";`
macro_rules! releases {
    ($( $NAME:ident = $name:literal $(($($alias:literal),*))?, $about:literal; )*) => {
        $(
            #[doc = $about]
            pub static $NAME: Tree = Tree {
                $( aliases: &[$($alias),*], )?
                ..release($name, $about)
            };
        )*
    };
}

releases! {
    V4_2 = "v4.2",
        "Linux 4.2, of movable pages only: balloon_page_isolate(); its page lock is that of 4.13";
    V4_5 = "v4.5",
        "Linux 4.5, of movable pages only: the balloon dequeues under pages_lock (21ea9fb69e7c); \
         its page lock is that of 4.13";
    V4_8 = "v4.8",
        "Linux 4.8, of movable pages only: isolate_movable_page() (bda807d44454); its page lock is \
         that of 4.13";
    V4_13 = "v4.13" ("L0-signal-first"),
        "Linux 4.13, of which mm/filemap.c: a waiter looks for a signal before it tries the bit";
    V4_14 = "v4.14",
        "Linux 4.14, of movable pages only: an empty zspage migrates (77ff465799c6)";
    V5_3 = "v5.3",
        "Linux 5.3, of movable pages only: zs_destroy_pool() waits for isolated pages \
         (701d678599d0)";
    V5_4_255 = "v5.4.255",
        "Linux 5.4.255, of which mm/filemap.c: the page lock of 5.9 (5ef64cc8987a)";
    V5_6 = "v5.6" ("L0"),
        "Linux 5.6: a seqcount latch in lru_add_drain_all() (eef1a429f234), waiters try the bit";
    V5_9_RC1 = "v5.9-rc1" ("L1"),
        "Linux 5.9-rc1: the page lock is always handed over (2a9127fcf229)";
    V5_11 = "v5.11",
        "Linux 5.11: migrate_prep() drains once, nothing is disabled";
    V5_13 = "v5.13",
        "Linux 5.13: lru_cache_disable() with work on every CPU (d479960e44f2, 8cc621d2f45d)";
    V5_15 = "v5.15",
        "Linux 5.15: bh_lrus invalidated for the cold path only (243418e3925d)";
    V5_16 = "v5.16",
        "Linux 5.16, of movable pages: a barrier in zs_pool_dec_isolated() (afe8605ca454)";
    V5_17 = "v5.17",
        "Linux 5.17, of movable pages: zsmalloc isolates by PG_isolated alone (c4549b871102)";
    V5_18 = "v5.18",
        "Linux 5.18: synchronize_rcu() orders the counter (ff042f4a9b05, c0226eb8bde8)";
    V6_1 = "v6.1" ("L2", "M0"),
        "Linux 6.1: synchronize_rcu_expedited() (31733463372e)";
    V6_1_192 = "v6.1.192",
        "Linux 6.1.192: pins drain for any extra reference (98c6d259319e), a pin is taken for 1";
    V6_3_RC1 = "v6.3-rc1" ("M2", "next-20230217"),
        "Linux 6.3-rc1, -rc2, next-20230217: migration in batches in every mode (5dfab109d519)";
    V6_4 = "v6.4" ("M4"),
        "Linux 6.4: a locked source is waited for, after passes that never wait (2ef7dbb26990)";
    V6_6 = "v6.6",
        "Linux 6.6: migration in batches (5dfab109d519), the TLB flush deferred";
    V6_10 = "v6.10" ("M5"),
        "Linux 6.10: a folio in a batch keeps PG_lru, as ever since 5.11";
    V6_11 = "v6.11" ("M6"),
        "Linux 6.11: PG_lru cleared before a folio is added to a batch (33dfe9204f29)";
    V6_11_5 = "v6.11.5",
        "Linux 6.11.5: MGLRU passes over folios that are off the LRU (0885ef470560)";
    V6_12 = "v6.12" ("seed-002-v4-clear-then-get"),
        "Linux 6.12: PG_lru cleared before the reference is taken, as up to 6.16";
    V6_12_117 = "v6.12.117" ("M6s"),
        "Linux 6.12.117: 33dfe9204f29 reverted, pins drain for any extra reference";
    V6_15 = "v6.15" ("M7a"),
        "Linux 6.15: buffers of block devices migrate under BH_Migrate (2d900efff915)";
    V6_17 = "v6.17" ("M7"),
        "Linux 6.17: as 6.12.117, buffers migrate under BH_Migrate, nothing is written out";
    V6_18 = "v6.18",
        "Linux 6.18: lru_add_drain_all() drains its own CPU before it takes the mutex";
    V6_19 = "v6.19",
        "Linux 6.19: hugetlb folios are restored under i_mmap_rwsem (b7880cb166ab)";
}
