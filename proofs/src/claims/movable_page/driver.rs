//! Every rule, against each driver of models/src/drivers: `selvedge check --tree NAME`.
//!
//! A row for each rule and each thing that may happen, so that what a driver gets wrong is shown by
//! as few tasks as can show it; then two compactors with an access, and with a free. (All four at
//! once take millions of executions, and any two that conflict are in one of these.)
//!
//! Beside each row stand drivers that break it. M6 has none: PG_isolated, which is the core's,
//! keeps two compactors apart whatever the driver does, and isolation.rs breaks the core.

use selvedge_kernel::{join, reached};
use selvedge_models::Tree;
use selvedge_models::drivers::TREES;
use selvedge_models::mm::movable::{
    ISOLATED, MOVED, ON_MIGRATE_LIST, PUT_BACK, compact_page, isolate_block, owner,
    putback_movable_page,
};
use selvedge_models::mm::swap::folio_get;
use selvedge_models::trees::*;
use selvedge_trace::Rule;

use super::{
    ALLOCATED, COMPACTOR, COMPLETE, GIVEN_TO_A_DRIVER, ISOLATED_BEFORE, ONE_PAGE, READER,
    allocates, frees, isolates, moves_or_puts_back, puts_back,
};
use crate::rules::{
    A_FREED_FOLIO_IS_NOT_TOUCHED, A_PAGE_AT_REST_CAN_BE_ISOLATED, A_RELEASED_PAGE_IS_FREED,
    KERNEL_ASSERTIONS_HOLD, M1, M2, M3, M4, M5, M6, M7, M9, REFERENCES_BALANCE, all_is_freed,
    is_isolated_again, old_page_is_left_alone, updates_are_kept,
};
use crate::states::{FOUND_MOVABLE, SLEPT};
use crate::{Answers, Run, Scenario, Source, Task, ask, cpu};

fn compacts(k: &Run) {
    compact_page(k, &k.folios[0], COMPACTOR);
}

fn accesses(k: &Run) {
    (owner(k).driver.access)(k);
}

static PUT_BACK_ALONE: Scenario = Scenario {
    name: "driver_putback",
    about: "The page is isolated and put back, and isolated once more.",
    machine: ONE_PAGE,
    before: ISOLATED_BEFORE,
    tasks: &[cpu(0, "compaction", |k| {
        puts_back(k);
        isolates(k);
    })],
    ..Scenario::EMPTY
};

static AGAIN_AND_AGAIN: Scenario = Scenario {
    name: "driver_compaction_after_compaction",
    about: "The page is used, isolated and put back, and moved; used, and isolated and put back \
            where it is then. Somebody keeps the old page from being freed, and a compactor comes \
            to it once more.",
    machine: ONE_PAGE,
    before: READ_BEFORE,
    tasks: &[cpu(0, "compaction", |k| {
        accesses(k);
        isolates(k);
        puts_back(k);
        compacts(k);
        old_page_is_left_alone(k);
        accesses(k);
        is_isolated_again(k, NEW);
        putback_movable_page(k, &k.folios[NEW]);
        is_isolated_again(k, NEW);
    })],
    at_end: Some(|k| updates_are_kept(k, 2)),
    ..Scenario::EMPTY
};

static FREED_AFTER_MOVE: Scenario = Scenario {
    name: "driver_free_after_move",
    about: "The page is moved, isolated and put back there, and freed.",
    machine: ONE_PAGE,
    before: ALLOCATED,
    tasks: &[cpu(0, "compaction", |k| {
        compacts(k);
        is_isolated_again(k, NEW);
        putback_movable_page(k, &k.folios[NEW]);
        frees(k);
    })],
    at_end: Some(all_is_freed),
    ..Scenario::EMPTY
};

/// The page that page 0 is moved to.
const NEW: usize = 1;

/// Somebody came across the page, and keeps it from being freed.
const READ_BEFORE: &[Task] = &[cpu(0, "driver", |k| {
    allocates(k);
    folio_get(&k.folios[0], READER);
})];

pub(super) static ACCESS_VS_MOVE: Scenario = Scenario {
    name: "driver_access_vs_move",
    about: "CPU0 moves the page, while CPU1 changes what is in it.",
    machine: ONE_PAGE,
    before: ALLOCATED,
    tasks: &[cpu(0, "compaction", compacts), cpu(1, "user", accesses)],
    ..Scenario::EMPTY
};

pub(super) static UPDATE_VS_MOVE: Scenario = Scenario {
    name: "driver_update_vs_move",
    about: "CPU0 moves the page, while CPU1 changes what is in it; somebody who came across the \
            old page keeps it from being freed.",
    before: READ_BEFORE,
    at_end: Some(|k| updates_are_kept(k, 1)),
    ..ACCESS_VS_MOVE
};

static FREE_VS_ISOLATION: Scenario = Scenario {
    name: "driver_free_vs_isolation",
    about: "CPU0 isolates the page, while its driver frees it on CPU1.",
    machine: ONE_PAGE,
    before: ALLOCATED,
    tasks: &[cpu(0, "compaction", isolates), cpu(1, "driver", frees)],
    ..Scenario::EMPTY
};

static FREE_VS_MOVE: Scenario = Scenario {
    name: "driver_free_vs_move",
    about: "The page is isolated. CPU0 moves it, or puts it back, while its driver frees it on \
            CPU1.",
    machine: ONE_PAGE.lifetimes(),
    before: ISOLATED_BEFORE,
    tasks: &[cpu(0, "compaction", moves_or_puts_back), cpu(1, "driver", frees)],
    at_end: Some(all_is_freed),
    ..Scenario::EMPTY
};

static FREE_VS_PUT_BACK: Scenario = Scenario {
    name: "driver_free_vs_putback",
    about: "The page is isolated. CPU0 puts it back, while its driver frees it on CPU1.",
    tasks: &[cpu(0, "compaction", puts_back), cpu(1, "driver", frees)],
    ..FREE_VS_MOVE
};

static TWO_COMPACTORS: Scenario = Scenario {
    name: "driver_two_compactors",
    about: "CPU0 and CPU1 each isolate and move the page.",
    machine: ONE_PAGE,
    before: ALLOCATED,
    tasks: &[cpu(0, "compaction", compacts), cpu(1, "compaction", compacts)],
    ..Scenario::EMPTY
};

static ACCESS_BESIDE: Scenario = Scenario {
    name: "driver_two_compactors_and_access",
    about: "CPU0 has isolated the page, and puts it back; CPU1 isolates it if it can, and moves \
            it; CPU2 changes what is in it.",
    machine: ONE_PAGE.cpus(3),
    before: ISOLATED_BEFORE,
    tasks: &[
        cpu(0, "compaction", puts_back),
        cpu(1, "compaction", compacts),
        cpu(2, "user", accesses),
    ],
    at_end: Some(|k| updates_are_kept(k, 1)),
    ..Scenario::EMPTY
};

/// The two compactors one after the other. Beside one another, on a third CPU, they take twelve
/// times as many executions, and nobody can tell: the page lock keeps what they do to the page and
/// to the driver apart, in this order, since the second one lets a page be that has PG_isolated.
/// What then overlaps is the reference that the second takes before it looks, and the one that the
/// first gives back at last: two changes of a count that is not 0 before both. That such a
/// reference is the last one is looked at by the scenarios of one compactor.
static FREE_BESIDE: Scenario = Scenario {
    name: "driver_two_compactions_and_free",
    about: "CPU0 has isolated the page, and puts it back; another compaction isolates it if it \
            can; its driver frees it on CPU1. In the end it is put back.",
    machine: ONE_PAGE,
    before: ISOLATED_BEFORE,
    tasks: &[
        cpu(0, "compaction", |k| {
            puts_back(k);
            if isolate_block(k, &k.folios[0], false) {
                reached(ISOLATED_AGAIN);
            }
        }),
        cpu(1, "driver", frees),
    ],
    at_end: Some(|k| {
        if k.folios[0].linked.peek() == ON_MIGRATE_LIST {
            join(k.task(0, "compaction", |k| putback_movable_page(k, &k.folios[0])));
        }
        all_is_freed(k);
    }),
    ..Scenario::EMPTY
};

/// What the first compaction has put back, the second one isolated.
const ISOLATED_AGAIN: &str = "a second compaction isolated the page";

type States = &'static [&'static str];

/// A rule, where it is asked, what must have been reached where it holds and where it is violated,
/// and the trees that break it there.
type Asked = (Rule, &'static Scenario, States, States, &'static [&'static Tree]);

/// What is asked of a driver, in the order in which its author had best look at it.
const ASKED: &[Asked] = &[
    (
        KERNEL_ASSERTIONS_HOLD,
        &PUT_BACK_ALONE,
        &[PUT_BACK],
        &[GIVEN_TO_A_DRIVER],
        &[&DRIVER_STAYS_LISTED, &DRIVER_SETS_UNLOCKED, &DRIVER_SETS_ISOLATED],
    ),
    (
        A_PAGE_AT_REST_CAN_BE_ISOLATED,
        &AGAIN_AND_AGAIN,
        &[PUT_BACK, MOVED],
        &[PUT_BACK],
        &[&DRIVER_FORGETS_PUTBACK],
    ),
    (
        KERNEL_ASSERTIONS_HOLD,
        &FREED_AFTER_MOVE,
        &[MOVED, PUT_BACK],
        &[ISOLATED],
        &[&DRIVER_CLEARS_TWICE],
    ),
    (
        A_RELEASED_PAGE_IS_FREED,
        &FREED_AFTER_MOVE,
        &[MOVED, PUT_BACK],
        &[MOVED, PUT_BACK],
        &[&DRIVER_LEAKS],
    ),
    (M7, &PUT_BACK_ALONE, &[PUT_BACK], &[ISOLATED, SLEPT], &[&DRIVER_LOCKS_IN_CALLBACK]),
    (M6, &TWO_COMPACTORS, &[ISOLATED, MOVED], &[ISOLATED, MOVED], &[]),
    (M1, &UPDATE_VS_MOVE, &[MOVED], &[MOVED], &[&DRIVER_ACCESSES_UNLOCKED]),
    (M3, &ACCESS_VS_MOVE, &[MOVED], &[MOVED], &[&DRIVER_ACCESSES_UNLOCKED]),
    (M2, &FREE_VS_ISOLATION, &[ISOLATED], &[FOUND_MOVABLE], &[&E4_RELEASES_UNLOCKED]),
    (
        KERNEL_ASSERTIONS_HOLD,
        &FREE_VS_ISOLATION,
        &[ISOLATED],
        &[ISOLATED],
        &[&DRIVER_CLEARS_UNLOCKED],
    ),
    (M5, &FREE_VS_ISOLATION, &[ISOLATED], &[SLEPT], &[&E11_LOCKS_BLOCKING]),
    (M9, &FREE_VS_PUT_BACK, &[ISOLATED], &[ISOLATED], &[&DRIVER_CLEARS_TYPE]),
    (M4, &FREE_VS_PUT_BACK, &[ISOLATED], &[ISOLATED], &[&DRIVER_PLAIN_FLAGS]),
    (A_RELEASED_PAGE_IS_FREED, &FREE_VS_PUT_BACK, &[ISOLATED], &[ISOLATED], &[&DRIVER_LEAKS]),
    (A_RELEASED_PAGE_IS_FREED, &FREE_VS_MOVE, &[MOVED], &[MOVED], &[&DRIVER_LEAKS]),
    (REFERENCES_BALANCE, &FREE_VS_MOVE, &[MOVED], &[MOVED], &[&DRIVER_PUTS_TWICE]),
    (A_FREED_FOLIO_IS_NOT_TOUCHED, &FREE_VS_MOVE, &[MOVED], &[MOVED], &[&DRIVER_PUTS_FIRST]),
    (
        A_FREED_FOLIO_IS_NOT_TOUCHED,
        &FREE_VS_PUT_BACK,
        &[PUT_BACK],
        &[PUT_BACK],
        &[&DRIVER_PUTS_FIRST],
    ),
    (M1, &ACCESS_BESIDE, &[PUT_BACK, MOVED], &[PUT_BACK, MOVED], &[&DRIVER_ACCESSES_UNLOCKED]),
    (
        A_RELEASED_PAGE_IS_FREED,
        &FREE_BESIDE,
        &[PUT_BACK, ISOLATED_AGAIN],
        &[PUT_BACK, ISOLATED_AGAIN],
        &[&DRIVER_LEAKS],
    ),
    (M5, &FREE_VS_MOVE, &[MOVED], &[ISOLATED, SLEPT], &[&E11_LOCKS_BLOCKING]),
];

pub(in crate::claims) fn claims() -> Vec<Answers> {
    let source = Source::analysis("docs/movable-driver.md");
    let all = |&(rule, scenario, reached, by_then, broken_by): &Asked| {
        // What the example of that page does not break holds; once is enough where it takes long.
        let example = &DRIVER_ACCESSES_UNLOCKED;
        let is_broken = broken_by.iter().any(|tree| tree.name == example.name);
        let holds_too = !is_broken && scenario.name != FREE_BESIDE.name;
        // The release has the driver to be copied: what is about its core too, and costs nothing.
        let of_the_core = [&PUT_BACK_ALONE, &AGAIN_AND_AGAIN, &FREED_AFTER_MOVE, &UPDATE_VS_MOVE];
        let release = of_the_core.iter().any(|known| known.name == scenario.name);
        let more = holds_too.then_some(example).into_iter().chain(release.then_some(&V6_12_117));
        let holds: Vec<&'static Tree> = TREES.iter().chain(more).collect();
        ask(rule, scenario, source, reached)
            .under(COMPLETE)
            .holds(&holds)
            .violated_after(by_then, broken_by)
    };
    ASKED.iter().map(all).collect()
}
