//! PG_mlocked, and the unevictable list.

use selvedge_kernel::fail_about;
use selvedge_models::PG_MLOCKED;
use selvedge_trace::Rule;

use super::Ids;
use crate::Run;
use crate::look::{Look, Place};

/// `PG_mlocked` decides the list.
pub const EVICTABLE_FOLIO_IS_NOT_STRANDED: Rule =
    Rule("a folio that is not mlocked is not left on the unevictable list");
/// What mlock is for.
pub const MLOCKED_FOLIO_IS_UNEVICTABLE: Rule =
    Rule("after all drains a mlocked folio is on the unevictable list and counted");

/// What munlock is for. `mlock_count` may be an underestimate: then a folio is munlocked too early,
/// which reclaim mends. If it were too large nobody would mend it.
pub const MUNLOCKED_FOLIO_IS_NOT_MLOCKED: Rule =
    Rule("a folio that nobody mlocks any more is not left mlocked");

/// What `mlock_count` may err about: reclaim has the list right.
pub const RECLAIM_CULLS_MLOCKED_FOLIOS: Rule =
    Rule("a mlocked folio that reclaim has come to is on the unevictable list");

/// What the outcome of setting and clearing PG_mlocked is asked for.
pub const NR_MLOCK_IS_MLOCKED_FOLIOS: Rule =
    Rule("NR_MLOCK is the number of folios with PG_mlocked");

pub(super) const IDS_OF_MLOCK: Ids = &[
    ("stranded", EVICTABLE_FOLIO_IS_NOT_STRANDED),
    ("mlocked", MLOCKED_FOLIO_IS_UNEVICTABLE),
    ("reclaim-culls", RECLAIM_CULLS_MLOCKED_FOLIOS),
    ("left-mlocked", MUNLOCKED_FOLIO_IS_NOT_MLOCKED),
    ("nr-mlock", NR_MLOCK_IS_MLOCKED_FOLIOS),
];

/// `selvedge_models::UNEVICTABLE`, as a place has it.
const UNEVICTABLE: i64 = selvedge_models::UNEVICTABLE as i64;

/// [`EVICTABLE_FOLIO_IS_NOT_STRANDED`]: a folio that is not mlocked does not end up where reclaim
/// does not look.
pub fn folio_is_not_stranded<L: Look + ?Sized>(k: &L) {
    let list = Place::List(0);
    if k.value(list) == UNEVICTABLE && k.value(Place::Flag(0, PG_MLOCKED)) == 0 {
        let message = "folio0 is not mlocked, and on the unevictable list";
        k.fail(EVICTABLE_FOLIO_IS_NOT_STRANDED, message.into(), list);
    }
}

/// [`MUNLOCKED_FOLIO_IS_NOT_MLOCKED`], when as many have munlocked the folio as have mlocked it,
/// and all batches are drained.
pub fn folio_is_not_left_mlocked<L: Look + ?Sized>(k: &L) {
    if k.value(Place::Flag(0, PG_MLOCKED)) == 1 {
        let count = k.value(Place::MlockCount(0));
        let message = format!("nobody mlocks folio0, and it has PG_mlocked and a count of {count}");
        k.fail(MUNLOCKED_FOLIO_IS_NOT_MLOCKED, message, Place::Flag(0, PG_MLOCKED));
    }
}

/// [`MLOCKED_FOLIO_IS_UNEVICTABLE`], of a folio that is mlocked if PG_mlocked says so.
pub fn mlocked_folio_is_unevictable<L: Look + ?Sized>(k: &L) {
    let list = Place::List(0);
    let is_listed = k.value(list) == UNEVICTABLE;
    let is_counted = !k.counts_mlocks() || k.value(Place::MlockCount(0)) == 1;
    if k.value(Place::Flag(0, PG_MLOCKED)) == 1 && !(is_listed && is_counted) {
        let what = if is_listed { "not counted" } else { "not on the unevictable list" };
        let message = format!("folio0 is mlocked, all batches are drained, and it is {what}");
        k.fail(MLOCKED_FOLIO_IS_UNEVICTABLE, message, list);
    }
}

/// The same of a folio that is new, so that how often it is counted depends on who came first: at
/// least once.
pub fn new_mlocked_folio_is_unevictable<L: Look + ?Sized>(k: &L) {
    let list = Place::List(0);
    if k.value(list) != UNEVICTABLE || k.value(Place::MlockCount(0)) == 0 {
        let message = "folio0 is mlocked, all batches are drained, and it is not unevictable";
        k.fail(MLOCKED_FOLIO_IS_UNEVICTABLE, message.into(), list);
    }
}

/// The same of a folio that no mlock batch has seen, so that it is not counted.
pub fn added_mlocked_folio_is_unevictable<L: Look + ?Sized>(k: &L) {
    let list = Place::List(0);
    if k.value(list) != UNEVICTABLE {
        let message = "folio0 is mlocked, and not on the unevictable list";
        k.fail(MLOCKED_FOLIO_IS_UNEVICTABLE, message.into(), list);
    }
}

/// [`RECLAIM_CULLS_MLOCKED_FOLIOS`], when all batches are drained.
pub fn reclaimed_mlocked_folio_is_unevictable(k: &Run) {
    let folio = &k.folios[0];
    if folio.flags.peek(PG_MLOCKED) && folio.linked.peek() != selvedge_models::UNEVICTABLE {
        let message = "folio0 is mlocked, reclaim has come to it, and it is on no unevictable list";
        fail_about(RECLAIM_CULLS_MLOCKED_FOLIOS, message, folio.linked.object());
    }
}

/// [`NR_MLOCK_IS_MLOCKED_FOLIOS`], on a machine that has the statistic.
pub fn nr_mlock_is_mlocked_folios(k: &Run) {
    let nr_mlock = k.nr_mlock.as_ref().expect("Machine::nr_mlock");
    let mlocked = k.folios.iter().filter(|folio| folio.flags.peek(PG_MLOCKED)).count() as i64;
    if nr_mlock.peek() != mlocked {
        let message = format!("NR_MLOCK is {}, {mlocked} folios are mlocked", nr_mlock.peek());
        fail_about(NR_MLOCK_IS_MLOCKED_FOLIOS, message, nr_mlock.object());
    }
}
