//! Deliberate faults in the LRU batches, mlock and isolation: each reference, lock, test-and-clear
//! and flag of those functions dropped or moved, one at a time.

use crate::Tree;
use crate::mm::mlock::Mlock;
use crate::mm::swap::{Swap, SwapFault};
use crate::mm::vmscan::{IsolateFault, Vmscan};
use crate::trees::{LRU_FLAG_BEFORE_BATCH_V4, V6_10};

const fn swap(name: &'static str, about: &'static str, fault: SwapFault) -> Tree {
    let swap = Swap { fault, ..V6_10.swap };
    Tree { name, about, swap, ..V6_10.faulty() }
}

const fn isolate(name: &'static str, about: &'static str, fault: IsolateFault) -> Tree {
    let vmscan = Vmscan { isolate_fault: fault, ..V6_10.vmscan };
    Tree { name, about, vmscan, ..V6_10.faulty() }
}

const fn mlock(name: &'static str, about: &'static str, mlock: Mlock) -> Tree {
    Tree { name, about, mlock, ..V6_10.faulty() }
}

/// No `folio_get()`.
pub static BATCH_NO_GET: Tree = swap(
    "v6.10-batch-no-get",
    "6.10 with a batch that takes no reference of its folio",
    SwapFault::NoGet,
);
/// No `local_lock()`.
pub static BATCH_NO_LOCAL_LOCK: Tree = swap(
    "v6.10-batch-no-local-lock",
    "6.10 with a folio added to its batch without the local lock",
    SwapFault::NoLocalLock,
);
/// No `folio_may_be_lru_cached()`.
pub static BATCH_LARGE_FOLIO: Tree = swap(
    "v6.10-batch-keeps-large-folios",
    "6.10 with large folios left in batches",
    SwapFault::LargeFolioRests,
);
/// No `lru_lock`.
pub static MOVE_NO_LRU_LOCK: Tree = swap(
    "v6.10-move-no-lru-lock",
    "6.10 with folio_batch_move_lru() not taking lru_lock",
    SwapFault::NoLruLock,
);
/// No `folio_set_lru()`.
pub static MOVE_NO_SET_LRU: Tree = swap(
    "v6.10-move-no-set-lru",
    "6.10 with folio_batch_move_lru() not setting PG_lru again",
    SwapFault::NoSetLru,
);
/// No `folios_put()`.
pub static MOVE_NO_PUT: Tree = swap(
    "v6.10-move-no-put",
    "6.10 with folio_batch_move_lru() not dropping its references",
    SwapFault::NoPut,
);
/// `folio_batch_reinit()` first.
pub static MOVE_COUNT_ZEROED_FIRST: Tree = swap(
    "v6.10-move-count-zeroed-first",
    "6.10 with folio_batch_move_lru() zeroing the count of the batch before it moves the folios",
    SwapFault::CountZeroedFirst,
);
/// No `lru_lock` with the last reference.
pub static FREE_NO_LRU_LOCK: Tree = swap(
    "v6.10-free-no-lru-lock",
    "6.10 with __page_cache_release() not taking lru_lock",
    SwapFault::FreeWithoutLruLock,
);
/// No `folio_put()` by who gives up.
pub static V4_NO_PUT_ON_GIVING_UP: Tree = Tree {
    name: "lru-flag-before-batch-v4-no-put-on-giving-up",
    aliases: &["seed-002-v4-no-put-on-giving-up"],
    about: "lru-flag-before-batch-v4 with an adder that finds PG_lru clear keeping its reference",
    swap: Swap { fault: SwapFault::NoPutOnGivingUp, ..LRU_FLAG_BEFORE_BATCH_V4.swap },
    ..LRU_FLAG_BEFORE_BATCH_V4.faulty()
};
/// No `folio_get()`.
pub static ISOLATE_NO_GET: Tree = isolate(
    "v6.10-isolate-no-get",
    "6.10 with folio_isolate_lru() taking no reference",
    IsolateFault::NoGet,
);
/// No `lru_lock`.
pub static ISOLATE_NO_LRU_LOCK: Tree = isolate(
    "v6.10-isolate-no-lru-lock",
    "6.10 with folio_isolate_lru() not taking lru_lock",
    IsolateFault::NoLruLock,
);
/// Two steps for one.
pub static ISOLATE_TEST_THEN_CLEAR: Tree = isolate(
    "v6.10-isolate-test-then-clear",
    "6.10 with folio_isolate_lru() looking at PG_lru, then clearing it",
    IsolateFault::TestThenClear,
);
/// No `folio_test_clear_lru()`.
pub static MLOCK_NO_CLAIM: Tree = mlock(
    "v6.10-mlock-no-test-clear",
    "6.10 with __mlock_folio() editing the list without clearing PG_lru",
    Mlock::BatchesWithoutClaim,
);
/// No `mlock_count = 1`.
pub static MLOCK_NEW_UNCOUNTED: Tree = mlock(
    "v6.10-mlock-new-uncounted",
    "6.10 with __mlock_new_folio() leaving mlock_count as it is",
    Mlock::BatchesNewUncounted,
);
/// No `lru_lock`.
pub static MLOCK_NO_LRU_LOCK: Tree = mlock(
    "v6.10-mlock-no-lru-lock",
    "6.10 with __mlock_folio() not taking lru_lock",
    Mlock::BatchesWithoutLruLock,
);
