//! The balloon: its list, walked while a page is isolated, and its count of isolated pages.

use selvedge_models::Machine;
use selvedge_models::mm::movable::{ISOLATED, PUT_BACK, Role, isolate_block};
use selvedge_models::trees::*;

use super::{ALLOCATED, COMPLETE, ISOLATED_BEFORE, ONE_PAGE, frees, puts_back};
use crate::claims::SC_WITHOUT_RANDOM;
use crate::rules::{KERNEL_ASSERTIONS_HOLD, WALK_MEETS_NO_POISON};
use crate::{Answers, Scenario, Source, ask, cpu};

const BALLOON: Machine = ONE_PAGE.driver(Some(Role::Balloon));

static WALKED: Scenario = Scenario {
    name: "dequeue_vs_isolation",
    about: "Two pages are in the balloon. CPU0 dequeues one; CPU1 isolates the one that the walk \
            comes to.",
    machine: BALLOON.folios(2).absent(2),
    before: ALLOCATED,
    tasks: &[
        cpu(0, "leak_balloon", frees),
        // The last that was enqueued is the first of the list.
        cpu(1, "compaction", |k| {
            isolate_block(k, &k.folios[1], false);
        }),
    ],
    ..Scenario::EMPTY
};

static COUNTED: Scenario = Scenario {
    name: "dequeue_vs_putback",
    about: "The only page of the balloon is isolated. CPU0 puts it back, while CPU1 dequeues.",
    machine: BALLOON,
    before: ISOLATED_BEFORE,
    tasks: &[cpu(0, "compaction", puts_back), cpu(1, "leak_balloon", frees)],
    ..Scenario::EMPTY
};

const DEQUEUE_STAYS: Source = Source::analysis("the series leaves dequeue as in 4.2");

pub(in crate::claims) fn claims() -> Vec<Answers> {
    let lru = Source::lru;
    let counted = &[PUT_BACK, "a dequeue found no page"];
    vec![
        ask(WALK_MEETS_NO_POISON, &WALKED, lru("E8"), &[ISOLATED])
            .under(SC_WITHOUT_RANDOM)
            .violated(&[&V4_2])
            .violated_as(DEQUEUE_STAYS, &[&MOBILE_2015])
            .under(COMPLETE)
            .holds(&[&V4_5, &V4_8, &V6_12_117]),
        ask(KERNEL_ASSERTIONS_HOLD, &COUNTED, lru("E15"), counted)
            .under(COMPLETE)
            .holds(&[&V4_2, &V4_8, &V6_12_117])
            .under(SC_WITHOUT_RANDOM)
            .violated(&[&E15_COUNTS_UNLOCKED]),
    ]
}
