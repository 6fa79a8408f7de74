//! Pages that their driver has made movable: what Mel Gorman asked of the series of 2015-07-13, by
//! the numbers of docs/movable-driver.md. Models report most of it as they go.
//!
//! M4, M5 and M7 are what holds everywhere: nobody sleeps on an unlocked folio, nobody waits for
//! ever. M11 is that page itself.

use selvedge_kernel::{KERNEL_ASSERTIONS_HOLD, fail, fail_about};
use selvedge_models::mm::balloon_compaction::is_empty;
use selvedge_models::mm::movable::{isolate_block, owner};
use selvedge_models::{Kernel, NOT_LINKED};

pub use selvedge_models::mm::balloon_compaction::{
    A_BALLOON_KNOWS_ITS_PAGES, WALK_MEETS_NO_POISON,
};
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

/// What putback and migration are for: kernel-lru E.4, "putback re-attaches".
pub const A_PAGE_AT_REST_CAN_BE_ISOLATED: Rule =
    Rule("a page of a driver that nobody has isolated or locked can be isolated");

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
    ("isolated-again", A_PAGE_AT_REST_CAN_BE_ISOLATED),
    ("balloon-emptied", A_BALLOON_KNOWS_ITS_PAGES),
    ("poison", WALK_MEETS_NO_POISON),
    ("pool-lives", A_POOL_IS_USED_WHILE_IT_LIVES),
    ("empty-zspage", AN_EMPTY_ZSPAGE_IS_FREED),
    ("zspage-walk", A_WALK_STAYS_IN_ITS_ZSPAGE),
];

/// [`M1`]: what the driver keeps, which it has not freed, has been changed that often.
pub fn updates_are_kept(k: &Run, updates: u64) {
    let Some(index) = owner(k).place() else {
        fail(M1, format!("what had {updates} updates is nowhere"));
    };
    let page = &k.folios[index];
    let seen = page.contents.peek();
    if seen != updates {
        let message = format!("page{index} has {seen} of {updates} updates");
        fail_about(M1, message, page.contents.object());
    }
}

/// [`A_RELEASED_PAGE_IS_FREED`]: the driver has freed its pages, or those that they were moved to.
/// And each has been taken off the list that it was on.
pub fn all_is_freed(k: &Run) {
    for page in &k.folios {
        if page.freed.peek() == 0 {
            let message = format!("page{} was released, and is not freed", page.index);
            fail_about(A_RELEASED_PAGE_IS_FREED, message, page.refcount.object());
        }
        if page.linked.peek() != NOT_LINKED {
            let message = format!("page{} has been freed, and is on a list", page.index);
            fail_about(KERNEL_ASSERTIONS_HOLD, message, page.linked.object());
        }
    }
}

/// [`A_PAGE_AT_REST_CAN_BE_ISOLATED`]: a compactor comes to this page, where its driver keeps what
/// it has. Isolates it.
pub fn is_isolated_again(k: &Kernel, index: usize) {
    let page = &k.folios[index];
    if !isolate_block(k, page, false) {
        let message = format!("page{index} is its driver's, and cannot be isolated any more");
        fail_about(A_PAGE_AT_REST_CAN_BE_ISOLATED, message, page.flags.object());
    }
}

/// [`M2`]: a compactor that still knows where page 0 was finds that it is no driver's any more.
pub fn old_page_is_left_alone(k: &Kernel) {
    if isolate_block(k, &k.folios[0], false) {
        let message = "page0 has moved, and its driver was asked for the old page";
        fail_about(M2, message, k.folios[0].mapping.object());
    }
}

/// [`A_BALLOON_KNOWS_ITS_PAGES`]
pub fn balloon_is_empty(k: &Run) {
    if !is_empty(k) {
        fail(A_BALLOON_KNOWS_ITS_PAGES, "all pages are dequeued; its list or its count are not 0");
    }
}
