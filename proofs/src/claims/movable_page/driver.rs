//! Every rule, against each driver of models/src/drivers: `selvedge check --tree NAME`.
//!
//! A row for each rule and each thing that may happen, so that what a driver gets wrong is shown by
//! as few tasks as can show it; then two compactors with an access, and with a free. (All four at
//! once take millions of executions, and any two that conflict are in one of these.)
//!
//! Beside each row stand drivers that break it. M6 has none: PG_isolated, which is the core's, keeps
//! two compactors apart whatever the driver does, and isolation.rs breaks the core.

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
    ALLOCATED, COMPACTOR, COMPLETE, ISOLATED_BEFORE, ONE_PAGE, READER, allocates, frees, isolates,
    moves_or_puts_back, puts_back,
};
use crate::rules::{
    A_FREED_FOLIO_IS_NOT_TOUCHED, A_RELEASED_PAGE_IS_FREED, KERNEL_ASSERTIONS_HOLD, M1, M2, M3, M4,
    M5, M6, M7, M9, REFERENCES_BALANCE, all_is_freed, updates_are_kept,
};
use crate::{Answers, Run, Scenario, Source, ask, cpu};

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
    before: &[cpu(0, "driver", |k| {
        allocates(k);
        folio_get(&k.folios[0], READER);
    })],
    at_end: |k| updates_are_kept(k, 1),
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
    at_end: all_is_freed,
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
    at_end: |k| updates_are_kept(k, 1),
    ..Scenario::EMPTY
};

static FREE_BESIDE: Scenario = Scenario {
    name: "driver_two_compactors_and_free",
    about: "CPU0 has isolated the page, and puts it back; CPU1 isolates it if it can; its driver \
            frees it on CPU2. In the end CPU1 puts it back.",
    machine: ONE_PAGE.cpus(3),
    before: ISOLATED_BEFORE,
    tasks: &[
        cpu(0, "compaction", puts_back),
        cpu(1, "compaction", |k| {
            if isolate_block(k, &k.folios[0], false) {
                reached(ISOLATED_AGAIN);
            }
        }),
        cpu(2, "driver", frees),
    ],
    at_end: |k| {
        if k.folios[0].linked.peek() == ON_MIGRATE_LIST {
            join(k.task(1, "compaction", |k| putback_movable_page(k, &k.folios[0])));
        }
        all_is_freed(k);
    },
    ..Scenario::EMPTY
};

/// What the first compactor has put back, the second one isolated.
const ISOLATED_AGAIN: &str = "a second compactor isolated the page";

/// A rule, where it is asked, what must have been reached, and the trees that break it there.
type Asked = (Rule, &'static Scenario, &'static [&'static str], &'static [&'static Tree]);

/// What is asked of a driver, in the order in which its author had best look at it.
const ASKED: &[Asked] = &[
    (KERNEL_ASSERTIONS_HOLD, &PUT_BACK_ALONE, &[PUT_BACK], &[&DRIVER_STAYS_LISTED]),
    (M7, &PUT_BACK_ALONE, &[PUT_BACK], &[&DRIVER_LOCKS_IN_CALLBACK]),
    (M6, &TWO_COMPACTORS, &[ISOLATED, MOVED], &[]),
    (M1, &UPDATE_VS_MOVE, &[MOVED], &[&DRIVER_ACCESSES_UNLOCKED]),
    (M3, &ACCESS_VS_MOVE, &[MOVED], &[&DRIVER_ACCESSES_UNLOCKED]),
    (M2, &FREE_VS_ISOLATION, &[ISOLATED], &[&E4_RELEASES_UNLOCKED]),
    (M5, &FREE_VS_ISOLATION, &[ISOLATED], &[&E11_LOCKS_BLOCKING]),
    (M9, &FREE_VS_PUT_BACK, &[ISOLATED], &[&DRIVER_CLEARS_TYPE]),
    (M4, &FREE_VS_PUT_BACK, &[ISOLATED], &[&DRIVER_PLAIN_FLAGS]),
    (A_RELEASED_PAGE_IS_FREED, &FREE_VS_PUT_BACK, &[ISOLATED], &[&DRIVER_LEAKS]),
    (A_RELEASED_PAGE_IS_FREED, &FREE_VS_MOVE, &[MOVED], &[&DRIVER_LEAKS]),
    (REFERENCES_BALANCE, &FREE_VS_MOVE, &[MOVED], &[&DRIVER_PUTS_TWICE]),
    (A_FREED_FOLIO_IS_NOT_TOUCHED, &FREE_VS_MOVE, &[MOVED], &[&DRIVER_PUTS_FIRST]),
    (A_FREED_FOLIO_IS_NOT_TOUCHED, &FREE_VS_PUT_BACK, &[PUT_BACK], &[&DRIVER_PUTS_FIRST]),
    (M1, &ACCESS_BESIDE, &[PUT_BACK, MOVED], &[&DRIVER_ACCESSES_UNLOCKED]),
    (A_RELEASED_PAGE_IS_FREED, &FREE_BESIDE, &[PUT_BACK, ISOLATED_AGAIN], &[&DRIVER_LEAKS]),
    (M5, &FREE_VS_MOVE, &[MOVED], &[&E11_LOCKS_BLOCKING]),
];

pub(in crate::claims) fn claims() -> Vec<Answers> {
    let source = Source::analysis("docs/movable-driver.md");
    let all = |&(rule, scenario, reached, broken_by): &Asked| {
        // What the example of that page does not break holds; once is enough where it takes long.
        let example = &DRIVER_ACCESSES_UNLOCKED;
        let is_broken = broken_by.iter().any(|tree| tree.name == example.name);
        let holds_too = !is_broken && scenario.name != FREE_BESIDE.name;
        let holds: Vec<&'static Tree> = TREES.iter().chain(holds_too.then_some(example)).collect();
        ask(rule, scenario, source, reached).under(COMPLETE).holds(&holds).violated(broken_by)
    };
    ASKED.iter().map(all).collect()
}
