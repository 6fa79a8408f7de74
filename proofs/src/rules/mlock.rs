//! PG_mlocked, and the unevictable list.

use selvedge_kernel::fail_about;
use selvedge_models::mm::mlock::Mlock;
use selvedge_models::{PG_MLOCKED, UNEVICTABLE};
use selvedge_trace::Rule;

use super::Ids;
use crate::Run;

/// `PG_mlocked` decides the list.
pub const EVICTABLE_FOLIO_IS_NOT_STRANDED: Rule =
    Rule("a folio that is not mlocked is not left on the unevictable list");
/// What mlock is for.
pub const MLOCKED_FOLIO_IS_UNEVICTABLE: Rule =
    Rule("after all drains a mlocked folio is on the unevictable list and counted");

pub(super) const IDS_OF_MLOCK: Ids =
    &[("stranded", EVICTABLE_FOLIO_IS_NOT_STRANDED), ("mlocked", MLOCKED_FOLIO_IS_UNEVICTABLE)];

/// [`EVICTABLE_FOLIO_IS_NOT_STRANDED`]: a folio that is not mlocked does not end up where reclaim
/// does not look.
pub fn folio_is_not_stranded(k: &Run) {
    let folio = &k.folios[0];
    if folio.linked.peek() == UNEVICTABLE && !folio.flags.peek(PG_MLOCKED) {
        let message = "folio0 is not mlocked, and on the unevictable list";
        fail_about(EVICTABLE_FOLIO_IS_NOT_STRANDED, message, folio.linked.object());
    }
}

/// [`MLOCKED_FOLIO_IS_UNEVICTABLE`], of a folio that is mlocked if PG_mlocked says so.
pub fn mlocked_folio_is_unevictable(k: &Run) {
    let folio = &k.folios[0];
    let is_listed = folio.linked.peek() == UNEVICTABLE;
    // Up to 5.17 nothing is counted.
    let is_counted = k.tree.mlock == Mlock::Isolates || folio.mlock_count.peek() == 1;
    if folio.flags.peek(PG_MLOCKED) && !(is_listed && is_counted) {
        let what = if is_listed { "not counted" } else { "not on the unevictable list" };
        let message = format!("folio0 is mlocked, all batches are drained, and it is {what}");
        fail_about(MLOCKED_FOLIO_IS_UNEVICTABLE, message, folio.linked.object());
    }
}

/// The same of a folio that is new, so that how often it is counted depends on who came first: at
/// least once.
pub fn new_mlocked_folio_is_unevictable(k: &Run) {
    let folio = &k.folios[0];
    if folio.linked.peek() != UNEVICTABLE || folio.mlock_count.peek() == 0 {
        let message = "folio0 is mlocked, all batches are drained, and it is not unevictable";
        fail_about(MLOCKED_FOLIO_IS_UNEVICTABLE, message, folio.linked.object());
    }
}

/// The same of a folio that no mlock batch has seen, so that it is not counted.
pub fn added_mlocked_folio_is_unevictable(k: &Run) {
    let folio = &k.folios[0];
    if folio.linked.peek() != UNEVICTABLE {
        let message = "folio0 is mlocked, and not on the unevictable list";
        fail_about(MLOCKED_FOLIO_IS_UNEVICTABLE, message, folio.linked.object());
    }
}
