//! What Mel Gorman asked of the series of 2015-07-13 ("mm/compaction: enable mobile-page
//! migration", by Gioh Kim), as rules. Those that a monitor keeps have the monitor's sentence, in
//! `proofs/src/rules/movable.rs`: M4, M5, M7. M11, that the rules are written down, is what
//! `docs/movable-driver.md` is for.

use selvedge_kernel::Rule;

/// "isolate must prevent any parallel updates to the data"
pub const M1: Rule = Rule("M1: no update of an isolated page's data is lost");
/// "prevent parallel frees"
pub const M2: Rule = Rule("M2: a page that its driver has freed is not handed to the driver");
/// "halt attempted accesses until migration is complete". Looked at: that the page is not free. Of
/// an old page that somebody keeps from being freed, a stale write is found by M1, a stale read is
/// not.
pub const M3: Rule = Rule("M3: who accesses a page that migrates finds the page that it is then");
/// "It assumes that any users of this interface can prevent parallel compaction attempts via the
/// page lock."
pub const M6: Rule = Rule("M6: a page is isolated by one compactor at a time");
/// "We should not expand the role of the page->lock in the general case" asks for more: no lock of
/// the core's at all, as her proposal has it ([`crate::mm::movable::LRU_AS_MOBILE`]). The rule
/// excepts the page lock, which every other tree takes; what is left is `zone->lru_lock`, which a
/// callback of 2015 may find held.
pub const M8: Rule = Rule("M8: a callback is called with no lock of the core's but the page lock");
/// "there is a disconnect between movable and mobile pages"; "a single view on what a movable page
/// is"
pub const M9: Rule = Rule("M9: a page is put back as what it was isolated as");
/// "This definition of Mobility would prevent LRU pages ever being considered mobile in the same
/// way."
pub const M10: Rule = Rule("M10: a page on the LRU is isolated by the same interface");
/// kernel-lru E14.
pub const A_RELEASED_PAGE_IS_FREED: Rule =
    Rule("a page that its driver has released is freed in the end");
/// What compaction may touch without owning it: kernel-lru E2.
pub const FRESH_FLAGS_ARE_THE_OWNERS: Rule =
    Rule("the flags of a new page are changed by its owner alone");
