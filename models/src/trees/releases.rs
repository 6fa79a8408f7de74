//! Releases.

use crate::Tree;
use crate::fs::buffer::{BhLruLock, Buffer, InstallCheck, RingMove, SlotReference, UnlockBuffer};
use crate::mm::filemap::Filemap;
use crate::mm::memory_hotplug::{FailedRemoval, MemoryHotplug};
use crate::mm::migrate::{migrate_prep, never_pending, no_migrate_finish};
use crate::mm::swap::{
    BhLruDrain, DrainGeneration, ForcedDrain, LruAdd, MoveClaims, RotateDrain, Swap,
    lru_cache_disable_by_rcu, lru_cache_disable_by_rcu_expedited, lru_cache_disable_by_work,
    lru_cache_disabled, lru_cache_enable,
};
use crate::mm::vmscan::Putback;
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
        unlock: UnlockBuffer::FullBarrier,
    },
    swap: Swap {
        lru_cache_disable: migrate_prep,
        lru_cache_enable: no_migrate_finish,
        lru_cache_disabled: never_pending,
        bh_lru_drain: BhLruDrain::Never,
        drain_generation: DrainGeneration::AsWritten,
        forced_drain: ForcedDrain::EveryCpu,
        rotate_drain: RotateDrain::IrqsOff,
        move_claims: MoveClaims::TestClearLru,
        lru_add: LruAdd::SetFirst,
        putback: Putback::SetLruThenPut,
    },
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
