//! What Mel Gorman proposed in answer to the series of 2015, by the rules that she asked for:
//! which of M1 to M10 it would have met. M2, M5, M8 and M10 are in isolation.rs, M4, M7 and M9 in
//! putback.rs, beside the other trees. M11 is that the rules are written down.
//!
//! It meets all but two. M6 is left to each driver, since nothing of the core's marks what is
//! isolated. M9 is not met: what is put back is told by a look without a lock, as it was posted,
//! and a page that its driver has released meanwhile is taken for one of the LRU.

use selvedge_kernel::{fail_about, join};
use selvedge_models::mm::movable::{ISOLATED, MOVED, putback_movable_page};
use selvedge_models::mm::swap::lru_add_drain;
use selvedge_models::trees::*;
use selvedge_models::{EVICTABLE, PG_LRU};

use super::driver::{ACCESS_VS_MOVE, UPDATE_VS_MOVE};
use super::isolation::{ISOLATED_TWICE, ON_LRU, isolates_under_lru_lock};
use super::{COMPLETE, OWN_LOCKS};
use crate::claims::ALONE;
use crate::rules::{M1, M3, M6, M9};
use crate::states::ISOLATED as FOLIO_ISOLATED;
use crate::{Answers, Run, Scenario, Source, ask, cpu};

static LRU_PUT_BACK: Scenario = Scenario {
    name: "putback_of_a_page_on_the_lru",
    about: "Compaction isolates a folio on the LRU through the interface for movable pages, and \
            puts it back.",
    machine: ON_LRU.lru_size(),
    tasks: &[cpu(0, "compaction", |k| {
        isolates_under_lru_lock(k);
        putback_movable_page(k, &k.folios[0]);
    })],
    at_end: Some(|k| {
        join(k.task(0, "drain", |k| lru_add_drain(k)));
        is_on_the_lru(k);
    }),
    ..Scenario::EMPTY
};

/// [`M9`] of a folio that was isolated from the LRU.
fn is_on_the_lru(k: &Run) {
    let folio = &k.folios[0];
    if folio.linked.peek() != EVICTABLE || !folio.flags.peek(PG_LRU) {
        let message = "folio0 was isolated from the LRU, and is not on it";
        fail_about(M9, message, folio.linked.object());
    }
}

const UNTOUCHED: Source =
    Source::analysis("migration keeps both page locks, as posted, as proposed, and as merged");

pub(in crate::claims) fn claims() -> Vec<Answers> {
    let all: &[_] = &[&MOBILE_2015, &LRU_AS_MOBILE, &V4_8_ATOMIC];
    vec![
        ask(M1, &UPDATE_VS_MOVE, UNTOUCHED, &[MOVED]).under(COMPLETE).holds(all),
        ask(M3, &ACCESS_VS_MOVE, UNTOUCHED, &[MOVED]).under(COMPLETE).holds(all),
        ask(M6, &ISOLATED_TWICE, OWN_LOCKS, &[ISOLATED]).under(COMPLETE).holds(&[&LRU_AS_MOBILE]),
        ask(M9, &LRU_PUT_BACK, OWN_LOCKS, &[FOLIO_ISOLATED]).under(ALONE).holds(&[&LRU_AS_MOBILE]),
    ]
}
