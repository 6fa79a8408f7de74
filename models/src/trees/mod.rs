//! The trees. A user's own patch is one more file here, named in [`ALL`].

mod batches;
mod folio_lock;
mod lru_batch_flag;
mod lru_mutants;
mod migrate_pending;
mod mutants;
mod races;
mod references;
mod releases;
mod seed001;

pub use batches::*;
pub use folio_lock::*;
pub use lru_batch_flag::*;
pub use lru_mutants::*;
pub use migrate_pending::*;
pub use mutants::*;
pub use races::*;
pub use references::*;
pub use releases::*;
pub use seed001::*;

use crate::Tree;

/// Every tree: the patches of the mail threads first, then releases, then mutants.
pub static ALL: &[&Tree] = &[
    &RFC_MIGRATE_PENDING,
    &RFC_MIGRATE_PENDING_BOOL,
    &RFC_MIGRATE_PENDING_LOCKED_CHECK,
    &RFC_2021_02_16,
    &SEED_002_V4,
    &M4R,
    &M4T,
    &M2_W,
    &M2_H,
    &M2_W_H,
    &HUGH_ADJUSTED_MODE,
    &ANNOTATE_V2,
    &ANNOTATE_ALL,
    &V5_6,
    &V5_11,
    &V5_13,
    &V5_15,
    &V5_18,
    &V5_18_NO_SYNCHRONIZE_RCU,
    &V5_18_CHECK_OUTSIDE,
    &V6_1,
    &V6_1_RT,
    &V6_1_192,
    &V6_6,
    &V6_10,
    &V6_11,
    &V6_11_5,
    &V6_12_117,
    &V6_12_117_RT,
    &V6_17,
    &M0,
    &M2,
    &M3,
    &M4,
    &M5,
    &M6,
    &M6S,
    &M7A,
    &M7,
    &L0_SIGNAL_FIRST,
    &L0,
    &L1,
    &L2,
    &L2_UNFAIRNESS_0,
    &L2_UNFAIRNESS_INF,
    &L2_TRIES_THE_BIT,
    &M4_IGNORES_NOFS,
    &M4_MEMALLOC_WAITS,
    &M4_UNPROTECTED,
    &M4R_UNPROTECTED,
    &M5_UNPROTECTED,
    &A1B_NO_BARRIER_BEFORE_READ,
    &A1C_NO_BARRIER_AFTER_BUMP,
    &A1D_BUMP_AFTER_LOOP,
    &A1E_READ_UNDER_MUTEX,
    &A3_ROTATE_DRAIN_IRQS_ON,
    &A4_MOVE_WITHOUT_CLAIM,
    &A5_PUT_BEFORE_SET_LRU,
    &A6_NO_BARRIER_IN_LRU_ADD,
    &A6_MLOCKED_READ_FIRST,
    &D7_CLEAR_THEN_GET,
    &ISOLATE_CLEAR_THEN_GET,
    &PIN_WITHOUT_DRAIN,
    &PAGEOUT_ALWAYS,
    &BATCH_NO_GET,
    &BATCH_NO_LOCAL_LOCK,
    &BATCH_LARGE_FOLIO,
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
    &DRAINS_REMOTELY,
    &ANNOTATED_PREEMPT_OFF_ONLY,
    &C1_PREEMPT_OFF_ONLY,
    &C2_SLOT_WITHOUT_REFERENCE,
    &C3_MOVE_UNLOCKED,
    &UNLOCK_BUFFER_NO_BARRIER,
    &UNFAIRNESS_0,
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
    &AM18_WAKES_ALL,
    &AM19_PASSES_OVER,
    &AM20_PTL_DROPPED_FIRST,
];

/// Other names that trees go by.
pub const ALIASES: &[(&str, &str)] = &[("next-20230217", "M2")];

/// The tree of this name.
pub fn by_name(name: &str) -> Option<&'static Tree> {
    let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name);
    ALL.iter().copied().find(|tree| tree.name == name)
}
