//! The trees. A patch of the repository is one more file here, named in [`ALL`]; yours is one that
//! `selvedge new NAME --base TREE` writes, and names in [`YOURS`].

mod batch_mutants;
mod batches;
mod buffer_mutants;
mod flag_mutants;
mod folio_lock;
mod irq_mutants;
mod late_mutants;
mod lru_batch_flag;
mod lru_mutants;
mod migrate_mutants;
mod migrate_page_lock;
mod migrate_pending;
mod movable;
mod movable_mutants;
mod ordered_copy;
mod proposed;
mod races;
pub(crate) mod releases;
mod settings;
mod swap_mutants;
mod unreferenced;
mod writeback_mutants;

pub use batch_mutants::*;
pub use batches::*;
pub use buffer_mutants::*;
pub use flag_mutants::*;
pub use folio_lock::*;
pub use irq_mutants::*;
pub use late_mutants::*;
pub use lru_batch_flag::*;
pub use lru_mutants::*;
pub use migrate_mutants::*;
pub use migrate_page_lock::*;
pub use migrate_pending::*;
pub use movable::*;
pub use movable_mutants::*;
pub use ordered_copy::*;
pub use proposed::*;
pub use races::*;
pub use releases::*;
pub use settings::*;
pub use swap_mutants::*;
pub use unreferenced::*;
pub use writeback_mutants::*;

/// Former names.
pub use {
    AVOID_UNBOUNDED_BLOCKS_V2 as M4T, LRU_FLAG_BEFORE_BATCH_V4 as SEED_002_V4,
    NEVER_BLOCK_ON_PAGE_LOCK as M4R, NEVER_BLOCK_UNPROTECTED as M4R_UNPROTECTED,
    RFC_DISABLE_LRU_PAGEVEC as RFC_2021_02_16, V4_13 as L0_SIGNAL_FIRST, V5_6 as L0,
    V5_9_RC1 as L1, V6_1 as L2, V6_1 as M0, V6_1_TRIES_THE_BIT as L2_TRIES_THE_BIT,
    V6_1_UNFAIRNESS_0 as L2_UNFAIRNESS_0, V6_1_UNFAIRNESS_0 as UNFAIRNESS_0,
    V6_1_UNFAIRNESS_INF as L2_UNFAIRNESS_INF, V6_3_RC1 as M2, V6_4 as M4,
    V6_4_IGNORES_NOFS as M4_IGNORES_NOFS, V6_4_MEMALLOC_WAITS as M4_MEMALLOC_WAITS,
    V6_4_UNPROTECTED as M4_UNPROTECTED, V6_10 as M5, V6_10_UNPROTECTED as M5_UNPROTECTED,
    V6_11 as M6, V6_12 as D7_CLEAR_THEN_GET, V6_12_117 as M6S, V6_15 as M7A, V6_17 as M7,
};

use crate::Tree;

/// Every tree: patches first, then releases, settings and mutants.
pub static ALL: &[&Tree] = &[
    &MOBILE_2015,
    &LRU_AS_MOBILE,
    &V4_8_ATOMIC,
    &V4_14_ATOMIC,
    &V5_3_ATOMIC,
    &V5_16_ATOMIC,
    &V6_1_COUNTS_LOCKED,
    &RFC_MIGRATE_PENDING,
    &RFC_MIGRATE_PENDING_BOOL,
    &RFC_MIGRATE_PENDING_LOCKED_CHECK,
    &RFC_DISABLE_LRU_PAGEVEC,
    &LRU_FLAG_BEFORE_BATCH_V4,
    &NEVER_BLOCK_ON_PAGE_LOCK,
    &AVOID_UNBOUNDED_BLOCKS_V2,
    &M2_W,
    &M2_H,
    &M2_W_H,
    &HUGH_ADJUSTED_MODE,
    &M2_SUBMIT_BEFORE_BLOCKING,
    &M3,
    &V6_1_TRIES_THE_BIT,
    &FAULT_LOOKS_AGAIN,
    &MIGRATE_INVALIDATES,
    &MIGRATE_MARKS_FIRST,
    &SKIPS_INDETERMINATE,
    &COPIES_AFTER_READ_BARRIER,
    &ANNOTATE_V2,
    &ANNOTATE_ALL,
    &MM_STABLE_2026_07,
    &BATCHES_WITHOUT_REFERENCES,
    &V4_2,
    &V4_5,
    &V4_8,
    &V4_13,
    &V4_14,
    &V5_3,
    &V5_4_255,
    &V5_6,
    &V5_9_RC1,
    &V5_11,
    &V5_13,
    &V5_15,
    &V5_16,
    &V5_17,
    &V5_18,
    &V6_1,
    &V6_1_192,
    &V6_3_RC1,
    &V6_4,
    &V6_6,
    &V6_10,
    &V6_11,
    &V6_11_5,
    &V6_12,
    &V6_12_117,
    &V6_15,
    &V6_17,
    &V6_18,
    &V6_19,
    &V6_1_RT,
    &V6_12_117_RT,
    &V6_1_UNFAIRNESS_0,
    &V6_1_UNFAIRNESS_INF,
    &V6_4_IGNORES_NOFS,
    &V6_4_MEMALLOC_WAITS,
    &V6_4_UNPROTECTED,
    &NEVER_BLOCK_UNPROTECTED,
    &V6_10_UNPROTECTED,
    &A1B_NO_BARRIER_BEFORE_READ,
    &A1C_NO_BARRIER_AFTER_BUMP,
    &A1D_BUMP_AFTER_LOOP,
    &A1E_READ_UNDER_MUTEX,
    &A3_ROTATE_DRAIN_IRQS_ON,
    &A4_MOVE_WITHOUT_CLAIM,
    &A5_PUT_BEFORE_SET_LRU,
    &PUT_BACK_MLOCKED,
    &V6_11_PUT_BACK_MLOCKED,
    &A6_NO_BARRIER_IN_LRU_ADD,
    &A6_MLOCKED_READ_FIRST,
    &ISOLATE_CLEAR_THEN_GET,
    &PIN_WITHOUT_DRAIN,
    &PAGEOUT_ALWAYS,
    &BATCH_NO_GET,
    &BATCH_FREES_ANYTHING,
    &UNREFERENCED_MOVES_UNCLAIMED,
    &UNREFERENCED_NO_BARRIER,
    &UNREFERENCED_ADDS_TWICE,
    &BATCH_NO_LOCAL_LOCK,
    &BATCH_LARGE_FOLIO,
    &BATCH_LOOKED_UP_FIRST,
    &MOVE_NO_LRU_LOCK,
    &MOVE_NO_SET_LRU,
    &MOVE_NO_PUT,
    &MOVE_COUNT_ZEROED_FIRST,
    &FREE_NO_LRU_LOCK,
    &V4_NO_PUT_ON_GIVING_UP,
    &ISOLATE_NO_GET,
    &ISOLATE_NO_LRU_LOCK,
    &ISOLATE_TEST_THEN_CLEAR,
    &MLOCK_NO_CLAIM,
    &MLOCK_NO_LRU_LOCK,
    &MLOCK_NEW_UNCOUNTED,
    &V5_13_UNFORCED,
    &V5_18_UNFORCED,
    &V5_18_NO_SYNCHRONIZE_RCU,
    &V5_18_CHECK_OUTSIDE,
    &BM1_LOOKUP_WITHOUT_RELOAD,
    &BM2_COUNT_WITHOUT_FREEZE,
    &BM3_UNFREEZE_EARLY,
    &BM4_UNFREEZE_RELAXED,
    &BM5_UNFREEZE_ALL,
    &BM6_NO_CACHE_REFERENCE,
    &BM7_NO_PAGES_LOCK,
    &BM8_DIRTY_AFTER_SLOT,
    &BM9_FLUSH_AFTER_COPY,
    &BM10_RESTORE_AFTER_UNLOCK,
    &BM11_NO_PUT_OF_UNMAPPED,
    &BM12_PRIVATE_NOT_COUNTED,
    &IGNORES_PINS,
    &MAPS_TWICE,
    &CM1_WAITS_WITH_OTHERS_LOCKED,
    &CM2_TRIES_AGAIN_UNMOVED,
    &CM3_NO_UNDO,
    &CM4_UNDO_LEAVES_ENTRIES,
    &CM5_RESTORE_AFTER_UNLOCK,
    &CM6_SYNC_BATCHES,
    &CM7_ON_BOTH_LISTS,
    &CM8_TARGETS_OUT_OF_ORDER,
    &UNLOCKS_WHOLE_RING,
    &PRIVATE_LOCK_FIRST,
    &BH_MIGRATE_NEVER_SET,
    &BH_MIGRATE_NO_ACQUIRE,
    &BH_MIGRATE_AFTER_SCAN,
    &FINDS_UNLOCKED,
    &BH_LRUS_KEPT,
    &WRAPS_ROUND,
    &FIRST_BUFFER_ENDS_WRITEBACK,
    &NO_UPTODATE_LOCK,
    &NO_UPTODATE_LOCK_OF_READS,
    &UPTODATE_LOCK_IRQS_ON,
    &DIRTIES_BUFFER_ONLY,
    &WRITES_NOTHING,
    &PAGES_LOCK_IRQS_ON,
    &INVALIDATES_IRQS_ON,
    &STOPS_IRQS_ON,
    &COMPACTS_WITHOUT_LRU_LOCK,
    &END_WRITEBACK_KEEPS_REFERENCE,
    &MIGRATES_LARGE_TO_SMALL,
    &INVALIDATES_WITHOUT_PUT,
    &DRAIN_SKIPS_CPU1,
    &INVALIDATION_SKIPS_CPU0,
    &PREP_SKIPS_CPU2,
    &DEAD_CPU_KEEPS_BH,
    &DRAIN_FINDS_NOTHING,
    &DEAD_CPU_KEEPS_MLOCK,
    &TRUNCATES_NOTHING,
    &FREES_UNLOCKED,
    &MOVES_LOCKED_BUFFERS,
    &SPLITS_LOCKED,
    &DRAINS_REMOTELY,
    &ANNOTATED_PREEMPT_OFF_ONLY,
    &C1_PREEMPT_OFF_ONLY,
    &C2_SLOT_WITHOUT_REFERENCE,
    &C3_MOVE_UNLOCKED,
    &UNLOCK_BUFFER_NO_BARRIER,
    &AM1_NO_WAITERS_BIT,
    &AM2_WAITERS_BIT_TOO_LATE,
    &AM4_WAITERS_BIT_ALWAYS_CLEARED,
    &AM8_RELAXED_TRYLOCK,
    &AM8_RELAXED_UNLOCK,
    &AM12_STATE_TOO_LATE,
    &A5_NO_BARRIER_AFTER_STATE,
    &A5_RELAXED_FLAGS,
    &A5_RELAXED_FLAGS_AND_ENTRY,
    &AM3_QUEUED_TOO_LATE,
    &AM5_WAITERS_BIT_CLEARED_UNLOCKED,
    &AM6_MATCH_BY_BIT,
    &AM7_WAITERS_BIT_READ_FIRST,
    &AM9_WAITERS_BIT_ELSEWHERE,
    &AM10_UNLINKED_BEFORE_WOKEN,
    &AM10_UNLINKED_BEFORE_WAKE_UP,
    &AM11_READ_AFTER_UNLINK,
    &UPTODATE_TOO_LATE,
    &AM14_NOT_REQUEUED,
    &AM15_END_WRITEBACK_WITHOUT_REFERENCE,
    &AM16_WAIT_WRITEBACK_ONCE,
    &AM17_PUT_BEFORE_QUEUEING,
    &LOCKS_INTERRUPTIBLY,
    &AM18_WAKES_ALL,
    &AM19_PASSES_OVER,
    &AM20_PTL_DROPPED_FIRST,
    &MOBILE_2015_WITHOUT_FLAG,
    &V6_12_117_WITHOUT_FLAG,
    &MOBILE_2015_SLEEPS,
    &V6_12_117_SLEEPS,
    &V4_2_RELEASES,
    &LRU_AS_MOBILE_WITHOUT_FLAG,
    &MOBILE_2015_FAILS,
    &LRU_AS_MOBILE_FAILS,
    &V6_12_117_FAILS,
    &E1_NOT_MARKED,
    &E1_LRU_SPLIT,
    &E2_NO_LOOK_AT_SLAB,
    &E2_NO_FIRST_LOOK,
    &E2_NO_SECOND_LOOK,
    &E2_NO_FIRST_SMP_RMB,
    &E2_NO_SMP_WMB_IN_FREE,
    &E2_NO_SMP_RMB,
    &E2_NO_SMP_WMB,
    &DRIVER_ACCESSES_UNLOCKED,
    &DRIVER_STAYS_LISTED,
    &DRIVER_LOCKS_IN_CALLBACK,
    &DRIVER_PLAIN_FLAGS,
    &DRIVER_CLEARS_TYPE,
    &DRIVER_LEAKS,
    &DRIVER_PUTS_TWICE,
    &DRIVER_PUTS_FIRST,
    &DRIVER_FORGETS_PUTBACK,
    &DRIVER_SETS_UNLOCKED,
    &DRIVER_CLEARS_UNLOCKED,
    &DRIVER_CLEARS_TWICE,
    &DRIVER_SETS_ISOLATED,
    &E4_RELEASES_UNLOCKED,
    &E5_NO_FLUSH_WORK,
    &E5_NO_WAKE_UP,
    &E5_NO_BARRIER_AFTER_DEC,
    &E5_NO_BARRIER_AFTER_DESTROYING,
    &E6_NOT_KICKED,
    &E6_NOT_KICKED_5_3,
    &E7_NO_ZSPAGE_LOCK,
    &E10_NO_ZSPAGE_LOCK,
    &E11_LOCKS_BLOCKING,
    &E11_DEQUEUE_WAITS,
    &E12_LRU_LOCK_KEPT,
    &E15_NOT_COUNTED,
    &E15_COUNTS_UNLOCKED,
    &LRU_LOCK_IRQS_ON,
    &QUEUE_LOCK_IRQS_ON,
    &MIGRATE_NO_FLAGS,
    &ACTIVATE_NO_FLAG,
    &ACTIVE_NOT_ATOMIC,
    &FINISH_WAIT_NO_STATE,
    &MLOCK_IRQS_ON,
    &MLOCK_NEW_IRQS_ON,
    &AGING_IRQS_ON,
    &COMPACTION_IRQS_ON,
    &GIVES_UP_IRQS_ON,
    &WAKER_IRQS_ON,
    &ASYNC_IRQS_ON,
    &FAULT_IRQS_ON,
    &READAHEAD_IRQS_ON,
    &BIT_WAITER_IRQS_ON,
    &BIT_WAKER_IRQS_ON,
    &MLOCKED_NOT_ATOMIC,
    &TRUNCATE_NO_PAGES_LOCK,
    &END_WRITEBACK_NO_PAGES_LOCK,
    &PIN_NO_PTL,
    &BATCH_PUTS_RELAXED,
    &FAULT_MAPS_NOTHING,
    &READ_ENDS_NO_BARRIER,
    &TRUNCATION_UNMAPS_NOTHING,
    &BIT_QUEUE_UNLOCKED,
    &RECLAIM_KEEPS_REFERENCE,
    &LOOKUP_KEEPS_REFERENCE,
    &HOLE_ZEROES_NOTHING,
    &MIGRATE_LEAVES_SLOT,
    &INACTIVE_NOT_ATOMIC,
    &UNEVICTABLE_NOT_ATOMIC,
    &NEW_MLOCKED_NOT_ATOMIC,
    &PUT_BACK_NOT_ATOMIC,
    &WRITEBACK_NOT_ATOMIC,
    &BUFFER_UNLOCK_NOT_ATOMIC,
    &ASYNC_WRITE_NOT_ATOMIC,
];

/// Declares the module of each tree of yours, and collects them.
macro_rules! yours {
    ($($name:ident,)*) => {
        $(pub mod $name;)*

        /// Trees of yours, which nothing of the repository speaks of: they are asked what is asked
        /// of their bases.
        pub static YOURS: &[&Tree] = &[$(&$name::TREE),*];
    };
}

yours! {}

/// Every tree: of the repository, yours, and of drivers.
pub fn every() -> impl Iterator<Item = &'static Tree> {
    ALL.iter().copied().chain(YOURS.iter().copied()).chain(crate::drivers::TREES.iter())
}

/// The tree that has this name, or had it once.
pub fn by_name(name: &str) -> Option<&'static Tree> {
    every().find(|tree| tree.names().any(|known| known == name))
}

/// Is it yours: written by `selvedge new`, or about a driver that was? What is found in it is in no
/// golden file of the repository.
pub fn is_yours(tree: &Tree) -> bool {
    YOURS.iter().any(|known| known.name == tree.name) || crate::drivers::is_yours(tree)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_name_means_one_tree() {
        let mut trees_of = BTreeMap::new();
        for (tree, name) in every().flat_map(|tree| tree.names().map(move |name| (tree, name))) {
            assert!(!name.is_empty(), "{}", tree.about);
            let other = trees_of.insert(name, tree.name);
            assert_eq!(other, None, "{name} is {} too", tree.name);
        }
    }

    #[test]
    fn a_base_is_named_by_its_name() {
        for tree in every() {
            let base = by_name(tree.base).unwrap_or_else(|| panic!("base of {}", tree.name));
            assert_eq!(base.name, tree.base, "{}", tree.name);
            assert_eq!(base.name == tree.name, tree.kind == crate::Kind::Release, "{}", tree.name);
        }
    }
}
