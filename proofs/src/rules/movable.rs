//! Pages that their driver has made movable: what Mel Gorman asked of the series of 2015-07-13, by
//! the numbers of docs/movable-driver.md. Models report most of it as they go.
//!
//! M4, M5 and M7 are what holds everywhere: nobody sleeps on an unlocked folio, nobody waits for
//! ever. M11 is that page itself.

use selvedge_kernel::fail_about;
use selvedge_models::mm::movable::owner;

pub use selvedge_models::mm::balloon_compaction::WALK_MEETS_NO_POISON;
pub use selvedge_models::mm::movable::{
    A_RELEASED_PAGE_IS_FREED, FRESH_FLAGS_ARE_THE_OWNERS, M1, M2, M3, M6, M8, M9, M10,
};
pub use selvedge_models::mm::zsmalloc::{
    A_POOL_IS_USED_WHILE_IT_LIVES, A_WALK_STAYS_IN_ITS_ZSPAGE, AN_EMPTY_ZSPAGE_IS_FREED,
};

use super::{Ids, NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO, NOBODY_WAITS_FOR_EVER};
use crate::Run;
use selvedge_trace::Rule;

/// "the putback may be responsible for waking up any tasks waiting to access the page" (Mel
/// Gorman): the wait graph's rule.
pub const M4: Rule = NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO;
/// "drivers will need to be careful that it is safe to sleep": nobody waits for a sleeper with what
/// the sleeper needs.
pub const M5: Rule = NOBODY_WAITS_FOR_EVER;
/// "It also assumes that the caller does not recursively hold the page lock already."
pub const M7: Rule = NOBODY_WAITS_FOR_EVER;

pub(super) const IDS_OF_MOVABLE: Ids = &[
    ("m1-update", M1),
    ("m2-free", M2),
    ("m3-access", M3),
    ("m6-one-compactor", M6),
    ("m8-core-locks", M8),
    ("m9-putback", M9),
    ("m10-lru", M10),
    ("released-freed", A_RELEASED_PAGE_IS_FREED),
    ("fresh-flags", FRESH_FLAGS_ARE_THE_OWNERS),
    ("poison", WALK_MEETS_NO_POISON),
    ("pool-lives", A_POOL_IS_USED_WHILE_IT_LIVES),
    ("empty-zspage", AN_EMPTY_ZSPAGE_IS_FREED),
    ("zspage-walk", A_WALK_STAYS_IN_ITS_ZSPAGE),
];

/// [`M1`]: what the driver keeps has been changed that often.
pub fn updates_are_kept(k: &Run, updates: u64) {
    let Some(index) = owner(k).place() else { return };
    let page = &k.folios[index];
    let seen = page.contents.peek();
    if seen != updates {
        let message = format!("page{index} has {seen} of {updates} updates");
        fail_about(M1, message, page.contents.object());
    }
}

/// [`A_RELEASED_PAGE_IS_FREED`]: the driver has freed its page, or the one that it was moved to.
pub fn all_is_freed(k: &Run) {
    if let Some(page) = k.folios.iter().find(|page| page.freed.peek() == 0) {
        let message = format!("page{} was released, and is not freed", page.index);
        fail_about(A_RELEASED_PAGE_IS_FREED, message, page.refcount.object());
    }
}
