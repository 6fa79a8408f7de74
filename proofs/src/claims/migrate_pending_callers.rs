//! kernel-lru A8, A9, B6 and B7: callers that disable caching, and enable it again.

use selvedge_kernel::reached;
use selvedge_models::Machine;
use selvedge_models::mm::memory_hotplug::offline_pages;
use selvedge_models::mm::mempolicy::{do_mbind, do_migrate_pages};
use selvedge_models::mm::migrate::do_pages_move;
use selvedge_models::mm::page_alloc::__alloc_contig_migrate_range;
use selvedge_models::trees::*;

use super::migrate_pending::{disable, disable_and_enable};
use super::{ALONE, EVERY, SC};
use crate::Source::{self, Analysis};
use crate::rules::*;
use crate::states::{DISABLED, QUEUED_A_DUMMY};
use crate::{Answers, Run, Scenario, ask, cpu};

const ALL_RETURNED: &str = "every caller returned";
const OFFLINE_FAILED: &str = "offline_pages() failed";

fn migrate(k: &Run) {
    disable(k);
    is_still_disabled(k);
    (k.tree.swap.lru_cache_enable())(k);
}

static TWO_MIGRATORS: Scenario = Scenario {
    name: "two_migrators",
    about: "CPU0 and CPU1 each disable caching, work, and enable it.",
    tasks: &[cpu(0, "migrator", migrate), cpu(1, "migrator", migrate)],
    at_end: Some(nobody_is_counted),
    ..Scenario::EMPTY
};

static EVERY_CALLER_ONCE: Scenario = Scenario {
    name: "every_caller_once",
    about: "One task calls do_migrate_pages(), do_mbind() with and without MPOL_MF_MOVE, \
            do_pages_move() and __alloc_contig_migrate_range(), and takes every way out of each.",
    machine: Machine::TINY.cpus(1),
    tasks: &[cpu(0, "caller", |k| {
        // What they return is not the point; what they leave behind is.
        let _ = do_migrate_pages(k);
        let _ = do_mbind(k, true);
        let _ = do_mbind(k, false);
        let _ = do_pages_move(k);
        let _ = __alloc_contig_migrate_range(k);
        reached(ALL_RETURNED);
    })],
    at_end: Some(nobody_is_counted),
    ..Scenario::EMPTY
};

static OFFLINE_FAILS: Scenario = Scenario {
    name: "offline_pages_may_fail",
    about: "One task calls offline_pages(), which may fail before or after it disabled caching.",
    machine: Machine::TINY.cpus(1),
    tasks: &[cpu(0, "offline", |k| {
        if offline_pages(k).is_err() {
            reached(OFFLINE_FAILED);
        }
    })],
    at_end: Some(nobody_is_counted),
    ..Scenario::EMPTY
};

static FINISH_THEN_PREP: Scenario = Scenario {
    name: "finish_then_prep",
    about: "One task disables, enables and disables caching; work items take their time.",
    tasks: &[cpu(0, "migrator", |k| {
        disable_and_enable(k);
        disable(k);
    })],
    at_end: Some(|k| callers_are_counted(k, 1)),
    ..Scenario::EMPTY
};

pub(super) fn claims() -> Vec<Answers> {
    let lru = Source::lru;
    vec![
        ask(DISABLED_UNTIL_THE_LAST_ENABLE, &TWO_MIGRATORS, lru("A8"), &[INSIDE])
            .under(EVERY)
            .holds(&[&RFC_MIGRATE_PENDING])
            .violated(&[&RFC_MIGRATE_PENDING_BOOL])
            .holds(&[&V6_1, &V6_12_117]),
        ask(COUNTER_IS_CALLERS_INSIDE, &EVERY_CALLER_ONCE, lru("B6"), &[ALL_RETURNED])
            .under(ALONE)
            .holds(&[&RFC_MIGRATE_PENDING, &V6_1, &V6_12_117]),
        ask(COUNTER_IS_CALLERS_INSIDE, &OFFLINE_FAILS, lru("A9"), &[OFFLINE_FAILED])
            .under(ALONE)
            .violated(&[&V5_13])
            .holds(&[&V5_15, &V6_1, &V6_12_117]),
        // Under loom a work item runs where it is flushed: it cannot be slow there.
        ask(NO_QUEUED_WORK_IS_REINITIALISED, &FINISH_THEN_PREP, lru("B7"), &[DISABLED])
            .under(SC)
            .violated(&[&RFC_2021_02_16])
            .under(ALONE)
            .holds_as(Analysis("the flush before the return"), &[&V6_1, &V6_12_117]),
        ask(NO_QUEUED_WORK_IS_REINITIALISED, &TWO_MIGRATORS, lru("B7"), &[DISABLED])
            .under(SC)
            .broken_after(&[QUEUED_A_DUMMY])
            .violated(&[&RFC_2021_02_16])
            .holds_as(Analysis("the mutex and the flush"), &[&V6_1, &V6_12_117]),
    ]
}
