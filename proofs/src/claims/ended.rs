//! What is so when all is over: the loops without a bound have come to an end, and who had a
//! reference for a while has given it back. Both are told from the steps, not from how the kernel
//! was left: which loop goes round for ever, and who holds on, since when.

use selvedge_explore::Engine;
use selvedge_models::Machine;
use selvedge_models::mm::filemap::filemap_get_entry;
use selvedge_models::mm::gup::{NOT_ISOLATED_FOR_A_PIN, pin_user_pages_longterm};
use selvedge_models::mm::migrate::{FREEZE_FAILED, ISOLATION};
use selvedge_models::mm::swap::folio_put;
use selvedge_models::mm::vmscan::{folio_isolate_lru, isolate_lru_folios, move_folios_to_lru};
use selvedge_models::trees::*;
use selvedge_trace::Name;

use super::lru_flag::LISTED;
use super::page_cache::{MIGRATABLE, isolated, lookup, migrate, migrate_isolated};
use super::{ALONE, DPOR};
use crate::Source::{self, Analysis, Comment};
use crate::rules::{ENDLESS_LOOPS_END, NOBODY_HOLDS_ON};
use crate::states::{
    ISOLATED, LOOKED_UP_TOO_LATE, LOOKUP_MET_A_FROZEN_FOLIO, MIGRATED, RECLAIM_PASSED_OVER,
};
use crate::{Answers, Run, Scenario, ask, cpu};

static PIN_OFF_THE_LRU: Scenario = Scenario {
    name: "pin_of_a_folio_off_the_lru",
    about: "The folio is of CMA, and a driver's, which has mapped it to the process and never put \
            it on the LRU. CPU1 pins it for long; the model gives up after two rounds.",
    machine: Machine::TINY.mapped().operations().batch(3),
    // That it may stay, or fails, is as good here.
    tasks: &[cpu(1, "pinner", |k| _ = pin_user_pages_longterm(k, 1, 2))],
    ..Scenario::EMPTY
};

static LOOKUP_AGAIN: Scenario = Scenario {
    name: "lookup_again_while_migrated",
    about: "The folio is isolated, and mapped nowhere. CPU0 migrates it, CPU1 looks its page up; \
            the model of the lookup gives up after two rounds.",
    machine: Machine::TINY.spares().batch(3).passes(1),
    setup: isolated,
    tasks: &[cpu(0, "migrator", migrate_isolated), cpu(1, "reader", lookup)],
    ..Scenario::EMPTY
};

/// As long as it takes: the model gives up after two rounds, the kernel does not.
fn look_up_until_found(k: &Run) {
    let holder = Name::new("lookup");
    loop {
        if let Some(folio) = filemap_get_entry(k, 0, holder) {
            return folio_put(k, folio, holder);
        }
    }
}

static LOOKUP_UNTIL_FOUND: Scenario = Scenario {
    name: "lookup_until_found_while_migrated",
    about: "The folio is isolated, and mapped nowhere. CPU0 migrates it; CPU1 looks its page up as \
            often as it takes to find it, which has no bound in the model either.",
    tasks: &[cpu(0, "migrator", migrate_isolated), cpu(1, "reader", look_up_until_found)],
    ..LOOKUP_AGAIN
};

/// An order in which the reader never stops is one that no fair schedule has. `graph` does not
/// bound loops, and is not asked.
const FAIR: &[Engine] = &[Engine::Dpor, Engine::Random];

/// A random order in which it is late enough is rare.
const FAIR_AND_LATE: &[Engine] = &[Engine::Dpor, Engine::Dfs];

static MIGRATED_AND_LOOKED_UP: Scenario = Scenario {
    name: "migration_and_lookup_are_over",
    about: "CPU0 isolates the folio, and migrates it or puts it back; CPU1 looks its page up, and \
            gives the folio back.",
    machine: MIGRATABLE,
    tasks: &[cpu(0, "migrator", migrate), cpu(1, "reader", lookup)],
    ..Scenario::EMPTY
};

fn put_back(k: &Run, isolated: Vec<usize>) {
    isolated.into_iter().for_each(|index| move_folios_to_lru(k, &k.folios[index], ISOLATION));
}

static ISOLATED_AND_RECLAIMED: Scenario = Scenario {
    name: "isolation_and_reclaim_are_over",
    about: "CPU0 isolates the folio, and puts it back; CPU1 isolates what reclaim would, and puts \
            that back.",
    machine: LISTED,
    tasks: &[
        cpu(0, "isolator", |k| {
            if folio_isolate_lru(k, &k.folios[0], ISOLATION) {
                put_back(k, vec![0]);
            }
        }),
        cpu(1, "reclaim", |k| put_back(k, isolate_lru_folios(k, ISOLATION))),
    ],
    ..Scenario::EMPTY
};

pub(super) fn claims() -> Vec<Answers> {
    let reverted = Source::commit("517f496e1e61");
    let tries = Comment { file: "mm/vmscan.c", says: "another thread is already isolating it" };
    vec![
        ask(ENDLESS_LOOPS_END, &PIN_OFF_THE_LRU, Source::report("R1"), &[NOT_ISOLATED_FOR_A_PIN])
            .under(ALONE)
            .violated_after(&[NOT_ISOLATED_FOR_A_PIN], &[&V6_1, &V6_10, &V6_12_117])
            .holds(&[&V6_15])
            .violated_as(reverted, &[&V6_17]),
        ask(
            ENDLESS_LOOPS_END,
            &LOOKUP_AGAIN,
            Analysis("a count is frozen for a while, and a slot has the folio that is there now"),
            &[MIGRATED, LOOKUP_MET_A_FROZEN_FOLIO],
        )
        .under(DPOR)
        .holds(&[&V6_1, &V6_12_117])
        .violated_after(&[LOOKUP_MET_A_FROZEN_FOLIO], &[&MIGRATE_LEAVES_SLOT]),
        ask(
            ENDLESS_LOOPS_END,
            &LOOKUP_UNTIL_FOUND,
            Analysis("a count is frozen for a while, and a slot has the folio that is there now"),
            &[MIGRATED, LOOKUP_MET_A_FROZEN_FOLIO],
        )
        .under(FAIR)
        .holds(&[&V6_1, &V6_12_117])
        .under(FAIR_AND_LATE)
        .violated_after(&[LOOKUP_MET_A_FROZEN_FOLIO], &[&MIGRATE_LEAVES_SLOT]),
        ask(
            NOBODY_HOLDS_ON,
            &MIGRATED_AND_LOOKED_UP,
            Source::migrate("B-S1"),
            &[MIGRATED, FREEZE_FAILED],
        )
        .under(DPOR)
        .holds(&[&V6_1, &V6_12_117])
        .violated_after(&[LOOKED_UP_TOO_LATE], &[&LOOKUP_KEEPS_REFERENCE]),
        ask(NOBODY_HOLDS_ON, &ISOLATED_AND_RECLAIMED, tries, &[RECLAIM_PASSED_OVER, ISOLATED])
            .under(DPOR)
            .holds(&[&V6_12_117])
            .violated_after(&[RECLAIM_PASSED_OVER], &[&RECLAIM_KEEPS_REFERENCE]),
    ]
}
