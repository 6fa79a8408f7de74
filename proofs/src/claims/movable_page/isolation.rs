//! Isolating a page: who may, what is looked at and touched on the way, and under which locks.

use selvedge_kernel::{fail_about, reached};
use selvedge_models::Machine;
use selvedge_models::mm::movable::{ISOLATED, Role, isolate_block};
use selvedge_models::trees::*;

use super::{ALLOCATED, COMPLETE, ONE_PAGE, OWN_LOCKS, frees, isolates};
use crate::claims::{ALONE, EVERY, SC, SC_WITHOUT_RANDOM};
use crate::rules::{KERNEL_ASSERTIONS_HOLD, M2, M5, M6, M8, M10, NOBODY_SLEEPS_IN_ATOMIC_CONTEXT};
use crate::states::ISOLATED as FOLIO_ISOLATED;
use crate::states::{ASKED_A_DRIVER, FOUND_MOVABLE, SLEPT};
use crate::{Answers, Run, Scenario, Source, ask, cpu};

const BALLOON: Machine = ONE_PAGE.driver(Some(Role::Balloon));

pub(super) static ISOLATED_TWICE: Scenario = Scenario {
    name: "two_compactors",
    about: "CPU0 and CPU1 each isolate the same page of a driver.",
    machine: ONE_PAGE,
    before: ALLOCATED,
    tasks: &[cpu(0, "compaction", isolates), cpu(1, "compaction", isolates)],
    ..Scenario::EMPTY
};

static BALLOON_ISOLATED_TWICE: Scenario = Scenario {
    name: "two_compactors_of_a_balloon",
    about: "CPU0 and CPU1 each isolate the same page of the balloon.",
    machine: BALLOON,
    ..ISOLATED_TWICE
};

static ZSPAGE_ISOLATED_TWICE: Scenario = Scenario {
    name: "two_compactors_of_a_zspage",
    about: "CPU0 and CPU1 each isolate the same page of a zspage.",
    machine: ONE_PAGE.driver(Some(Role::Zsmalloc)),
    ..ISOLATED_TWICE
};

/// A folio on the LRU, and nothing else.
pub(super) const ON_LRU: Machine = Machine::TINY.listed().driver(Some(Role::Module));

/// With lru_lock held from the page before it.
pub(super) fn isolates_under_lru_lock(k: &Run) {
    isolate_block(k, &k.folios[0], true);
}

static LRU_ISOLATED_TWICE: Scenario = Scenario {
    name: "two_compactors_of_the_lru",
    about: "CPU0 and CPU1 each isolate the same folio on the LRU.",
    machine: ON_LRU,
    tasks: &[
        cpu(0, "compaction", isolates_under_lru_lock),
        cpu(1, "compaction", isolates_under_lru_lock),
    ],
    ..Scenario::EMPTY
};

static FREE_VS_ISOLATION: Scenario = Scenario {
    name: "free_vs_isolation",
    about: "CPU0 isolates the page, while its driver frees it on CPU1.",
    machine: ONE_PAGE,
    before: ALLOCATED,
    tasks: &[cpu(0, "compaction", isolates), cpu(1, "driver", frees)],
    ..Scenario::EMPTY
};

static LEAK_VS_ISOLATION: Scenario = Scenario {
    name: "leak_vs_isolation_of_a_balloon",
    about: "CPU0 isolates the page, while the balloon dequeues it on CPU1.",
    machine: BALLOON,
    ..FREE_VS_ISOLATION
};

static LRU_LOCK_HELD: Scenario = Scenario {
    name: "isolation_with_lru_lock_held",
    about: "Compaction comes to the page with lru_lock held from a page before it.",
    machine: ONE_PAGE,
    before: ALLOCATED,
    tasks: &[cpu(0, "compaction", isolates_under_lru_lock)],
    ..Scenario::EMPTY
};

static LRU_LOCK_HELD_BALLOON: Scenario = Scenario {
    name: "isolation_of_a_balloon_with_lru_lock_held",
    about: "Compaction comes to a page of the balloon with lru_lock held from a page before it.",
    machine: BALLOON,
    ..LRU_LOCK_HELD
};

/// It is none of theirs.
const DECLINED: &str = "the interface for movable pages declined a folio on the LRU";

static LRU_PAGE: Scenario = Scenario {
    name: "isolation_of_a_page_on_the_lru",
    about: "Compaction offers a folio on the LRU to the interface for movable pages.",
    machine: ON_LRU,
    tasks: &[cpu(0, "compaction", |k| {
        if !isolate_block(k, &k.folios[0], true) {
            reached(DECLINED);
            let message = "folio0 is on the LRU, and the interface does not know it";
            fail_about(M10, message, k.folios[0].flags.object());
        }
    })],
    ..Scenario::EMPTY
};

const LISTED_TWICE: Source = Source::analysis("kernel-lru:E1: each of the two takes it off a list");
const NEEDS_ISOLATED: Source =
    Source::analysis("kernel-lru:E1 of zsmalloc, which needs PG_isolated");
const LRU_FLAG: Source = Source::analysis("kernel-lru:E.2 M10: PG_lru is the flag of LRU pages");
const M10_OF_THE_SHEET: Source = Source::analysis("kernel-lru:E.2 M10");

fn one_owner() -> Vec<Answers> {
    let lru = Source::lru;
    vec![
        ask(M6, &ISOLATED_TWICE, lru("E1"), &[ISOLATED])
            .under(SC)
            .violated(&[&MOBILE_2015_WITHOUT_FLAG])
            .violated_as(OWN_LOCKS, &[&LRU_AS_MOBILE_WITHOUT_FLAG])
            .under(EVERY)
            .holds(&[&MOBILE_2015])
            .under(COMPLETE)
            .holds(&[&V6_12_117_WITHOUT_FLAG]),
        ask(M6, &BALLOON_ISOLATED_TWICE, lru("E1"), &[ISOLATED]).under(COMPLETE).holds(&[
            &V4_2,
            &MOBILE_2015,
            &V4_8,
            &V5_18,
            &V6_12_117,
        ]),
        // What two owners of a page of the balloon, or of a folio on the LRU, come to first.
        ask(KERNEL_ASSERTIONS_HOLD, &BALLOON_ISOLATED_TWICE, LISTED_TWICE, &[ISOLATED])
            .under(COMPLETE)
            .holds(&[&V6_12_117])
            .violated(&[&E1_NOT_MARKED]),
        ask(KERNEL_ASSERTIONS_HOLD, &LRU_ISOLATED_TWICE, LISTED_TWICE, &[FOLIO_ISOLATED])
            .under(COMPLETE)
            .holds(&[&LRU_AS_MOBILE])
            .violated(&[&E1_LRU_SPLIT]),
        ask(M6, &ZSPAGE_ISOLATED_TWICE, NEEDS_ISOLATED, &[ISOLATED])
            .under(COMPLETE)
            .holds(&[&V5_17, &V6_12_117])
            .violated(&[&E1_NOT_MARKED]),
        ask(M6, &LRU_ISOLATED_TWICE, LRU_FLAG, &[FOLIO_ISOLATED])
            .under(COMPLETE)
            .holds(&[&LRU_AS_MOBILE]),
    ]
}

fn locks() -> Vec<Answers> {
    let lru = Source::lru;
    vec![
        ask(M2, &FREE_VS_ISOLATION, lru("E4"), &[ISOLATED])
            .under(COMPLETE)
            .holds(&[&MOBILE_2015, &V4_8_ATOMIC, &V5_18, &V6_12_117])
            .holds_as(OWN_LOCKS, &[&LRU_AS_MOBILE])
            .under(SC_WITHOUT_RANDOM)
            .broken_after(&[FOUND_MOVABLE])
            .violated(&[&E4_RELEASES_UNLOCKED]),
        ask(M5, &FREE_VS_ISOLATION, lru("E11"), &[ISOLATED])
            .under(SC)
            .broken_after(&[SLEPT])
            .violated(&[&E11_LOCKS_BLOCKING])
            .under(COMPLETE)
            .holds_as(OWN_LOCKS, &[&LRU_AS_MOBILE])
            .holds(&[&MOBILE_2015, &V4_8_ATOMIC, &V6_12_117]),
        ask(M5, &LEAK_VS_ISOLATION, lru("E11"), &[ISOLATED])
            .under(COMPLETE)
            .holds(&[&V4_5, &V6_12_117])
            .broken_after(&[SLEPT])
            .violated(&[&E11_DEQUEUE_WAITS]),
        ask(NOBODY_SLEEPS_IN_ATOMIC_CONTEXT, &LRU_LOCK_HELD, lru("E12"), &[ISOLATED])
            .under(ALONE)
            .broken_after(&[ASKED_A_DRIVER])
            .violated(&[&MOBILE_2015_SLEEPS])
            .holds(&[&V6_12_117_SLEEPS]),
        ask(M8, &LRU_LOCK_HELD_BALLOON, lru("E12"), &[ISOLATED])
            .under(ALONE)
            .broken_after(&[ASKED_A_DRIVER])
            .violated(&[&V4_2, &MOBILE_2015])
            .holds_as(OWN_LOCKS, &[&LRU_AS_MOBILE])
            .holds(&[&V4_8, &V6_12_117])
            .violated(&[&E12_LRU_LOCK_KEPT]),
        ask(M10, &LRU_PAGE, M10_OF_THE_SHEET, &[FOLIO_ISOLATED])
            .under(ALONE)
            .broken_after(&[DECLINED])
            .violated(&[&MOBILE_2015])
            .holds(&[&LRU_AS_MOBILE])
            .violated(&[&V4_8, &V6_12_117]),
    ]
}

pub(in crate::claims) fn claims() -> Vec<Answers> {
    one_owner().into_iter().chain(super::reuse::claims()).chain(locks()).collect()
}
