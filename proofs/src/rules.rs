//! The rules of the claims. Those of the kernel's own assertions are in `selvedge_kernel`, those
//! that hold in every scenario in `selvedge_monitors`.

use selvedge_trace::Rule;

/// What `migrate_prep()` is for.
pub const NO_BH_STAYS_WHILE_PENDING: Rule =
    Rule("no bh stays in a bh_lru while a migration is pending");
/// What `lru_cache_disable()` is for. Passing through a batch within a critical section is allowed.
pub const NO_FOLIO_RESTS_WHILE_PENDING: Rule =
    Rule("no folio rests in an LRU batch while a migration is pending");
/// What `lru_add_drain_all()` promises its caller.
pub const OWN_ADDITIONS_ARE_DRAINED: Rule =
    Rule("lru_add_drain_all() drains what its caller added before");
/// Kept by a counter, not by a bool.
pub const DISABLED_UNTIL_THE_LAST_ENABLE: Rule =
    Rule("caching stays disabled until the last caller enables it");
/// Every way out of a caller of `lru_cache_disable()` enables again.
pub const COUNTER_IS_CALLERS_INSIDE: Rule =
    Rule("the pending counter is the number of callers inside");
/// An entry of a batch is drained or still there; it never vanishes with its reference.
pub const NO_BATCH_ENTRY_IS_LOST: Rule = Rule("no entry of a batch is lost with its reference");
/// `PG_mlocked` decides the list.
pub const EVICTABLE_FOLIO_IS_NOT_STRANDED: Rule =
    Rule("a folio that is not mlocked is not left on the unevictable list");
/// What the references of bh_lru slots are for.
pub const A_FREED_BH_IS_NOT_FOUND: Rule = Rule("a bh that a lookup returned is not freed");
/// What `i_private_lock` and b_count are for.
pub const NOBODY_HAS_A_MOVING_BH: Rule = Rule("nobody holds a bh while its buffers move");
/// What migration of buffers hopes for.
pub const LRU_ONLY_BUFFERS_MIGRATE_AT_ONCE: Rule =
    Rule("buffers that only bh_lrus hold migrate in one call");
/// What the folio lock is for.
pub const CONTENTS_HAVE_ONE_WRITER: Rule = Rule("the contents of a locked folio have one writer");
/// kernel-lru B8: what makes a retry of migration worth while.
pub const EXTRA_REFERENCE_IS_TRANSIENT: Rule =
    Rule("with caching disabled a batch's reference is gone when the adder has returned");

/// What draining before a long-term pin is for.
pub const PIN_DOES_NOT_FAIL_FOR_A_BATCH: Rule =
    Rule("a long-term pin does not fail while its folio rests in an LRU batch");
/// kernel-lru D4.
pub const DRAINED_FOLIO_CAN_BE_ISOLATED: Rule =
    Rule("after lru_add_drain_all() a folio on the LRU can be isolated");
/// kernel-lru D5, with its assumption.
pub const PIN_ENDS_WHEN_NOBODY_ADDS: Rule =
    Rule("a long-term pin succeeds once nobody adds its folio to a batch any more");
/// kernel-lru D5, without.
pub const PIN_ENDS_WHATEVER_OTHERS_DO: Rule =
    Rule("a long-term pin ends in two rounds whatever others do");
/// kernel-lru D7.
pub const NO_FREED_FOLIO_IS_LINKED: Rule = Rule("no freed folio stays linked on an LRU list");
/// kernel-lru D10: a matter of speed.
pub const PIN_DRAINS_ONLY_FOR_A_BATCH: Rule =
    Rule("a long-term pin of a folio that no batch holds drains nobody");
/// kernel-lru D11.
pub const PIN_DRAINS_FOR_EACH_FOLIO: Rule =
    Rule("a long-term pin drains for each folio that rests in a batch");
/// kernel-lru D12.
pub const ISOLATED_FOLIO_GAINS_NO_BATCH: Rule = Rule("an isolated folio gains no batch reference");
/// Hugh Dickins' worry in seed 002, first part.
pub const W1: Rule = Rule("W1: reclaim isolates a linked folio that rests in a batch");
/// The same, second part.
pub const W2: Rule = Rule("W2: a folio that rests with PG_lru clear is on no list");
/// The same, third part: fine either way.
pub const W3: Rule = Rule("W3: pageout() leaves a folio alone that a batch has a reference to");
/// What W1 cost: the out-of-memory kills that 0885ef470560 cures.
pub const OLDEST_GENERATION_AGES: Rule =
    Rule("MGLRU isolates a folio or the oldest generation can age");
/// What seed 002 gives, first part.
pub const I1: Rule = Rule("I1: a folio in a batch that moves it has PG_lru clear");
/// The same, second part.
pub const I2: Rule = Rule("I2: a folio is in at most one batch that moves it");
/// The same, third part.
pub const I3: Rule = Rule("I3: an isolated folio is in no batch that moves it");
/// What mlock is for.
pub const MLOCKED_FOLIO_IS_UNEVICTABLE: Rule =
    Rule("after all drains a mlocked folio is on the unevictable list and counted");
/// What `folio_may_be_lru_cached()` is for.
pub const LARGE_FOLIO_RESTS_NOWHERE: Rule = Rule("a large folio rests in no batch");
/// What `lru_lock` is for.
pub const LRU_SIZE_IS_LINKED_FOLIOS: Rule =
    Rule("the size of the LRU lists is the number of linked folios");
/// PG_lru comes back when an operation is over.
pub const LINKED_AT_REST_HAS_PG_LRU: Rule = Rule("a linked folio that no batch holds has PG_lru");
/// What `sysctl_page_lock_unfairness` bounds; the scenarios' is 1.
pub const A_WAITER_IS_ROBBED_AT_MOST_ONCE: Rule =
    Rule("a waiter finds the lock stolen at most once");
/// What the caller of `folio_wait_writeback()` relies on if it holds the folio lock.
pub const WRITEBACK_IS_OVER: Rule =
    Rule("folio_wait_writeback() under the folio lock returns with PG_writeback clear");
/// What `folio_end_read()` says with the bit that it sets as it unlocks.
pub const WHO_WAITED_FOR_A_READ_SEES_IT: Rule =
    Rule("who has waited for the lock of a read sees PG_uptodate");

/// What freezing the reference count is for.
pub const LOOKUP_IS_OF_THE_CACHED_FOLIO: Rule =
    Rule("a folio that a lookup has a reference to is the one in the page cache");
/// The accounting of kernel-migrate B.6.
pub const MIGRATION_HAS_ONE_END: Rule =
    Rule("a migration ends with the old folio freed, or with everything as it was");
/// kernel-migrate BM10.
pub const FAULT_WAITS_ONCE: Rule = Rule("a fault that waited for a migration finds its page");
/// What ffa65753c431 is for.
pub const FAULT_LEAVES_MIGRATION_ALONE: Rule =
    Rule("a fault on a migration entry does not make the migration fail");
/// kernel-migrate BM8.
pub const A_DIRTY_PAGE_STAYS_DIRTY: Rule = Rule("a dirty page is found dirty while it migrates");
/// What the TLB flush before the copy is for.
pub const NO_STORE_IS_LOST: Rule = Rule("no store to a page is lost while it migrates");
/// What d1adb25df711 is for.
pub const MAPPING_IS_NULL_OR_A_MAPPING: Rule = Rule("folio->mapping is NULL or a mapping");
/// kernel-migrate F-S4: what MIGRATE_SYNC is for.
pub const SYNC_SUCCEEDS_ONCE_UNLOCKED: Rule =
    Rule("MIGRATE_SYNC succeeds once the holder of the folio lock lets go");
/// kernel-migrate F-S7: what 4bb6dc79d987 is for. Nobody promises it; it is asked here how far it is true.
pub const SYNC_LIGHT_WAITS_FOR_NO_IO: Rule = Rule("MIGRATE_SYNC_LIGHT never waits for I/O");
/// kernel-migrate BM12: references that are expected stop nobody.
pub const AN_IDLE_FOLIO_MIGRATES: Rule = Rule("a folio that nobody else uses is migrated");
