//! kernel-lru section D, reclaim: what it makes of folios that rest in batches, and of folios that
//! are being freed.

use selvedge_kernel::fail_about;
use selvedge_models::mm::migrate::ISOLATION;
use selvedge_models::mm::mlock::mlock_folio;
use selvedge_models::mm::swap::{folio_add_lru, folio_put};
use selvedge_models::mm::vmscan::{isolate_lru_folios, pageout, scan_folios};
use selvedge_models::trees::*;
use selvedge_models::{Machine, PAGE_CACHE};

use super::lru_flag::{LISTED, activate};
use super::{ALONE, EVERY, SC_WITHOUT_RANDOM};
use crate::Source::{self, Analysis};
use crate::rules::*;
use crate::states::{FREED, MADE_UNEVICTABLE, RECLAIM_MET_A_FREED_FOLIO, RESTED};
use crate::{Answers, Scenario, ask, cpu};

static RECLAIM_AND_RESTING_FOLIO: Scenario = Scenario {
    name: "reclaim_after_activate",
    about: "The only folio of the list rests in CPU0's activate batch. Then CPU1 reclaims.",
    machine: LISTED,
    before: &[cpu(0, "user", activate)],
    tasks: &[cpu(1, "reclaim", |k| {
        if isolate_lru_folios(k, ISOLATION).is_empty() {
            let message = "reclaim isolated nothing: PG_lru of the linked folio0 is clear";
            fail_about(W1, message, k.folios[0].flags.object());
        }
    })],
    ..Scenario::EMPTY
};

static MGLRU_AND_RESTING_FOLIO: Scenario = Scenario {
    name: "mglru_after_activate",
    about: "The only folio of the oldest generation rests in CPU0's activate batch. Then CPU1 \
            scans that generation.",
    tasks: &[cpu(1, "reclaim", |k| {
        let scanned = scan_folios(k, ISOLATION);
        if scanned.isolated.is_empty() && !scanned.can_age {
            let message = "folio0 was not isolated, and keeps its generation from ageing";
            fail_about(OLDEST_GENERATION_AGES, message, k.folios[0].flags.object());
        }
    })],
    ..RECLAIM_AND_RESTING_FOLIO
};

static PAGEOUT_OF_BATCHED_FOLIO: Scenario = Scenario {
    name: "pageout_after_activate",
    about: "The folio rests in CPU0's activate batch. Then CPU1 reclaims, and if it can isolate \
            the folio, wants to write it.",
    tasks: &[cpu(1, "reclaim", |k| {
        if !isolate_lru_folios(k, ISOLATION).is_empty() && pageout(k, &k.folios[0]) {
            let message = "folio0 was written, though a batch has a reference";
            fail_about(W3, message, k.folios[0].refcount.object());
        }
    })],
    ..RECLAIM_AND_RESTING_FOLIO
};

static ACTIVATED_AT_REST: Scenario = Scenario {
    name: "activated_at_rest",
    about: "CPU0 activates the folio, which rests in its batch.",
    machine: LISTED.cpus(1),
    tasks: &[cpu(0, "user", activate)],
    at_end: Some(flag_clear_means_on_no_list),
    ..Scenario::EMPTY
};

static RECLAIM_VS_LAST_PUT: Scenario = Scenario {
    name: "reclaim_vs_last_put",
    about: "CPU0 drops the last reference of a folio on the list; CPU1 reclaims.",
    machine: Machine::TINY.listed(),
    tasks: &[
        cpu(0, "putter", |k| folio_put(k, &k.folios[0], PAGE_CACHE)),
        cpu(1, "reclaim", |k| {
            for index in isolate_lru_folios(k, ISOLATION) {
                folio_put(k, &k.folios[index], ISOLATION);
            }
        }),
    ],
    at_end: Some(no_freed_folio_is_linked),
    ..Scenario::EMPTY
};

static LARGE_FOLIO: Scenario = Scenario {
    name: "large_folio_is_added_and_activated",
    about: "A large folio is added, activated and mlocked, on one CPU.",
    machine: Machine::TINY.cpus(1).large().operations().mlock().batch(3),
    tasks: &[cpu(0, "user", |k| {
        folio_add_lru(k, &k.folios[0]);
        activate(k);
        mlock_folio(k, &k.folios[0]);
    })],
    at_end: Some(large_folio_has_one_reference),
    ..Scenario::EMPTY
};

pub(super) fn claims() -> Vec<Answers> {
    let lru = Source::lru;
    vec![
        ask(W1, &RECLAIM_AND_RESTING_FOLIO, lru("D9"), &[RESTED])
            .under(ALONE)
            .violated(&[&SEED_002_V4, &V6_11])
            .holds(&[&V6_1, &V6_10, &V6_12_117, &V6_17]),
        ask(
            OLDEST_GENERATION_AGES,
            &MGLRU_AND_RESTING_FOLIO,
            Source::commit("0885ef470560"),
            &[RESTED],
        )
        .under(ALONE)
        .violated(&[&SEED_002_V4, &V6_11])
        .holds(&[&V6_11_5, &V6_10, &V6_12_117]),
        ask(W2, &ACTIVATED_AT_REST, lru("D.3"), &[RESTED])
            .under(ALONE)
            .violated(&[&SEED_002_V4])
            .holds(&[&V6_10, &V6_12_117]),
        ask(W3, &PAGEOUT_OF_BATCHED_FOLIO, lru("D.3"), &[RESTED])
            .under(ALONE)
            .holds(&[&V6_10, &SEED_002_V4, &V6_12_117])
            .violated(&[&PAGEOUT_ALWAYS]),
        ask(
            NO_FREED_FOLIO_IS_LINKED,
            &RECLAIM_VS_LAST_PUT,
            lru("D.2"),
            &[FREED, RECLAIM_MET_A_FREED_FOLIO],
        )
        .under(EVERY)
        .holds(&[&V6_1, &V6_12_117])
        .under(SC_WITHOUT_RANDOM)
        .broken_after(&[FREED])
        .violated(&[&ISOLATE_CLEAR_THEN_GET]),
        ask(LARGE_FOLIO_RESTS_NOWHERE, &LARGE_FOLIO, lru("A.2"), &[MADE_UNEVICTABLE])
            .under(ALONE)
            .holds(&[&V6_1, &SEED_002_V4, &V6_12_117])
            .broken_after(&[RESTED])
            .violated_as(Analysis("what the step is there for"), &[&BATCH_LARGE_FOLIO]),
    ]
}
