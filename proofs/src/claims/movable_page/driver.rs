//! Every rule, against each driver of models/src/drivers: `selvedge check --tree NAME`.
//!
//! A row for each rule and each thing that may happen, so that what a driver gets wrong is shown by
//! as few tasks as can show it; then two compactors with an access, and with a free. (All four at
//! once take millions of executions, and any two that conflict are in one of these.)

use selvedge_kernel::{KERNEL_ASSERTIONS_HOLD, fail_about, join};
use selvedge_models::drivers::{COUNT, TREES};
use selvedge_models::mm::movable::{
    A_RELEASED_PAGE_IS_FREED, ISOLATED, M1, M2, M3, M6, M9, MOVED, PUT_BACK, compact_page,
    isolate_block, owner, putback_movable_page, unmap_and_move,
};
use selvedge_models::mm::swap::folio_get;
use selvedge_models::trees::V6_12_117;
use selvedge_models::{Kernel, Sizes};
use selvedge_monitors::REFERENCES_BALANCE;
use selvedge_trace::Rule;

use super::{
    COMPLETE, M4, M5, M7, ONE_PAGE, READER, allocated, compactor, frees, isolated, updates_are_kept,
};
use crate::{Claim, Scenario, Topic};

fn compacts(k: &Kernel, cpu: usize) -> usize {
    k.task(cpu, "compaction", move |k| compact_page(k, &k.folios[0], compactor(cpu)))
}

fn isolates(k: &Kernel, cpu: usize) -> usize {
    k.task(cpu, "compaction", |k| {
        isolate_block(k, &k.folios[0], false);
    })
}

/// Page 0, which is isolated, is moved, or put back if that fails.
fn moves(k: &Kernel, cpu: usize) -> usize {
    k.task(cpu, "compaction", move |k| {
        if unmap_and_move(k, &k.folios[0], compactor(cpu)).is_err() {
            putback_movable_page(k, &k.folios[0], cpu);
        }
    })
}

fn accesses(k: &Kernel, cpu: usize) -> usize {
    k.task(cpu, "user", move |k| (owner(k).driver.access)(k, cpu))
}

fn releases(k: &Kernel, cpu: usize) -> usize {
    k.task(cpu, "driver", move |k| frees(k, cpu))
}

fn puts_back(k: &Kernel, cpu: usize) -> usize {
    k.task(cpu, "compaction", move |k| putback_movable_page(k, &k.folios[0], cpu))
}

/// The driver has freed its page, or the one that it was moved to.
fn all_is_freed(k: &Kernel) {
    if let Some(page) = k.folios.iter().find(|page| page.freed.peek() == 0) {
        let message = format!("page{} is the driver's no more, and is not freed", page.index);
        fail_about(A_RELEASED_PAGE_IS_FREED, message, page.refcount.object());
    }
}

static PUT_BACK_ALONE: Scenario = Scenario {
    name: "driver_putback",
    about: "The page is isolated and put back, and isolated once more.",
    sizes: ONE_PAGE,
    play: |k| {
        isolated(k);
        join(puts_back(k, 0));
        join(k.task(0, "compaction", |k| {
            isolate_block(k, &k.folios[0], false);
        }));
    },
    at_end: |_| {},
    choices: 0,
};

static ACCESS_VS_MOVE: Scenario = Scenario {
    name: "driver_access_vs_move",
    about: "CPU0 moves the page, while CPU1 changes what is in it.",
    sizes: ONE_PAGE,
    play: |k| {
        allocated(k);
        [compacts(k, 0), accesses(k, 1)].into_iter().for_each(join);
    },
    at_end: |_| {},
    choices: 0,
};

static UPDATE_VS_MOVE: Scenario = Scenario {
    name: "driver_update_vs_move",
    about: "The same, and somebody who came across the old page keeps it from being freed.",
    sizes: ONE_PAGE,
    play: |k| {
        allocated(k);
        folio_get(&k.folios[0], READER);
        [compacts(k, 0), accesses(k, 1)].into_iter().for_each(join);
    },
    at_end: |k| updates_are_kept(k, 1),
    choices: 0,
};

static FREE_VS_ISOLATION: Scenario = Scenario {
    name: "driver_free_vs_isolation",
    about: "CPU0 isolates the page, while its driver frees it on CPU1.",
    sizes: ONE_PAGE,
    play: |k| {
        allocated(k);
        [isolates(k, 0), releases(k, 1)].into_iter().for_each(join);
    },
    at_end: |_| {},
    choices: 0,
};

static FREE_VS_MOVE: Scenario = Scenario {
    name: "driver_free_vs_move",
    about: "The page is isolated. CPU0 moves it, or puts it back, while its driver frees it on CPU1.",
    sizes: ONE_PAGE,
    play: |k| {
        isolated(k);
        [moves(k, 0), releases(k, 1)].into_iter().for_each(join);
    },
    at_end: all_is_freed,
    choices: 0,
};

static FREE_VS_PUT_BACK: Scenario = Scenario {
    name: "driver_free_vs_putback",
    about: "The page is isolated. CPU0 puts it back, while its driver frees it on CPU1.",
    sizes: ONE_PAGE,
    play: |k| {
        isolated(k);
        [puts_back(k, 0), releases(k, 1)].into_iter().for_each(join);
    },
    at_end: all_is_freed,
    choices: 0,
};

static TWO_COMPACTORS: Scenario = Scenario {
    name: "driver_two_compactors",
    about: "CPU0 and CPU1 each isolate and move the page.",
    sizes: ONE_PAGE,
    play: |k| {
        allocated(k);
        [compacts(k, 0), compacts(k, 1)].into_iter().for_each(join);
    },
    at_end: |_| {},
    choices: 0,
};

static ACCESS_BESIDE: Scenario = Scenario {
    name: "driver_two_compactors_and_access",
    about: "CPU0 has isolated the page, and moves it or puts it back; CPU1 isolates it if it can; CPU2 \
            changes what is in it.",
    sizes: Sizes { cpus: 3, ..ONE_PAGE },
    play: |k| {
        isolated(k);
        [moves(k, 0), isolates(k, 1), accesses(k, 2)].into_iter().for_each(join);
    },
    at_end: |k| updates_are_kept(k, 1),
    choices: 0,
};

static FREE_BESIDE: Scenario = Scenario {
    name: "driver_two_compactors_and_free",
    about: "CPU0 has isolated the page. CPU1 isolates it if it can, while its driver frees it on CPU2; then \
            CPU0 puts it back.",
    sizes: Sizes { cpus: 3, ..ONE_PAGE },
    play: |k| {
        isolated(k);
        [isolates(k, 1), releases(k, 2)].into_iter().for_each(join);
        join(puts_back(k, 0));
    },
    at_end: all_is_freed,
    choices: 0,
};

const fn topic(rule: Rule, scenario: &'static Scenario, reached: &'static [&'static str]) -> Topic {
    Topic { subsystem: "movable_driver", rule, scenario, source: "docs/movable-driver.md", reached }
}

/// What is asked of a driver, in the order in which its author had best look at it.
const ASKED: [Topic; 14] = [
    topic(KERNEL_ASSERTIONS_HOLD, &PUT_BACK_ALONE, &[PUT_BACK]),
    topic(M7, &PUT_BACK_ALONE, &[PUT_BACK]),
    topic(M6, &TWO_COMPACTORS, &[ISOLATED, MOVED]),
    topic(M1, &UPDATE_VS_MOVE, &[MOVED]),
    topic(M3, &ACCESS_VS_MOVE, &[MOVED]),
    topic(M2, &FREE_VS_ISOLATION, &[ISOLATED]),
    topic(M9, &FREE_VS_PUT_BACK, &[ISOLATED]),
    topic(M4, &FREE_VS_PUT_BACK, &[ISOLATED]),
    topic(A_RELEASED_PAGE_IS_FREED, &FREE_VS_PUT_BACK, &[ISOLATED]),
    topic(A_RELEASED_PAGE_IS_FREED, &FREE_VS_MOVE, &[MOVED]),
    topic(REFERENCES_BALANCE, &FREE_VS_MOVE, &[MOVED]),
    topic(M1, &ACCESS_BESIDE, &[MOVED]),
    topic(A_RELEASED_PAGE_IS_FREED, &FREE_BESIDE, &[PUT_BACK]),
    topic(M5, &FREE_VS_MOVE, &[MOVED]),
];

pub(in crate::claims) static CLAIMS: [Claim; ASKED.len() * COUNT] = {
    let mut claims = [ASKED[0].holds(&V6_12_117, COMPLETE); ASKED.len() * COUNT];
    let mut at = 0;
    while at < claims.len() {
        let tree = &TREES[at / ASKED.len()];
        claims[at] = ASKED[at % ASKED.len()].holds(tree, COMPLETE);
        at += 1;
    }
    claims
};
