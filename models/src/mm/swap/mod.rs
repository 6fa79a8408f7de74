//! The per-CPU batches through which folios reach the LRU lists and move on them, their drains, and
//! the counter that keeps folios out of them.
//!
//! | file         | what                                                              |
//! |--------------|-------------------------------------------------------------------|
//! | `mod.rs`     | what differs between trees                                        |
//! | `release.rs` | references of a folio; the last one                               |
//! | `batch.rs`   | the batches                                                       |
//! | `add.rs`     | who adds to them; `folio_batch_move_lru()` and what it does       |
//! | `drain.rs`   | the drains, `lru_cache_disable()`                                 |
//! | `unreferenced.rs` | batches that take no reference of their folios               |
//!
//! Kept: the order reference, local lock, entry, count, check; who looks at PG_lru, who clears it,
//! and when; `__lru_add_drain_all()` with its generation and both barriers; the work items; who is
//! flushed and who only if it seems to need it; large folios, which flush at once.
//! Left out: memcg (one lruvec), statistics, the order of a list (a folio is linked or not).
//! `folio_get()` comes before the local lock, as since 5.16; in 5.11 activate, deactivate and
//! lazyfree took it under the lock.
//! Source: mm/swap.c of 5.11, 5.14, 5.17, 6.1, 6.11.11, 6.12.117; 33dfe9204f29; afb99e9f5004.

mod accessed;
mod add;
mod batch;
mod drain;
mod release;
mod unreferenced;

pub use accessed::*;
pub use add::*;
pub use batch::*;
pub use drain::*;
pub use release::*;
pub use unreferenced::*;

use selvedge_kernel::Name;

use crate::left_out::LeftOut;
use crate::{Folio, Func, Kernel};

/// What is left out, for a comparison with C.
pub(crate) const LEFT_OUT: &[LeftOut] = &[
    LeftOut::looks(
        &["*.nr"],
        "how many entries the loop over a batch has left: its CPU has looked, and holds its lock",
    )
    .within(&[
        "folio_batch_move_lru",
        "mlock_folio_batch",
        "mlock_pagevec",
        "folios_put_refs",
        "release_pages",
    ]),
    LeftOut::looks(
        &["folio->flags:PG_active", "folio->flags:PG_unevictable", "folio->flags:PG_swapbacked"],
        "which list a folio is on, or goes to: the caller has told the model",
    )
    .within(&["folio_lru_list", "folio_is_file_lru", "lruvec_add_folio", "lruvec_del_folio"]),
    LeftOut::looks(
        &[
            "folio->_mapcount",
            "folio->mapping",
            "folio->flags:PG_slab",
            "folio->flags:PG_swapbacked",
            "folio->flags:PG_swapcache",
            "folio->flags:PG_owner_priv_1",
        ],
        "whether the folio's file is unevictable: none is",
    )
    .within(&["folio_mapping", "folio_evictable"]),
    LeftOut::looks(
        &["folio->flags:PG_lru", "folio->flags:PG_active", "folio->flags:PG_unevictable"],
        "VM_BUG_ON_FOLIO(), of CONFIG_DEBUG_VM",
    )
    .within(&["lru_add", "lru_add_fn", "folio_add_lru"]),
    LeftOut::looks(&["folio->flags:PG_dirty"], "no folio is dirty")
        .within(&["folio_rotate_reclaimable"]),
    LeftOut::of_c(
        &["*.percpu_pvec_drained"],
        "whether whoever releases a batch of its own has drained (until 6.6): of a per-CPU batch \
         it is never set, and nobody looks",
    )
    .within(&["folio_batch_move_lru", "folio_batch_init"]),
    LeftOut::of_c(
        &["*fbatch*.i", "*vec.i"],
        "where the loop that frees a batch is: of its CPU alone",
    ),
    LeftOut::of_c(
        &["has_work*"],
        "which CPUs were given work: under the mutex of lru_add_drain_all() alone",
    ),
    LeftOut::of_c(
        &["lru_add_drain_work*"],
        "the words of a work item: the work queue is Selvedge's on both sides",
    ),
    LeftOut::of_model(
        &["lru_add_drain_work"],
        "the words of a work item: the work queue is Selvedge's on both sides",
    ),
    LeftOut::of_c(
        &["cpu_fbatches.*.folios*", "lru_rotate.fbatch.folios*"],
        "entries of a batch: only their CPU looks at them, under its local lock",
    ),
    LeftOut::of_c(
        &["folio->lru*", "contig_page_data.__lruvec.lists*"],
        "links of the LRU lists, under lru_lock: a folio of a model is linked or not",
    ),
    LeftOut::of_model(
        &["folio->lru", "folio->freed"],
        "whether a folio is linked, and whether it is free: what C has in its lists and in \
         the page allocator",
    ),
];

decisions! {
    /// What differs between trees.
    pub struct Swap of "mm/swap.c", set by SwapChange {
        /// `lru_cache_disable()`; `migrate_prep()` until 5.12.
        lru_cache_disable: Func<fn(&Kernel)>,
        /// `lru_cache_enable()`; `migrate_finish()` of the RFCs.
        lru_cache_enable: Func<fn(&Kernel)>,
        /// `lru_cache_disabled()`; `migrate_pending()` of the RFCs.
        lru_cache_disabled: Func<fn(&Kernel) -> bool>,
        /// Who drains bh_lrus together with the batches.
        bh_lru_drain: BhLruDrain,
        /// `__lru_add_drain_all()`; `lru_add_drain_all()` until 5.12.
        __lru_add_drain_all: Func<fn(&Kernel, bool)>,
        /// `__lru_add_drain_all()`: whom a forced drain reaches.
        forced_drain: ForcedDrain,
        /// `__lru_add_drain_all()`: when it drains the CPU that it runs on.
        own_drain: OwnDrain,
        /// `cpu_needs_drain()`: which of the reads of another CPU's batches say that they race.
        remote_look: RemoteLook,
        /// Who takes PG_lru away before a batch edits a list.
        lru_claim: LruClaim,
        /// When the operations that leave the claim to the drain look at PG_lru.
        lru_look: LruLook,
        /// Whether `deactivate_file_folio()` looks at PG_lru.
        deactivate_file: DeactivateFile,
        /// `lru_add_fn()`: when PG_lru is set.
        lru_add: LruAdd,
        /// Whether an entry of a batch has a reference to its folio.
        batch_references: BatchReferences,
        /// `folio_add_lru()`
        folio_add_lru: Func<fn(&Kernel, &Folio)>,
        /// `folio_activate()`
        folio_activate: Func<fn(&Kernel, &Folio)>,
        /// `folio_batch_move_lru()`: what becomes of a new folio that only the batch has.
        dead_folios: DeadFolios,
        /// `folio_may_be_lru_cached()`
        folio_may_be_lru_cached: Func<fn(&Folio) -> bool>,
        /// What an operation does under the local lock: see `add.rs`.
        lock_and_add: Func<fn(&Kernel, Which, (&Folio, Name), MoveFn)>,
        /// `folio_batch_move_lru()`
        folio_batch_move_lru: Func<fn(&Kernel, &Batch, MoveFn)>,
    }
}

/// What `folio_batch_move_lru()` does with a folio of `lru_add` to which the batch has the last
/// reference.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeadFolios {
    /// Puts it on its list; the put that follows takes it off again and frees it: every release up
    /// to 6.19.
    Linked,
    /// Freezes its reference and frees it, on no list: mm/swap.c as of July 2026.
    Frozen,
}

/// Whose the reference is that keeps a folio alive while a batch moves it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BatchReferences {
    /// The entry's, from when it is added until the batch is drained: every release up to 6.19.
    OfEntry,
    /// The drain's, which takes one if the folio still has any: mm/folio.c as proposed after that.
    OfDrain,
}

/// When `lru_add_fn()` sets PG_lru.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LruAdd {
    /// First, and after a barrier PG_mlocked is read: up to 5.17.
    SetFirst,
    /// Last, by `folio_batch_move_lru()`; PG_mlocked changes under `lru_lock`: since 5.18.
    SetLast,
}

/// Who makes sure, by clearing PG_lru, that the folio's place on its list is the batch's own. Not
/// of `lru_add`, whose folios are on no list, nor of mlock, which claims as it drains in every
/// tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LruClaim {
    /// The drain; whoever finds PG_lru clear skips. Up to 6.10, and again since September 2025
    /// (afb99e9f5004). The adder only looks at PG_lru.
    AtDrain,
    /// The adder, after it has taken its reference; it gives up if PG_lru is clear. In a batch
    /// PG_lru is clear then: 33dfe9204f29, 6.11.
    AtAdd,
    /// The adder, before it takes its reference: "mm/swap: take folio refcount after testing the
    /// LRU flag", 6.12 to 6.16. Its caller has a reference, so that the folio is not freed
    /// meanwhile.
    AtAddBeforeGet,
}

/// When `folio_activate()`, `folio_deactivate()` and `folio_mark_lazyfree()` look at PG_lru, with
/// [`LruClaim::AtDrain`]. `folio_rotate_reclaimable()` looks last in every release.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LruLook {
    /// Before all else: up to 6.10.
    First,
    /// When they have seen that the folio is otherwise meant: since September 2025.
    Last,
}

/// What `deactivate_file_folio()` asks before it adds a folio to its batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeactivateFile {
    /// Only whether the folio is evictable: up to 6.10.
    AnyFolio,
    /// Whether PG_lru is set, too: since September 2025.
    OnLruOnly,
}

/// Whether the drains of the batches empty the bh_lru too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BhLruDrain {
    /// No: up to 5.12.
    Never,
    /// Every `lru_add_drain_cpu()` does: 5.13, 5.14 (8cc621d2f45d).
    EveryDrain,
    /// Only the work item of `lru_add_drain_all()`: since 5.15 (243418e3925d).
    WorkItem,
}

/// Which CPUs get a work item when the drain is forced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ForcedDrain {
    /// All: 5.13 to 5.17. The scheduled work is what orders the counter.
    EveryCpu,
    /// Those that seem to need one; only the early exit is off: since 5.18.
    WhereNeeded,
}

/// When `__lru_add_drain_all()` drains the batches of its own CPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OwnDrain {
    /// With all others, by a work item: up to 6.17.
    WithOthers,
    /// Itself, between the read of the generation and the mutex: since 6.18. Later by a work item
    /// if something has come since.
    BeforeMutex,
}

/// Which reads of another CPU's batches, without a lock, are `data_race()`. The others are plain,
/// and race with their CPU, which nobody minds: a drain too many or too late. KCSAN reports them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RemoteLook {
    /// That of `lru_rotate`: 5.9 (7e0cc01ea181) to 6.11.
    RotateMarked,
    /// None: up to 5.8, and since 6.12 ("mm/swap: fold lru_rotate into cpu_fbatches", 2024-07-10,
    /// which wants it inside `folio_batch_count()`, and does not put it there).
    Unmarked,
    /// All counts, that of the mlock batch too: \[PATCH v2\] of 2026-06-25.
    CountsMarked,
    /// The bh_lrus, too: ours.
    AllMarked,
}
