//! The balloon: its list, walked while a page is isolated, and its count of isolated pages.

use selvedge_kernel::join;
use selvedge_models::Machine;
use selvedge_models::mm::filemap::{folio_trylock, folio_unlock};
use selvedge_models::mm::movable::{
    DRIVER, ISOLATED, PUT_BACK, Role, alloc_page, isolate_block, owner, putback_movable_page,
};
use selvedge_models::trees::*;

use super::{ALLOCATED, COMPLETE, ISOLATED_BEFORE, ONE_PAGE, frees, puts_back};
use crate::claims::{ALONE, SC_WITHOUT_RANDOM};
use crate::rules::{
    A_BALLOON_KNOWS_ITS_PAGES, KERNEL_ASSERTIONS_HOLD, WALK_MEETS_NO_POISON, all_is_freed,
    balloon_is_empty,
};
use crate::states::ASKED_A_DRIVER;
use crate::{Answers, Run, Scenario, Source, ask, cpu};

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

/// The other way round than they were enqueued: the last is the first of the list.
static EMPTIED: Scenario = Scenario {
    name: "balloon_is_emptied",
    about: "Three pages are in the balloon. One task has the second one isolated and put back, and \
            the one isolated that is the second then; dequeues what is left, once more than there is; has it put \
            back, and dequeues it.",
    machine: BALLOON.folios(3).absent(3),
    before: ALLOCATED,
    tasks: &[cpu(0, "balloon", |k| {
        isolates_one(k, 1);
        putback_movable_page(k, &k.folios[1]);
        isolates_one(k, 2);
        for _ in 0..3 {
            frees(k);
        }
        putback_movable_page(k, &k.folios[2]);
        frees(k);
    })],
    at_end: Some(is_emptied),
    ..Scenario::EMPTY
};

static PASSED_OVER: Scenario = Scenario {
    name: "dequeue_of_the_second_page",
    about: "Two pages are in the balloon, and somebody has locked the first of the list. One task \
            dequeues the second, unlocks the first, and dequeues that.",
    machine: BALLOON.folios(2).absent(2),
    before: ALLOCATED,
    tasks: &[cpu(0, "balloon", |k| {
        assert!(folio_trylock(&k.folios[1]), "nobody else runs");
        frees(k);
        folio_unlock(k, &k.folios[1]);
        frees(k);
    })],
    at_end: Some(is_emptied),
    ..Scenario::EMPTY
};

static INFLATED: Scenario = Scenario {
    name: "inflation_vs_isolation_and_putback",
    about: "A page is in the balloon. CPU0 enqueues another one, while CPU1 isolates the first and \
            puts it back. In the end both are dequeued.",
    machine: BALLOON.folios(2).absent(2),
    before: &[cpu(0, "driver", |k| enqueues(k, 0))],
    tasks: &[
        cpu(0, "fill_balloon", |k| enqueues(k, 1)),
        cpu(1, "compaction", |k| {
            isolates_one(k, 0);
            putback_movable_page(k, &k.folios[0]);
        }),
    ],
    at_end: Some(|k| {
        join(k.task(0, "leak_balloon", |k| {
            frees(k);
            frees(k);
        }));
        is_emptied(k);
    }),
    ..Scenario::EMPTY
};

fn enqueues(k: &Run, index: usize) {
    alloc_page(k, &k.folios[index], DRIVER);
    (owner(k).driver.alloc)(k, &k.folios[index]);
}

/// Nobody else wants that page.
fn isolates_one(k: &Run, index: usize) {
    assert!(isolate_block(k, &k.folios[index], false), "nobody else wants the page");
}

fn is_emptied(k: &Run) {
    balloon_is_empty(k);
    all_is_freed(k);
}

const ONE_SECTION: Source =
    Source::analysis("kernel-lru:E15: list and count are changed together, under pages_lock");
const DEQUEUE_STAYS: Source = Source::analysis("the series leaves dequeue as in 4.2");

const PASSED: &str = "a dequeue passed over a locked page";

pub(in crate::claims) fn claims() -> Vec<Answers> {
    let lru = Source::lru;
    let counted = &[PUT_BACK, "a dequeue found no page"];
    vec![
        ask(WALK_MEETS_NO_POISON, &WALKED, lru("E8"), &[ISOLATED])
            .under(SC_WITHOUT_RANDOM)
            .broken_after(&[ASKED_A_DRIVER])
            .violated(&[&V4_2])
            .violated_as(DEQUEUE_STAYS, &[&MOBILE_2015])
            .under(COMPLETE)
            .holds(&[&V4_5, &V4_8, &V6_12_117]),
        ask(KERNEL_ASSERTIONS_HOLD, &COUNTED, lru("E15"), counted)
            .under(COMPLETE)
            .holds(&[&V4_2, &V4_8, &V6_12_117])
            .under(SC_WITHOUT_RANDOM)
            .broken_after(&[ISOLATED, "a dequeue found no page"])
            .violated(&[&E15_COUNTS_UNLOCKED]),
        ask(A_BALLOON_KNOWS_ITS_PAGES, &EMPTIED, ONE_SECTION, counted)
            .under(ALONE)
            .holds(&[&V4_2, &V4_8, &V6_12_117])
            .violated(&[&E15_NOT_COUNTED]),
        ask(A_BALLOON_KNOWS_ITS_PAGES, &PASSED_OVER, lru("E.4"), &[PASSED])
            .under(ALONE)
            .holds(&[&V4_5, &V4_8, &V6_12_117]),
        ask(A_BALLOON_KNOWS_ITS_PAGES, &INFLATED, ONE_SECTION, &[PUT_BACK])
            .under(COMPLETE)
            .holds(&[&V4_8, &V6_12_117]),
    ]
}
