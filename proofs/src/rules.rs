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
/// What `sysctl_page_lock_unfairness` bounds; the scenarios' is 1.
pub const A_WAITER_IS_ROBBED_AT_MOST_ONCE: Rule =
    Rule("a waiter finds the lock stolen at most once");
/// What the caller of `folio_wait_writeback()` relies on if it holds the folio lock.
pub const WRITEBACK_IS_OVER: Rule =
    Rule("folio_wait_writeback() under the folio lock returns with PG_writeback clear");
/// What `folio_end_read()` says with the bit that it sets as it unlocks.
pub const WHO_WAITED_FOR_A_READ_SEES_IT: Rule =
    Rule("who has waited for the lock of a read sees PG_uptodate");
