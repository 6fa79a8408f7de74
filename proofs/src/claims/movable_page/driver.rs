//! Every rule, against each driver of models/src/drivers: `selvedge check --tree NAME`.
//!
//! A row for each rule and each thing that may happen, so that what a driver gets wrong is shown by
//! as few tasks as can show it; then two compactors with an access, and with a free. (All four at
//! once take millions of executions, and any two that conflict are in one of these.)

use selvedge_kernel::join;
use selvedge_models::drivers::TREES;
use selvedge_models::mm::movable::{ISOLATED, MOVED, PUT_BACK, compact_page, owner};
use selvedge_models::mm::swap::folio_get;
use selvedge_models::{Sizes, Tree};
use selvedge_trace::Rule;

use super::{
    ALLOCATED, COMPACTOR, COMPLETE, ISOLATED_BEFORE, ONE_PAGE, READER, allocates, frees, isolates,
    moves_or_puts_back, puts_back,
};
use crate::rules::{
    A_RELEASED_PAGE_IS_FREED, KERNEL_ASSERTIONS_HOLD, M1, M2, M3, M4, M5, M6, M7, M9,
    REFERENCES_BALANCE, all_is_freed, updates_are_kept,
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
    sizes: ONE_PAGE,
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
    sizes: ONE_PAGE,
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
    sizes: ONE_PAGE,
    before: ALLOCATED,
    tasks: &[cpu(0, "compaction", isolates), cpu(1, "driver", frees)],
    ..Scenario::EMPTY
};

static FREE_VS_MOVE: Scenario = Scenario {
    name: "driver_free_vs_move",
    about: "The page is isolated. CPU0 moves it, or puts it back, while its driver frees it on \
            CPU1.",
    sizes: ONE_PAGE,
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
    sizes: ONE_PAGE,
    before: ALLOCATED,
    tasks: &[cpu(0, "compaction", compacts), cpu(1, "compaction", compacts)],
    ..Scenario::EMPTY
};

static ACCESS_BESIDE: Scenario = Scenario {
    name: "driver_two_compactors_and_access",
    about: "CPU0 has isolated the page, and moves it or puts it back; CPU1 isolates it if it can; \
            CPU2 changes what is in it.",
    sizes: Sizes { cpus: 3, ..ONE_PAGE },
    before: ISOLATED_BEFORE,
    tasks: &[
        cpu(0, "compaction", moves_or_puts_back),
        cpu(1, "compaction", isolates),
        cpu(2, "user", accesses),
    ],
    at_end: |k| updates_are_kept(k, 1),
    ..Scenario::EMPTY
};

static FREE_BESIDE: Scenario = Scenario {
    name: "driver_two_compactors_and_free",
    about: "CPU0 has isolated the page. CPU1 isolates it if it can, while its driver frees it on \
            CPU2; then CPU0 puts it back.",
    sizes: Sizes { cpus: 3, ..ONE_PAGE },
    before: ISOLATED_BEFORE,
    tasks: &[cpu(1, "compaction", isolates), cpu(2, "driver", frees)],
    at_end: |k| {
        join(k.task(0, "compaction", puts_back));
        all_is_freed(k);
    },
    ..Scenario::EMPTY
};

/// What is asked of a driver, in the order in which its author had best look at it.
const ASKED: &[(Rule, &Scenario, &[&str])] = &[
    (KERNEL_ASSERTIONS_HOLD, &PUT_BACK_ALONE, &[PUT_BACK]),
    (M7, &PUT_BACK_ALONE, &[PUT_BACK]),
    (M6, &TWO_COMPACTORS, &[ISOLATED, MOVED]),
    (M1, &UPDATE_VS_MOVE, &[MOVED]),
    (M3, &ACCESS_VS_MOVE, &[MOVED]),
    (M2, &FREE_VS_ISOLATION, &[ISOLATED]),
    (M9, &FREE_VS_PUT_BACK, &[ISOLATED]),
    (M4, &FREE_VS_PUT_BACK, &[ISOLATED]),
    (A_RELEASED_PAGE_IS_FREED, &FREE_VS_PUT_BACK, &[ISOLATED]),
    (A_RELEASED_PAGE_IS_FREED, &FREE_VS_MOVE, &[MOVED]),
    (REFERENCES_BALANCE, &FREE_VS_MOVE, &[MOVED]),
    (M1, &ACCESS_BESIDE, &[MOVED]),
    (A_RELEASED_PAGE_IS_FREED, &FREE_BESIDE, &[PUT_BACK]),
    (M5, &FREE_VS_MOVE, &[MOVED]),
];

pub(in crate::claims) fn claims() -> Vec<Answers> {
    let trees: Vec<&'static Tree> = TREES.iter().collect();
    let source = Source::analysis("docs/movable-driver.md");
    let all = |&(rule, scenario, reached)| {
        ask(rule, scenario, source, reached).under(COMPLETE).holds(&trees)
    };
    ASKED.iter().map(all).collect()
}
